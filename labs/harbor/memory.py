"""The memory of order-desk: an MCP server with two tools, and what a conversation knows about whose words it has read.

    conversation = Conversation(origins_of, Records(...), "ada@customers.example", today=8, name="8/0")
    point = EnforcementPoint({"memory": conversation})
    server = memory(notes, conversation, middleware=[point.guard("memory")])

The model says what to remember. It does not say where that came from, and not for whom it recalls:
both are known to the code that opened the conversation. Days are numbers; nobody reads a clock.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypedDict

from mcp.server import MCPServer

from harbor.enforcement import Call, Control, Done
from harbor.servers import Letter, Middleware, Order

# Two that are no mail address, so that no sender can be called that.
STAFF = "staff:"  # signed in at Harbor's own admin page, or the operator's task
UNKNOWN = "unknown:"  # nobody can say


class Origin(NamedTuple):
    """Whose words, where they were read, and on which day they were written down first."""

    who: str
    place: str
    day: int


class Note(NamedTuple):
    """One note, as it is recalled."""

    id: int
    text: str


class Notes(Protocol):
    """Where notes are kept."""

    def remember(self, text: str, origins: frozenset[Origin]) -> int:
        """Keep a note and return its id."""

    def recall(self, customer: str | None, today: int) -> Sequence[Note]:
        """The notes for a conversation about this customer (None: about nobody alone)."""


@dataclass(frozen=True)
class Records:
    """What Harbor's own systems know about the origin of a text, for the conversations of one day."""

    letters: Sequence[Letter]
    orders: Sequence[Order]
    noted: Mapping[int, frozenset[Origin]] | Callable[[int], frozenset[Origin]]
    today: int

    def of_mail(self, number: object) -> Origin:
        """Who wrote this mail, as the mail server has it; UNKNOWN for what is not the number of one."""
        sender = UNKNOWN
        if isinstance(number, int) and not isinstance(number, bool) and 0 <= number < len(self.letters):
            sender = self.letters[number].sender
        return Origin(sender, f"mail {self.today}/{number}", self.today)

    def of_inbox(self) -> frozenset[Origin]:
        """Who wrote the mails of the inbox: a list of subjects is their text as well."""
        return frozenset(self.of_mail(number) for number in range(len(self.letters)))

    def of_order(self, order: object) -> Origin:
        """Whose order this is, as the order book has it: what stands in it is the customer's text."""
        owner = next((row["customer"] for row in self.orders if row["order"] == order), UNKNOWN)
        return Origin(owner, f"order {order}", self.today)

    def of_note(self, note: int) -> frozenset[Origin]:
        """The origins that were stored with a note."""
        return self.noted(note) if callable(self.noted) else self.noted[note]


OriginsOf = Callable[[Done, Records], set[Origin]]


@dataclass
class Conversation(Control):
    """One conversation: for which customer it was opened, and the origins of everything read in it so far.

    A control of the enforcement point, so it sees each result before the model does. An enforcement point
    that lives longer keeps one of these: set `customer`, `name` and `records` before its `begin`.
    """

    origins_of: OriginsOf
    records: Records
    customer: str | None
    today: int
    name: str
    read: set[Origin] = field(default_factory=set)

    def begin(self, task: str) -> None:
        place = f"conversation {self.name}"
        # The task names the customer's address, which the customer chose: it is the customer's text as well.
        self.read = {Origin(who, place, self.today) for who in (STAFF, self.customer) if who is not None}

    async def after(self, call: Call, result: str) -> None:
        self.read |= self.origins_of(Done(call.server, call.tool, call.arguments, result), self.records)


class Recalled(TypedDict):
    """What `recall` returns."""

    notes: list[dict[str, Any]]


def memory(notes: Notes, conversation: Conversation, *, middleware: Middleware = ()) -> MCPServer[Any]:
    """Remember and recall. A note gets the origins of all that its conversation has read."""
    server: MCPServer[Any] = MCPServer("memory", log_level="WARNING", middleware=middleware)

    @server.tool()
    async def remember(text: str) -> str:
        """Keep a note for later conversations."""
        notes.remember(text, frozenset(conversation.read))
        return "noted"

    @server.tool()
    async def recall() -> Recalled:
        """Return the notes of earlier conversations."""
        found = notes.recall(conversation.customer, conversation.today)
        return Recalled(notes=[{"note": note.id, "text": note.text} for note in found])

    return server


def origins_of(done: Done, records: Records) -> set[Origin]:
    """The origins of what one call has brought into the conversation, for the tools of Harbor Goods."""
    match done.tool:
        case "list_mail":
            return set(records.of_inbox())
        case "read_mail":
            number = done.arguments.get("number")
            if isinstance(number, str) and number.isdecimal():
                number = int(number)  # The tool takes "1" for 1.
            return {records.of_mail(number)}
        case "get_order":
            return {records.of_order(str(done.arguments.get("order")))}
        case "recall" if done.result.startswith("{"):  # A call that failed has a text that is no JSON.
            notes = json.loads(done.result)["notes"]
            return {origin for note in notes for origin in records.of_note(note["note"])}
        case "remember" | "send_mail" | "change_address" | "refund_order" | "refund" | "pay_invoice":
            return set()  # Their results say nothing that was not in the conversation before.
    return {Origin(UNKNOWN, done.tool, records.today)}
