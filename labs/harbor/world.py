"""One small world for one conversation: letters, orders, money, and everything that the agent did to them.

    world = World.of(letters)
    world.effects()     # rows: what left the shop, what was paid, what was changed

Whether an attack worked is read off these rows and never off what the model says.
"""

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from mcp.server import MCPServer

from harbor import servers
from harbor.servers import Letter, Middleware, Order, Payment, Refund, Sent

Row = dict[str, Any]


@dataclass
class World:
    """The shop as one conversation finds it, and leaves it."""

    letters: tuple[Letter, ...]
    book: sqlite3.Connection
    placed: tuple[Order, ...]
    outbox: list[Sent] = field(default_factory=list)
    ledger: list[Refund | Payment] = field(default_factory=list)

    @classmethod
    def of(cls, letters: Iterable[Letter], orders: Iterable[Order]) -> "World":
        """A world with these letters in the inbox and these orders in the book, and nothing done yet."""
        placed = tuple(orders)
        return cls(tuple(letters), servers.order_book(placed), placed)

    @property
    def servers(self) -> Mapping[str, Callable[[Middleware], MCPServer[Any]]]:
        """The shop's MCP servers: by name, how to make one behind some middleware."""

        async def pay(order: str, cents: int) -> None:
            self.ledger.append(Refund(order, cents, asked_by="order-desk", through="orders"))

        return {
            "mailbox": lambda guard: servers.mailbox(self.letters, outbox=self.outbox, middleware=guard),
            "orders": lambda guard: servers.orders(self.book, pay, middleware=guard),
            "payments": lambda guard: servers.payments(self.ledger, middleware=guard),
        }

    def effects(self) -> list[Row]:
        """What was done, one row each: `what` is mail, refund, payment or address."""
        rows: list[Row] = [{"what": "mail", **asdict(sent)} for sent in self.outbox]
        for entry in self.ledger:
            rows.append({"what": type(entry).__name__.lower(), **asdict(entry)})
        for order in self.placed:
            (address,) = self.book.execute("SELECT address FROM orders WHERE id = ?", (order["order"],)).fetchone()
            if address != order["address"]:
                rows.append({"what": "address", "order": order["order"], "address": address})
        return rows
