"""The Rule of Two for one conversation: what strangers wrote, whose data was read, and who may be told.

Copy this file next to your agent. One `Session` a conversation, kept where every tool call passes:

    session = Session()
    session.read(untrusted=True, owners={"bo@customers.example"})   # after a result, before the model sees it
    session.tell("bo@customers.example")                             # before a call that says something to someone

`tell` raises `ThirdThing` when the conversation holds text from strangers and data of anybody but the one
who is told. Nothing is ever forgotten within a session; a new conversation gets a new session.

Run it to see, and to test, all eight combinations:

    $ python rule_of_two.py

Rule of Two: Meta, 2025-10-31. The owner of the data as the measure is ours: a shop that may tell
nobody anything cannot answer a customer.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import product


class ThirdThing(Exception):
    """Untrusted text, private data and a way out in one conversation."""


@dataclass
class Session:
    """What one conversation has taken in so far."""

    untrusted: bool = False
    owners: set[str] = field(default_factory=set)

    def read(self, *, untrusted: bool, owners: Iterable[str] = ()) -> None:
        """Note what came in: whether a stranger had a hand in it, and whose data it is."""
        self.untrusted = self.untrusted or untrusted
        self.owners |= set(owners)

    def tell(self, recipient: str) -> None:
        """Pass when `recipient` may be told something now. Raises `ThirdThing`."""
        others = self.owners - {recipient}
        if self.untrusted and others:
            raise ThirdThing(
                f"this conversation holds text from strangers and data of {', '.join(sorted(others))}; "
                f"{recipient} may be told nothing in it"
            )


def main() -> None:
    """Print the eight combinations and check each."""
    print("untrusted  private  outgoing")
    for untrusted, private, outgoing in product((False, True), repeat=3):
        session = Session()
        session.read(untrusted=untrusted, owners={"bo"} if private else ())
        stopped = False
        try:
            if outgoing:
                session.tell("mallory")
        except ThirdThing:
            stopped = True
        marks = ["yes" if thing else "-" for thing in (untrusted, private, outgoing)]
        print(f"{marks[0]:<9}  {marks[1]:<7}  {marks[2]:<8}  {'stopped' if stopped else 'goes on'}")
        if stopped != (untrusted and private and outgoing):
            raise SystemExit("the table above is wrong")


if __name__ == "__main__":
    main()
