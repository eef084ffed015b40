"""What the lab authorize-every-call gives away: the gate, its command, and Harbor's finished control."""

import asyncio
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from conftest import ROOT

sys.path.insert(0, str(ROOT / "labs"))

from harbor.enforcement import EnforcementPoint  # noqa: E402 # the path above has to be set first
from harbor.suite import ATTACKS, HONEST, try_case  # noqa: E402 # the path above has to be set first

LAB = ROOT / "labs" / "authorize-every-call"
SCHEMA = "entity P; entity O = { a: Long }; action x appliesTo { principal: P, resource: O, context: { c: Long } };"
PERMIT = '@id("yes") permit (principal, action == Action::"x", resource);\n'
LIMIT = '@id("limit") forbid (principal, action, resource) when { context.c > 5 };\n'
KNOWN = [
    {"uid": {"type": "P", "id": "p"}, "attrs": {}, "parents": []},
    {"uid": {"type": "O", "id": "o"}, "attrs": {"a": 1}, "parents": []},
]


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, LAB / "files" / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


gate = load("cedar_gate")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.cedar").write_text(PERMIT)
    (tmp_path / "b.cedar").write_text(LIMIT)
    (tmp_path / "s.cedarschema").write_text(SCHEMA)
    return tmp_path


def decide(policies: str, resource: str = "o", **context: Any) -> Any:
    return gate.Gate(policies, SCHEMA).decide(("P", "p"), "x", ("O", resource), context, KNOWN)


def test_it_allows_and_says_by_which_rule() -> None:
    assert decide(PERMIT + LIMIT, c=5) == ["yes"]


@pytest.mark.parametrize(
    "context", [{"c": 6}, {"c": "5"}, {"c": 5.0}, {}, {"c": 5, "d": 1}, {"c": None}, {"c": object()}]
)
def test_every_doubt_is_a_no(context: dict[str, Any]) -> None:
    with pytest.raises(gate.Denied):
        decide(PERMIT + LIMIT, **context)


def test_an_error_beside_an_allow_is_a_no() -> None:
    with pytest.raises(gate.Denied, match="overflow"):
        decide(PERMIT + LIMIT.replace("context.c", "context.c * 100"), c=2**62)


def test_what_nobody_knows_is_a_no() -> None:
    with pytest.raises(gate.Denied, match="O 'other' is not known"):
        decide(PERMIT, resource="other", c=1)


@pytest.mark.parametrize(
    ("policies", "found"),
    [
        ("", "there is no policy"),
        ("// nothing", "there is no policy"),
        (PERMIT + LIMIT.replace("context.c ", "context.d "), "limit: for policy"),
        ("permit all;", "would not be loaded"),
        (PERMIT.replace('@id("yes") ', ""), "has no @id"),
        (PERMIT + PERMIT, "the @id of two policies"),
        ('@id("all") permit (principal, action, resource);', "permits everything"),
        (PERMIT + LIMIT.replace("context.c", "context.c * 2"), "a forbid that calculates"),
    ],
)
def test_the_command_finds(policies: str, found: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "b.cedar").unlink()
    (folder / "a.cedar").write_text(policies)
    assert gate.main(["check", str(folder)]) == 1
    assert found in capsys.readouterr().out


def test_the_command_finds_nothing_in_good_policies(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert gate.main(["check", str(folder)]) == 0
    assert capsys.readouterr().out == "nothing found\n"
    (folder / "s.cedarschema").unlink()
    assert gate.main(["check", str(folder)]) == 1


def test_bad_use_is_2(tmp_path: Path) -> None:
    assert gate.main(["check", str(tmp_path / "missing")]) == 2
    (tmp_path / "a.cedar").write_bytes(b"\xff\xfe")
    assert gate.main(["check", str(tmp_path)]) == 2
    with pytest.raises(SystemExit) as stopped:
        gate.main([])
    assert stopped.value.code == 2


# -- Harbor's control, as the last lab uses it -------------------------------------------------------


def test_the_finished_rules_are_those_of_the_lab() -> None:
    lab = (LAB / "lab.py").read_text(encoding="utf-8")
    for name, pattern in (
        ("harbor.cedar", r'SOLUTION\nPOLICIES = """\n(.*?)"""'),
        ("harbor.cedarschema", r'\nSCHEMA = """\n(.*?)"""'),
    ):
        found = re.search(pattern, lab, re.DOTALL)
        assert found and (LAB / "files" / "policies" / name).read_text(encoding="utf-8").endswith("\n\n" + found[1]), (
            name
        )
    assert gate.main(["check", str(LAB / "files" / "policies")]) == 0


def test_the_finished_control_stops_the_suite_and_costs_two_honest_cases() -> None:
    point = EnforcementPoint({"policy": load("order_desk_policy").CedarPolicy()})

    async def names() -> tuple[list[str], list[str]]:
        through = [case.name for case in ATTACKS if (await try_case(case, point)).landed]
        lost = [case.name for case in HONEST if not (await try_case(case, point)).done]
        return through, lost

    assert asyncio.run(names()) == ([], ["write-to-an-accountant", "a-morning-of-mail"])
