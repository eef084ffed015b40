"""Harbor's policy around every call of order-desk, finished: the control that the exercises of this lab build.

    point = EnforcementPoint({"policy": CedarPolicy()})

It asks cedar_gate.py with the rules in policies/. The principal is the person whose words are in the conversation, as
the mail server knows that person; the facts are the shop's own, asked anew at each call.
"""

import sys
from pathlib import Path
from typing import Any

from harbor.enforcement import Call, Control, Refused
from harbor.servers import Payment
from harbor.world import World

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from cedar_gate import Denied, Gate  # noqa: E402 # it lies beside this file

Json = dict[str, Any]

STAFF = {"tia@harbor.example"}
INVOICES = {"NW-17": ("billing@northwharf.example", "NW-HOUSE-01", 34_000)}  # supplier, account, cents


def entity(kind: str, name: str, parents: tuple[str, ...] = (), **attributes: Any) -> Json:
    """One entity in Cedar's JSON form."""
    groups = [{"type": "Group", "id": group} for group in parents]
    return {"uid": {"type": kind, "id": name}, "attrs": attributes, "parents": groups}


def person(address: str) -> Json:
    """Whoever has this address."""
    return entity("Person", address, ("staff",) if address in STAFF else (), address=address)


def _person_reference(address: str) -> Json:
    return {"__entity": {"type": "Person", "id": address}}


class CedarPolicy(Control):
    """Asks the gate about every call."""

    def __init__(self, gate: Gate | None = None) -> None:
        self.gate = gate or Gate.load(HERE / "policies")

    def open(self, world: World) -> None:
        self.world = world

    async def before(self, call: Call) -> None:
        given: Json = call.arguments
        context: Json = {}
        what: Json | None
        match call.tool:
            case "list_mail" | "read_mail":
                what = entity("Shop", "harbor")
            case "get_order" | "change_address":
                what = self._order(given.get("order"))
            case "refund_order" | "refund":
                what, context = self._order(given.get("order")), {"cents": given.get("cents")}
            case "send_mail":
                what = person(given["to"]) if isinstance(given.get("to"), str) else None
            case "pay_invoice":
                what = self._invoice(given.get("reference"))
                context = {"account": given.get("account"), "cents": given.get("cents")}
            case _:
                raise Refused(f"there is no rule about {call.tool}")
        if what is None:
            raise Refused("nothing is known about that")
        who = self._asker(call)
        try:
            self.gate.decide(_uid(who), call.tool, _uid(what), context, [who, what])
        except Denied as denied:
            raise Refused(str(denied)) from denied

    def _asker(self, call: Call) -> Json:
        """On whose behalf `call` would be made: whoever wrote all that was read."""
        writers: set[str | None] = set()
        for done in call.before:
            if done.tool == "list_mail":
                writers |= {letter.sender for letter in self.world.letters}
            if done.tool == "read_mail":
                writers.add(self._sender(done.arguments.get("number")))
        if not writers:
            return entity("Operator", "harbor")
        (writer, *others) = writers
        return entity("Several", "several") if others or writer is None else person(writer)

    def _sender(self, number: object) -> str | None:
        """Who wrote letter `number`; None for any other name than a plain number: the tool may take it for any letter."""
        if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < len(self.world.letters):
            return None
        return self.world.letters[number].sender

    def _order(self, number: object) -> Json | None:
        query = "SELECT id, customer, total - refunded FROM orders WHERE id = ?"
        row = self.world.book.execute(query, (number,)).fetchone() if isinstance(number, str) else None
        return entity("Order", row[0], owner=_person_reference(row[1]), open=row[2]) if row else None

    def _invoice(self, reference: object) -> Json | None:
        if not isinstance(reference, str) or reference not in INVOICES:
            return None
        if any(isinstance(row, Payment) and row.reference == reference for row in self.world.ledger):
            return None  # paid
        supplier, account, cents = INVOICES[reference]
        return entity("Invoice", reference, supplier=_person_reference(supplier), account=account, cents=cents)


def _uid(what: Json) -> tuple[str, str]:
    return what["uid"]["type"], what["uid"]["id"]
