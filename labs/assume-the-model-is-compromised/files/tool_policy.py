"""Bound what an agent can do in one conversation, whatever its model wants.

    python tool_policy.py rules.json calls.jsonl

replays recorded tool calls and says which would have been refused: what the policy would have cost you last
week, before you switch it on. It exits with 0 when nothing is refused, 1 when something is, 2 on bad use.

rules.json says how much one conversation may move, whom you pay, and what each tool is. A tool that is not
listed is refused.

    {
      "bound": 50000,
      "known": ["NW-HOUSE-01"],
      "tools": {
        "list_mail":    "free",
        "set_password": "person",
        "pay_invoice":  {"recipient": "account", "amount": "cents"},
        "refund_order": {"amount": "cents"}
      }
    }

"free" passes, "person" never does (a person does it elsewhere). For the others, `recipient` names the argument
that must hold a known recipient, `amount` the argument that counts. `known` comes from your own books, never
from anything the agent reads. All amounts are in one unit, and have to be numbers from 0 up.

calls.jsonl holds one call a line, in their order:

    {"conversation": "2026-11-25/7", "tool": "pay_invoice", "arguments": {"account": "NW-HOUSE-01", "cents": 34000}}

In the agent, ask `ToolPolicy.reason` at the one place that every call passes, and make the call only when the
answer is "". What it does not cover: where mail is sent and what it says; calls that change an amount set
earlier, such as a standing order (make them "person"); several conversations, each within the bound.
"""

import json
import math
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

Arguments = Mapping[str, Any]


class ToolPolicy:
    """The rules. Raises `ValueError` when they are no rules."""

    def __init__(self, bound: float, known: Iterable[str], tools: Mapping[str, Any]) -> None:
        self.bound, self.known, self.tools = bound, frozenset(known), tools
        if not _is_amount(bound):
            raise ValueError(f"the bound is {bound!r}; give a number from 0 up")
        for tool, rule in tools.items():
            if rule not in ("free", "person") and not (
                isinstance(rule, dict) and rule and rule.keys() <= {"recipient", "amount"}
            ):
                raise ValueError(f"the rule of {tool} is {rule!r}; use free, person, or recipient and amount")

    def reason(self, tool: str, arguments: Arguments, before: Iterable[tuple[str, Arguments]] = ()) -> str:
        """Why this call is refused, "" when it is not. `before`: the calls this conversation has made."""
        rule = self.tools.get(tool, "person")
        if rule == "free":
            return ""
        if rule == "person":
            return f"{tool} is not for the agent: a person does it"
        if "recipient" in rule and not self._knows(arguments.get(rule["recipient"])):
            return f"{tool}: the recipient is not one we know"
        if "amount" in rule:
            if not _is_amount(arguments.get(rule["amount"])):
                return f"{tool}: {rule['amount']} has to be a number from 0 up"
            total = sum(self._counts(*call) for call in (*before, (tool, arguments)))
            if total > self.bound:
                return f"{tool}: this conversation would move {total:.15g}, the bound is {self.bound:.15g}"
        return ""

    def _knows(self, recipient: object) -> bool:
        return isinstance(recipient, str) and recipient in self.known

    def _counts(self, tool: str, arguments: Arguments) -> float:
        rule = self.tools.get(tool)
        amount = arguments.get(rule["amount"], 0) if isinstance(rule, dict) and "amount" in rule else 0
        return amount if _is_amount(amount) else 0


def replay(policy: ToolPolicy, lines: Iterable[str]) -> Iterable[tuple[str, str, str]]:
    """Yield (conversation, tool, reason) of each recorded call; a call that is refused does not count."""
    made: dict[str, list[tuple[str, Arguments]]] = {}
    for line in lines:
        if not line.strip():
            continue
        call = json.loads(line)
        before = made.setdefault(str(call["conversation"]), [])
        reason = policy.reason(call["tool"], call["arguments"], before)
        if not reason:
            before.append((call["tool"], call["arguments"]))
        yield str(call["conversation"]), call["tool"], reason


def _is_amount(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and value >= 0


def main(arguments: list[str]) -> int:
    if len(arguments) != 2:
        print("Use: python tool_policy.py rules.json calls.jsonl", file=sys.stderr)
        return 2
    try:
        policy = ToolPolicy(**json.loads(Path(arguments[0]).read_text(encoding="utf-8")))
        calls = list(replay(policy, Path(arguments[1]).read_text(encoding="utf-8").splitlines()))
    except (OSError, ValueError, TypeError, KeyError) as error:
        print(f"Cannot read that: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    refused = [call for call in calls if call[2]]
    for conversation, _, reason in refused:
        print(f"{conversation}: {reason}")
    print(f"{len(calls)} calls, {len(refused)} refused")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
