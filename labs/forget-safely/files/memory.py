"""A memory for an agent that knows whose words it holds. SQLite, standard library only.

    from memory import Memory, Origin

    with Memory("memory.db", life={"staff:": 365, None: 14}, trusted={"staff:"}) as memory:
        memory.remember("Ada likes blue.", [Origin("ada@customers.example", "mail 4711", day=20781)])
        memory.recall("ada@customers.example", today=20789)     # for Ada's conversation
        memory.recall(None, today=20789)                        # for one about nobody alone
        memory.forget(who="mallory@attacker.example")           # and everything derived from her words
        memory.expire(today=20789)

Four rules, all from the origins of a note:
  scope      a note is recalled when each of its origins is trusted or is the one the conversation is about
  expiry     an origin is good for `life` days from its own day; the first that ends ends the note
  deriving   give a summary the origins of all that its writer had read: [*memory.origins(1), *memory.origins(2)]
  forgetting a note that has an origin of this `who` or `place` is deleted whole, and overwritten in the file

Your code names origins, from its own records (who is signed in, what the mail server says). Never take one
from the model or from the text. Put the conversation in as a place, and you can forget a conversation.
Names in `trusted` must not be names that a sender can have: "staff:" is no mail address.
A day is any whole number that grows by one a day, such as `date.today().toordinal()`.

    python memory.py memory.db show [--who NAME]        every note with its origins
    python memory.py memory.db forget --who NAME        or --place PLACE; says how many notes
    python memory.py memory.db expire --life staff:=365 --life 14 [--today DAY]

Exit code 0: done; 1: nothing matched; 2: bad use.

What it does not do: it does not make a note true, it does not know your backups, logs, search indexes and sent
answers, and it does not decide what a conversation may do with what it recalled.
"""

import argparse
import sqlite3
import sys
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import NamedTuple

SCHEMA = """
CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS origins (
    note INTEGER NOT NULL, who TEXT NOT NULL, place TEXT NOT NULL, day INTEGER NOT NULL,
    PRIMARY KEY (note, who, place, day)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS origins_who ON origins (who);
CREATE INDEX IF NOT EXISTS origins_place ON origins (place);
"""


class Origin(NamedTuple):
    """Whose words, where they were read, and on which day they were written down first."""

    who: str
    place: str
    day: int


class Note(NamedTuple):
    """One note, as it is recalled."""

    id: int
    text: str


class NoOrigin(ValueError):
    """A note without an origin is not kept."""


class Memory:
    """The notes in one file. Use it as a context manager, or call `close`."""

    def __init__(self, path: str | Path, *, life: Mapping[str | None, int], trusted: Iterable[str]) -> None:
        """`life`: days by author, None for everybody else. `trusted`: authors whose notes are for every conversation."""
        if None not in life:
            raise ValueError("life needs an entry None: the days for everybody who is not named")
        self._life, self.trusted = dict(life), frozenset(trusted)
        self._db = sqlite3.connect(path, isolation_level=None)
        # Overwrite what is deleted. No write-ahead log: it would keep copies until it is truncated.
        self._db.execute("PRAGMA secure_delete = ON")
        self._db.execute("PRAGMA journal_mode = DELETE")
        self._db.executescript(SCHEMA)

    def __enter__(self) -> "Memory":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._db.close()

    def remember(self, text: str, origins: Iterable[Origin]) -> int:
        """Keep a note and return its id; the same text twice is two notes. Raises `NoOrigin` when there is none."""
        rows = sorted(set(origins))
        if not rows:
            raise NoOrigin("a note needs at least one origin")
        with self._transaction():
            note = self._db.execute("INSERT INTO notes (text) VALUES (?)", (text,)).lastrowid
            self._db.executemany("INSERT INTO origins VALUES (?, ?, ?, ?)", [(note, *row) for row in rows])
        assert note is not None
        return note

    def recall(self, about: str | None, *, today: int) -> list[Note]:
        """The notes for a conversation about `about` (None: about nobody alone), oldest first."""
        if about in self.trusted:
            raise ValueError(f"{about!r} is a trusted author, and no conversation is about one; say None")
        found = []
        for note, text in self._db.execute("SELECT id, text FROM notes ORDER BY id").fetchall():
            origins = self.origins(note)
            in_scope = all(origin.who in self.trusted or origin.who == about for origin in origins)
            if origins and in_scope and not self._ended(origins, today):
                found.append(Note(note, text))
        return found

    def origins(self, note: int) -> frozenset[Origin]:
        """Where a note comes from; give them to whatever you write from it."""
        rows = self._db.execute("SELECT who, place, day FROM origins WHERE note = ?", (note,))
        return frozenset(Origin(*row) for row in rows)

    def forget(self, *, who: str | None = None, place: str | None = None) -> int:
        """Delete every note with this origin and return how many. Raises `ValueError` unless exactly one is named."""
        if (who is None) == (place is None):
            raise ValueError("name a who or a place, and not both")
        condition, value = ("who = ?", who) if place is None else ("place = ?", place)
        rows = self._db.execute(f"SELECT DISTINCT note FROM origins WHERE {condition}", (value,)).fetchall()
        return self._delete([note for (note,) in rows])

    def expire(self, *, today: int) -> int:
        """Delete what has ended, and notes without an origin; return how many."""
        notes = [note for (note,) in self._db.execute("SELECT id FROM notes").fetchall()]
        ended = [note for note in notes if not (found := self.origins(note)) or self._ended(found, today)]
        return self._delete(ended)

    def everything(self) -> list[tuple[Note, list[Origin]]]:
        """Every note with its origins, for a person to read."""
        rows = self._db.execute("SELECT id, text FROM notes ORDER BY id").fetchall()
        return [(Note(*row), sorted(self.origins(row[0]))) for row in rows]

    def _ended(self, origins: Iterable[Origin], today: int) -> bool:
        return any(origin.day + self._life.get(origin.who, self._life[None]) <= today for origin in origins)

    def _delete(self, notes: list[int]) -> int:
        with self._transaction():
            self._db.executemany("DELETE FROM origins WHERE note = ?", [(note,) for note in notes])
            self._db.executemany("DELETE FROM notes WHERE id = ?", [(note,) for note in notes])
        return len(notes)

    def _transaction(self) -> sqlite3.Connection:
        self._db.execute("BEGIN IMMEDIATE")
        return self._db  # as a context manager it commits, or rolls back on an error


def _life(entries: list[str]) -> dict[str | None, int]:
    life: dict[str | None, int] = {}
    for entry in entries:
        who, separator, days = entry.rpartition("=")
        life[who if separator else None] = int(days)
    return life


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns its exit code."""
    parser = argparse.ArgumentParser(description="Show, forget and expire an agent's notes.")
    parser.add_argument("file", type=Path)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("show").add_argument("--who")
    forgetting = commands.add_parser("forget").add_mutually_exclusive_group(required=True)
    forgetting.add_argument("--who")
    forgetting.add_argument("--place")
    expiring = commands.add_parser("expire")
    expiring.add_argument("--life", action="append", required=True, help="AUTHOR=DAYS, or DAYS for everybody else")
    expiring.add_argument("--today", type=int, default=date.today().toordinal())
    asked = parser.parse_args(arguments)
    if not asked.file.is_file():
        parser.error(f"{asked.file} does not exist")
    try:
        life = _life(asked.life if asked.command == "expire" else ["0"])
        memory = Memory(asked.file, life=life, trusted=())
    except ValueError as error:
        parser.error(str(error))
    with memory:
        if asked.command == "show":
            shown = [entry for entry in memory.everything() if asked.who in (None, *(o.who for o in entry[1]))]
            for note, origins in shown:
                print(f"{note.id}: {note.text!r}")
                for origin in origins:
                    print(f"    {origin.who}, {origin.place}, day {origin.day}")
            return 0 if shown else 1
        if asked.command == "forget":
            count = memory.forget(who=asked.who, place=asked.place)
        else:
            count = memory.expire(today=asked.today)
    print(f"{count} notes deleted")
    return 0 if count else 1


if __name__ == "__main__":
    sys.exit(main())
