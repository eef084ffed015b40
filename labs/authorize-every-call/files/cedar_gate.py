"""A gate in front of tool calls: Cedar policies that are validated when they are loaded, and a no on any doubt.

    gate = Gate.load(Path("policies"))          # every *.cedar of the folder, against every *.cedarschema
    gate.decide(principal=("Person", "ada@customers.example"), action="refund_order",
                resource=("Order", "1001"), context={"cents": 2000}, entities=facts)

`load` raises `BadPolicy` unless all policies fit the schema. `decide` returns the policies that allowed the
call (their @id), or raises `Denied`: on Deny, on NoDecision, on any error while a policy was evaluated, when
principal or resource is not among `entities`, and on a request that Cedar cannot read.

On the command line it looks through a folder of policies, in a pipeline for instance:

    $ python cedar_gate.py check policies/

Exit code 0: nothing found. 1: findings, one a line. 2: the folder cannot be read. Needs cedarpy 4.12 or newer
(a community binding of Cedar). What it cannot find: a rule that is valid and too wide. Test your decisions.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import cedarpy

Json = dict[str, Any]
Uid = tuple[str, str]  # an entity's type and id

ARITHMETIC = {"+", "-", "*", "neg"}  # Cedar's integers have 64 bits; what does not fit is an error


class BadPolicy(Exception):
    """The policies were not loaded. The text says why."""


class Denied(Exception):
    """The call is not allowed. The text says why."""


class Gate:
    """Validated policies, and the one function that decides with them."""

    def __init__(self, policies: str, schema: str) -> None:
        """Raises `BadPolicy` unless there are policies and all of them fit the schema."""
        if not schema.strip():
            raise BadPolicy("there is no schema: a policy that cannot be validated is not loaded")
        result = cedarpy.validate_policies(policies, schema)
        if not result.validation_passed:
            names = result.id_annotations_by_policy_id
            raise BadPolicy("; ".join(_named(e, names) for e in result.errors))
        self._policies = cedarpy.PolicySet.from_str(policies)
        self._schema = cedarpy.Schema.from_str(schema)
        if not len(self._policies):
            raise BadPolicy("there is no policy: an empty file is valid Cedar")

    @classmethod
    def load(cls, folder: Path) -> "Gate":
        """The gate of a folder. Raises `BadPolicy`, and OSError when a file cannot be read."""
        return cls(*_texts(folder))

    def decide(
        self, principal: Uid, action: str, resource: Uid, context: Mapping[str, Any], entities: Sequence[Json]
    ) -> list[str]:
        """Return the ids of the policies that allow this. Raises `Denied` for everything else."""
        known = {(entity["uid"]["type"], entity["uid"]["id"]) for entity in entities}
        for uid in (principal, resource):
            if uid not in known:
                raise Denied(f"{uid[0]} {uid[1]!r} is not known")
        request = {
            "principal": {"type": principal[0], "id": principal[1]},
            "action": {"type": "Action", "id": action},
            "resource": {"type": resource[0], "id": resource[1]},
            "context": dict(context),
        }
        try:
            answer = cedarpy.is_authorized(request, self._policies, list(entities), self._schema)
        except (TypeError, ValueError) as error:
            raise Denied(f"the request cannot be read: {error}") from error
        if answer.diagnostics.errors:
            raise Denied("; ".join(answer.diagnostics.errors))
        names = answer.diagnostics.id_annotations_by_reason
        decisive = [names.get(reason, reason) for reason in answer.diagnostics.reasons]
        if not answer.allowed:
            raise Denied(f"forbidden by {', '.join(decisive)}" if decisive else "no policy allows it")
        return decisive


def _named(error: cedarpy.ValidationError, names: Mapping[str, str]) -> str:
    """One error of the validator, under the @id of the policy where there is one."""
    name = names.get(error.policy_id, error.policy_id)
    return f"{name}: {error.error}" if name else error.error


def findings(policies: str, schema: str) -> list[str]:
    """What is wrong with these policies, one sentence each; empty when nothing was found."""
    try:
        Gate(policies, schema)
    except BadPolicy as problem:
        return [f"would not be loaded: {problem}"]
    found, seen = [], set()
    for number, policy in _each(policies):
        name = policy.get("annotations", {}).get("id") or ""
        label = name or f"policy number {number}"
        if not name:
            found.append(f"{label} has no @id: a decision could not be traced back to it")
        elif name in seen:
            found.append(f"{label} is the @id of two policies")
        seen.add(name)
        scope = [policy[part]["op"] for part in ("principal", "action", "resource")]
        if policy["effect"] == "permit" and set(scope) == {"All"} and not policy["conditions"]:
            found.append(f"{label} permits everything to everybody")
        if policy["effect"] == "forbid" and ARITHMETIC & set(_operators(policy["conditions"])):
            found.append(
                f"{label} is a forbid that calculates: an overflow is an error, and a forbid that errors is skipped"
            )
    return found


def _each(policies: str) -> Iterator[tuple[int, Json]]:
    parsed = json.loads(cedarpy.policies_to_json_str(policies))
    yield from enumerate([*parsed["staticPolicies"].values(), *parsed["templates"].values()], start=1)


def _operators(part: Any) -> Iterator[str]:
    """Every key of a condition in Cedar's JSON form; operators are keys there."""
    if isinstance(part, dict):
        for key, value in part.items():
            yield key
            yield from _operators(value)
    elif isinstance(part, list):
        for value in part:
            yield from _operators(value)


def _texts(folder: Path) -> tuple[str, str]:
    """All policies and all schemas of a folder, as two texts."""
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no folder")

    def read(pattern: str) -> str:
        return "\n".join(path.read_text(encoding="utf-8") for path in sorted(folder.glob(pattern)))

    return read("*.cedar"), read("*.cedarschema")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    parser = argparse.ArgumentParser(description="Look through a folder of Cedar policies and their schema.")
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser("check", help="print findings; exit with 0 (none), 1 (some) or 2 (cannot read)")
    check.add_argument("folder", type=Path, help="holds *.cedar and *.cedarschema")
    options = parser.parse_args(arguments)
    try:
        policies, schema = _texts(options.folder)
    except (OSError, UnicodeDecodeError) as error:
        print(f"cannot be read: {error}", file=sys.stderr)
        return 2
    found = findings(policies, schema)
    print(*(found or ["nothing found"]), sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
