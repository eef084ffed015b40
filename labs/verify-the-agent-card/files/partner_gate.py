"""A gate between your agent and your partners' agents: no message leaves without a key, a budget and an open door.

    gate = PartnerGate("partner-gate.db", Bounds(per_case=4, cents_per_day=450_000))

    message = gate.before("northwharf", case, {"order": "HX-12", "pieces": 1}, cents=4_500)
    accepted = False
    try:
        answer = await send(message)
        accepted = "accepted" in answer
    finally:
        gate.after("northwharf", accepted)

`case` comes from your mail or ticket program and `cents` from your price list; neither may come from a model or from an answer.
`Stopped` means that the message stays here and a person looks at the case. `before` adds a `key` to whatever costs money: the
same for the same case and the same WANT fields, on each try and after each restart.

The counts lie in an SQLite file, so they outlast a restart, and all workers that use the file share them. From a shell:

    python partner_gate.py partner-gate.db                     doors that are shut, money of today
    python partner_gate.py partner-gate.db open northwharf     after you have telephoned
    python partner_gate.py partner-gate.db release northwharf "case 2201"     four more messages for this case

Exit code 0: all doors open; 1: one is shut; 2: bad use. It needs Python 3.11 and nothing else.

What it cannot see: a partner that says yes and delivers nothing; effects that cost no message of yours; a new case for each turn,
when letters by the partner open cases. A day is a day in UTC.
"""

import hashlib
import json
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DAY = 86_400
WANT = ("order", "pieces")  # the fields of a message that say what you want; a reference or a counter is none
TABLES = """
create table if not exists sent (partner text, called text, n integer, primary key (partner, called));
create table if not exists spent (partner text, day integer, cents integer, primary key (partner, day));
create table if not exists door (partner text primary key, failures integer, shut integer);
"""


class Stopped(Exception):
    """The message was not sent. Its text says why, for the person who looks at the case."""


@dataclass(frozen=True)
class Bounds:
    """How much may happen before a person looks. Choose them for the worst night: what can you pay for and send back?"""

    per_case: int = 4  # messages of one case to one partner
    cents_per_day: int = 450_000  # orders to one partner, one day
    failures: int = 3  # in a row, at one partner, over all cases
    cool_down: int = 1_800  # seconds until one message goes out as a trial


class PartnerGate:
    """What every message to a partner passes. The state lies in the file, so several of these may share it."""

    def __init__(self, path: str | Path, bounds: Bounds | None = None) -> None:
        self.path, self.bounds = path, bounds or Bounds()
        with self._all_or_nothing() as db:
            for statement in TABLES.split(";"):
                db.execute(statement)

    def before(
        self, partner: str, case: str, message: dict[str, Any], cents: int = 0, now: float | None = None
    ) -> dict[str, Any]:
        """Return the message to send, with a key when it costs something; or raise `Stopped`. What is stopped does not count."""
        if cents < 0:
            raise ValueError("a message that costs less than nothing would widen the budget")
        now = time.time() if now is None else now
        day = int(now // DAY)
        with self._all_or_nothing() as db:
            (shut,) = _one(db, "select shut from door where partner = ?", partner) or (None,)
            if shut is not None and now < shut + self.bounds.cool_down:
                raise Stopped(
                    f"{partner} has failed too often; next trial in {shut + self.bounds.cool_down - now:.0f} s"
                )
            (sent,) = _one(db, "select n from sent where partner = ? and called = ?", partner, case) or (0,)
            if sent >= self.bounds.per_case:
                raise Stopped(f"{case} has sent {sent} messages to {partner}")
            (spent,) = _one(db, "select cents from spent where partner = ? and day = ?", partner, day) or (0,)
            if spent + cents > self.bounds.cents_per_day:
                raise Stopped(f"{case} would bring today's orders at {partner} to {(spent + cents) / 100:.2f}")
            db.execute("insert or replace into sent values (?, ?, ?)", (partner, case, sent + 1))
            db.execute("insert or replace into spent values (?, ?, ?)", (partner, day, spent + cents))
            if shut is not None:  # this one is the trial; the next waits for its outcome, or for another cool-down
                db.execute("update door set shut = ? where partner = ?", (int(now), partner))
        return {**message, "key": key_of(partner, case, message)} if cents else dict(message)

    def after(self, partner: str, accepted: bool, now: float | None = None) -> None:
        """Note how a message ended. No answer, a no and "send it again" are all not accepted."""
        now = time.time() if now is None else now
        with self._all_or_nothing() as db:
            if accepted:
                db.execute("delete from door where partner = ?", (partner,))
                return
            failures, shut = _one(db, "select failures, shut from door where partner = ?", partner) or (0, None)
            if failures + 1 >= self.bounds.failures:
                shut = int(now)
            db.execute("insert or replace into door values (?, ?, ?)", (partner, failures + 1, shut))

    def open(self, partner: str) -> None:
        """A person has telephoned: open the door."""
        with self._all_or_nothing() as db:
            db.execute("delete from door where partner = ?", (partner,))

    def release(self, partner: str, case: str) -> None:
        """A person has looked at the case: it may send as many messages again. Its key stays the same."""
        with self._all_or_nothing() as db:
            db.execute("delete from sent where partner = ? and called = ?", (partner, case))

    def state(self, now: float | None = None) -> tuple[list[str], list[str]]:
        """Return the partners whose door is shut, and a line on the money of today for each partner."""
        day = int((time.time() if now is None else now) // DAY)
        with self._all_or_nothing() as db:
            shut = [name for (name,) in db.execute("select partner from door where shut is not null order by partner")]
            rows = db.execute("select partner, cents from spent where day = ? order by partner", (day,)).fetchall()
        return shut, [
            f"{name}: {cents / 100:.2f} of {self.bounds.cents_per_day / 100:.2f} today" for name, cents in rows
        ]

    @contextmanager
    def _all_or_nothing(self) -> Iterator[sqlite3.Connection]:
        """Look and count in one transaction that no other worker can get between."""
        with closing(sqlite3.connect(self.path, timeout=10, isolation_level=None)) as db:
            db.execute("begin immediate")
            try:
                yield db
            except BaseException:
                db.execute("rollback")
                raise
            db.execute("commit")


def key_of(partner: str, case: str, message: dict[str, Any]) -> str:
    """The name of a want: the same for each try, another for another case. Wholly yours; nothing of an answer is in it."""
    want = [partner, case, *([name, message[name]] for name in WANT if name in message)]
    return hashlib.sha256(json.dumps(want).encode()).hexdigest()[:32]


def _one(db: sqlite3.Connection, query: str, *values: object) -> Any:
    return db.execute(query, values).fetchone()


def main(arguments: list[str]) -> int:
    """Show the state, open a door, or release a case."""
    match arguments:
        case [path] if Path(path).is_file():
            pass
        case [path, "open", partner] if Path(path).is_file():
            PartnerGate(path).open(partner)
        case [path, "release", partner, case] if Path(path).is_file():
            PartnerGate(path).release(partner, case)
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    shut, money = PartnerGate(path).state()
    print(
        "\n".join([*[f"{name}: door shut" for name in shut], *money])
        or "All doors are open, and nothing was spent today."
    )
    return 1 if shut else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
