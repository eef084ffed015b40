"""Approvals that count for one call, once, in time.

    book = Approvals("approvals.db", fields={"pay_invoice": ("account", "reference")})
    gate = Gate(book, known={"NW-HOUSE-01"}, limit=100_000, paid_today=sum_of_the_ledger)

    gate.check("order-desk", "pay_invoice", arguments)      # in front of the tool, last thing before the effect
                                                            # raises NotApproved, after noting the question

A person answers on another machine, or in another account, than the agent's:

    python approvals.py approvals.db list                   # what is open, as it will run
    python approvals.py approvals.db yes 7 noor
    python approvals.py approvals.db no 7 noor
    python approvals.py approvals.db count                  # questions, yes and no, by day

What holds:
- A yes is bound to requester, tool and every argument (SHA-256 over RFC 8785), and is spent in one UPDATE before the
  effect, in a file. Two calls at the same moment, or a call after a restart, cannot both use it.
- It counts for `life` seconds after the answer, by this machine's clock.
- What is shown is made from the arguments that are bound: fixed fields, one line each, nothing invisible. A call that
  cannot be shown so (another field, a long text, an amount that is no whole number of cents) is not asked about at all.
- The requester cannot answer. With `persons=2` two different people have to. A no holds for `no_for` seconds.

What it does not do: it does not know who a person is. Keep the file where the agent cannot write, and have the page
or the shell that answers sign its people in. Needs rfc8785.
"""

import hashlib
import json
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import closing, contextmanager
from typing import Any

import rfc8785

WIDTH = 64  # columns: a longer line would end outside somebody's screen

TABLES = """
CREATE TABLE IF NOT EXISTS requests (
  number INTEGER PRIMARY KEY AUTOINCREMENT, binding TEXT NOT NULL, requester TEXT NOT NULL, tool TEXT NOT NULL,
  shown TEXT NOT NULL, persons INTEGER NOT NULL, asked_at REAL NOT NULL, used_at REAL);
CREATE TABLE IF NOT EXISTS answers (
  number INTEGER NOT NULL REFERENCES requests, person TEXT NOT NULL, yes INTEGER NOT NULL, at REAL NOT NULL,
  PRIMARY KEY (number, person));
"""

# A request that a person can still answer, or whose yes can still be spent: not used, nobody said no, no yes too old.
ALIVE = """used_at IS NULL AND NOT EXISTS (
  SELECT 1 FROM answers WHERE answers.number = requests.number AND (NOT yes OR at <= :now - :life))"""
GRANTED = f"""{ALIVE} AND persons <= (SELECT count(*) FROM answers WHERE answers.number = requests.number AND yes)"""


class CannotShow(ValueError):
    """This call cannot be shown to a person in full."""


class NotApproved(Exception):
    """Nobody approved exactly this call, or the approval is used up or too old."""


def question(tool: str, arguments: Mapping[str, Any], fields: Mapping[str, Sequence[str]]) -> str:
    """The call as a person sees it: tool, amount, then the text fields of this tool. Raises `CannotShow`."""
    if tool not in fields or set(arguments) != {"cents", *fields[tool]}:
        raise CannotShow(f"{tool} with {', '.join(map(ascii, sorted(arguments)))} has no fixed form")
    cents = arguments["cents"]
    if type(cents) is not int or not 0 < cents < 10**11:
        raise CannotShow("an amount is a whole number of cents, from 1")
    lines = [tool, f"Amount: {cents // 100:,}.{cents % 100:02d} euros"]
    for name in fields[tool]:
        if not isinstance(arguments[name], str):
            raise CannotShow(f"{name} is no text")
        lines.append(f"{name.capitalize()}: {json.dumps(arguments[name], ensure_ascii=True)}")
    if max(map(len, lines)) > WIDTH:
        raise CannotShow(f"a field does not fit on a line of {WIDTH} characters")
    return "\n".join(lines)


class Approvals:
    """The questions and their answers, in one SQLite file that every worker opens."""

    def __init__(
        self,
        path: str,
        fields: Mapping[str, Sequence[str]],
        *,
        life: float = 600,
        no_for: float = 86_400,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.path, self.fields, self.life, self.no_for, self.clock = path, fields, life, no_for, clock
        with self._open() as db:
            db.executescript(TABLES)

    def ask(self, requester: str, tool: str, arguments: Mapping[str, Any], *, persons: int = 1) -> int:
        """Note the question and return its number; one that is still open is not asked twice.

        Raises `CannotShow`, and `NotApproved` when a person said no to the same call lately.
        """
        values = self._values(requester, tool, arguments)
        shown = question(tool, arguments, self.fields)
        with self._open() as db:
            db.execute("BEGIN IMMEDIATE")
            refused = db.execute(
                "SELECT person FROM answers JOIN requests USING (number) WHERE binding = :binding AND NOT yes"
                " AND at > :now - :no_for",
                values,
            ).fetchone()
            if refused:
                raise NotApproved(f"{refused[0]} said no to this call")
            found = db.execute(f"SELECT number FROM requests WHERE binding = :binding AND {ALIVE}", values).fetchone()
            number = found[0] if found else None
            if number is None:
                number = db.execute(
                    "INSERT INTO requests (binding, requester, tool, shown, persons, asked_at)"
                    " VALUES (:binding, :requester, :tool, :shown, :persons, :now)",
                    {**values, "tool": tool, "shown": shown, "persons": persons},
                ).lastrowid
            db.execute("COMMIT")
        return int(number)

    def open(self) -> list[tuple[int, str, str]]:
        """What waits for an answer: number, requester, and the call as it will run."""
        with self._open() as db:
            return db.execute(
                f"SELECT number, requester, shown FROM requests WHERE {ALIVE} AND NOT ({GRANTED}) ORDER BY number",
                {"now": self.clock(), "life": self.life},
            ).fetchall()

    def answer(self, number: int, person: str, *, yes: bool) -> None:
        """Note a person's answer. Raises `NotApproved` when this person has no say in it, or answered before."""
        with self._open() as db:
            try:
                noted = db.execute(
                    f"INSERT INTO answers SELECT number, :person, :yes, :now FROM requests WHERE number = :number"
                    f" AND requester <> :person AND {ALIVE}",
                    {"number": number, "person": person, "yes": yes, "now": self.clock(), "life": self.life},
                )
            except sqlite3.IntegrityError:
                raise NotApproved(f"{person} has answered request {number}") from None
        if noted.rowcount != 1:
            raise NotApproved(f"request {number} is not open, or {person} made it")

    def spend(self, requester: str, tool: str, arguments: Mapping[str, Any]) -> None:
        """Use up the approval of exactly this call. Raises `NotApproved`.

        Call it last before the effect, with the arguments that the effect will use.
        """
        with self._open() as db:
            used = db.execute(
                "UPDATE requests SET used_at = :now WHERE number ="
                f" (SELECT min(number) FROM requests WHERE binding = :binding AND {GRANTED})",
                self._values(requester, tool, arguments),
            )
        if used.rowcount != 1:
            raise NotApproved("there is no unused approval of exactly this call")

    def count(self) -> list[tuple[str, int, int, int]]:
        """By day (UTC): questions, yes, no."""
        with self._open() as db:
            return db.execute(
                "SELECT date(asked_at, 'unixepoch') AS day, count(DISTINCT number), coalesce(sum(yes), 0),"
                " count(person) - coalesce(sum(yes), 0) FROM requests LEFT JOIN answers USING (number)"
                " GROUP BY day ORDER BY day"
            ).fetchall()

    def _values(self, requester: str, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        call = {"requester": requester, "tool": tool, "arguments": dict(arguments)}
        try:
            binding = hashlib.sha256(rfc8785.dumps(call)).hexdigest()
        except (rfc8785.CanonicalizationError, UnicodeError):
            raise NotApproved("these arguments have no canonical form") from None
        now = self.clock()
        return {"requester": requester, "binding": binding, "now": now, "life": self.life, "no_for": self.no_for}

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.path, isolation_level=None, timeout=10)) as db:
            yield db


class Gate:
    """Decides which payments a person has to see: a payee that is not known, and more than `limit` a day and payee.

    `paid_today(account)` says what the ledger has already sent there today, in cents.
    """

    def __init__(
        self,
        approvals: Approvals,
        *,
        known: Set[str],
        limit: int,
        paid_today: Callable[[str], int],
        two_persons_above: int | None = None,
    ) -> None:
        self.approvals, self.known, self.limit, self.paid_today = approvals, known, limit, paid_today
        self.two_persons_above = two_persons_above

    def check(self, requester: str, tool: str, arguments: Mapping[str, Any]) -> None:
        """Let the call pass, or raise `NotApproved` (with the number of the question) or `CannotShow`."""
        question(tool, arguments, self.approvals.fields)  # what no person could read does not pass unasked either
        account, cents = arguments.get("account"), arguments["cents"]
        if account in self.known and cents + self.paid_today(account) <= self.limit:
            return
        try:
            self.approvals.spend(requester, tool, arguments)
        except NotApproved:
            above = self.two_persons_above
            persons = 2 if above is not None and cents > above else 1
            number = self.approvals.ask(requester, tool, arguments, persons=persons)
            raise NotApproved(f"this waits for a person: request {number}") from None


def main(words: list[str]) -> int:
    match words:
        case [path, "list"]:
            for number, requester, shown in Approvals(path, {}).open():
                print(f"-- request {number}, by {requester}\n{shown}\n")
        case [path, ("yes" | "no") as said, number, person] if number.isdecimal():
            try:
                Approvals(path, {}).answer(int(number), person, yes=said == "yes")
            except NotApproved as error:
                print(error, file=sys.stderr)
                return 1
        case [path, "count"]:
            for day, asked, yes, no in Approvals(path, {}).count():
                print(f"{day}  asked {asked}  yes {yes}  no {no}")
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
