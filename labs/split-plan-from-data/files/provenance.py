#!/usr/bin/env python3
"""Values that remember where they came from, and the rule that asks for each argument of a tool call.

    python provenance.py          plays an invoice through three readers and prints what was decided

Copy this file into your agent's host, the program that runs the plan and holds the tools:

    plan = Plan(read={"operator"})                      # what the planner had read when it wrote the plan
    rules = Rules({"pay": {"account": {"books", "operator"}, "cents": {"books", "operator", "owner"}}})
    gate = Gate()

    def pay(account, cents):                            # what the plan may call
        arguments = {"account": plan.argument(account), "cents": plan.argument(cents)}
        plain = rules.decide("pay", arguments)          # raises Refused, and names the argument
        gate.grant("pay", plain)                        # the enforcement point spends it once
        answer = call_the_tool("pay", plain)            # answers repeat arguments, so they come from there as well
        return combine(lambda *_: answer, *arguments.values())

Name sources after places, not after trust: "mail", "books", "operator". What a place is worth is the rule's business.
Run the plan in an interpreter in which it cannot open a Val. Needs Python 3.11 and nothing else; `as_cedar` writes the
same rules as Cedar policies, for a policy engine.

It does not cover: text that a person reads; a wrong value within the rules; how often and whether a tool is called (a tool
that fails tells the plan one bit, and so does the number of mails).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any


class Refused(Exception):
    """This may not happen. The text names tool, argument and sources, and never a value."""


@dataclass(frozen=True)
class Val:
    """A value and the places it came from. Whoever may not read it gets it wrapped, and passes it on."""

    data: Any
    sources: frozenset[str]

    def __repr__(self) -> str:
        return "Val()"


def sources_of(thing: Any) -> frozenset[str]:
    """Every source of `thing`, however deep it lies. Raises `Refused` for a kind of thing that nobody foresaw."""
    if type(thing) is Val:
        return thing.sources
    if type(thing) is dict:
        return sources_of([*thing.keys(), *thing.values()])
    if type(thing) in (list, tuple, set, frozenset):
        return frozenset().union(*(sources_of(item) for item in thing))
    if thing is None or type(thing) in (str, int, float, bool):
        return frozenset()
    raise Refused(f"a {type(thing).__name__} has no place here")


def bare(thing: Any) -> Any:
    """`thing` with every Val in it opened. For the host alone, after the rules."""
    if type(thing) is Val:
        return thing.data
    if type(thing) is dict:
        return {bare(name): bare(item) for name, item in thing.items()}
    if type(thing) in (list, tuple, set, frozenset):
        return type(thing)(bare(item) for item in thing)
    return thing


def combine(make: Callable[..., Any], *parts: Any) -> Val:
    """Compute with values: the result has the sources of every part, whatever it looks like."""
    return Val(make(*(bare(part) for part in parts)), sources_of(list(parts)))


class Plan:
    """One run of one plan: `knows` is the sources of all that the plan's words and turns depend on."""

    def __init__(self, read: Iterable[str]) -> None:
        self.knows = frozenset(read)

    def ask(self, test: Callable[..., Any], *parts: Any) -> bool:
        """Tell the plan one bit about values. From then on, whatever it does depends on them."""
        answer = combine(test, *parts)
        self.knows |= answer.sources
        return bool(answer.data)

    def argument(self, thing: Any) -> Val:
        """What the plan hands to a tool: its own sources, and those of what the plan knows."""
        return Val(bare(thing), sources_of(thing) | self.knows)


class Rules:
    """For each argument of each tool, the sources it may come from. What is not in the table may not happen."""

    def __init__(self, table: Mapping[str, Mapping[str, Iterable[str]]]) -> None:
        self.table = {tool: {name: frozenset(s) for name, s in rules.items()} for tool, rules in table.items()}

    def decide(self, tool: str, arguments: Mapping[str, Val]) -> dict[str, Any]:
        """Return the plain arguments. Raises `Refused` when one of them may not come from where it came from."""
        if tool not in self.table or set(arguments) != set(self.table[tool]):
            raise Refused(f"{tool}({', '.join(sorted(arguments))}) is not in the rules")
        for name, value in arguments.items():
            if not value.sources or not value.sources <= self.table[tool][name]:
                raise Refused(f"{tool}: {name} may not come from {', '.join(sorted(value.sources)) or 'nowhere'}")
        return {name: value.data for name, value in arguments.items()}

    def as_cedar(self) -> str:
        """The table as Cedar policies: one permit an argument, and Cedar denies the rest."""
        return "\n".join(
            f'permit (principal, action == Action::"{tool}", resource == Argument::"{name}")\n'
            f"when {{ !context.sources.isEmpty() && {_cedar_set(sources)}.containsAll(context.sources) }};"
            for tool, rules in self.table.items()
            for name, sources in rules.items()
        )


def _cedar_set(sources: Iterable[str]) -> str:
    return "[" + ", ".join(f'"{source}"' for source in sorted(sources)) + "]"


class Gate:
    """At the enforcement point: a call passes when exactly this call was decided before, and once."""

    def __init__(self) -> None:
        self._granted: list[tuple[str, dict[str, Any]]] = []

    def grant(self, tool: str, arguments: Mapping[str, Any]) -> None:
        """The rules have let this call through."""
        self._granted.append((tool, dict(arguments)))

    def spend(self, tool: str, arguments: Mapping[str, Any]) -> None:
        """Raises `Refused` for a call that no plan was granted."""
        call = (tool, dict(arguments))
        if call not in self._granted:
            raise Refused(f"{tool} was not called by a plan")
        self._granted.remove(call)


def demonstration() -> list[str]:
    """An honest reader, one that changes the payee, one that changes the amount; three plans."""
    books = {"NW-17": {"account": "NW-HOUSE-01", "cents": 34_000}}
    rules = Rules({"pay": {"account": {"books", "operator"}, "cents": {"books", "operator", "owner"}}})
    readers = {
        "honest reader": {"account": "NW-HOUSE-01", "cents": 34_000, "reference": "NW-17"},
        "other payee": {"account": "XX-MALLORY-99", "cents": 34_000, "reference": "NW-17"},
        "other amount": {"account": "NW-HOUSE-01", "cents": 5_000_000, "reference": "NW-17"},
    }
    lines = []
    for name, form in readers.items():
        bill = {field: Val(data, frozenset({"mail"})) for field, data in form.items()}
        found = {field: Val(data, frozenset({"books"})) for field, data in books[bill["reference"].data].items()}
        plans = {
            "pay what the mail says": bill,
            "known payee, amount of the mail": {"account": found["account"], "cents": bill["cents"]},
            "pay the open invoice": found,
        }
        for told, chosen in plans.items():
            plan = Plan(read={"operator"})
            try:
                plain = rules.decide("pay", {field: plan.argument(chosen[field]) for field in ("account", "cents")})
                lines.append(f"{name}, {told}: paid {plain['cents'] / 100:.2f} to {plain['account']}")
            except Refused as refusal:
                lines.append(f"{name}, {told}: refused ({refusal})")
    return lines


if __name__ == "__main__":
    print(*demonstration(), sep="\n")
