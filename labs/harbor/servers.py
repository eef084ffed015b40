"""The MCP servers of Harbor Goods, one function each: mailbox, orders, payments.

A server without `protection` asks nobody for a token. That is right in a test that talks to it
in memory, and wrong on a network. `middleware` is where an enforcement point goes
(enforcement.py): it sees each request before the server does.
"""

import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from types import CodeType
from typing import Any, TypedDict
from urllib.parse import urlsplit

from mcp.server import MCPServer
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import TokenVerifier
from mcp.server.auth.settings import AuthSettings
from mcp.server.context import ServerMiddleware
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.tools import Tool
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette

MAILBOX = "https://mailbox.harbor.example/mcp"
ORDERS = "https://orders.harbor.example/mcp"
PAYMENTS = "https://payments.harbor.example/mcp"

REFUND_LIMIT = 5_000  # cents; above it a person decides


@dataclass(frozen=True)
class Protection:
    """What makes an MCP server an OAuth resource server: its settings and who reads its tokens."""

    settings: AuthSettings
    verifier: TokenVerifier


@dataclass(frozen=True)
class Letter:
    """One mail in the shop's inbox."""

    sender: str
    subject: str
    body: str


@dataclass(frozen=True)
class Sent:
    """One mail that left the shop."""

    to: str
    subject: str
    body: str


@dataclass(frozen=True)
class Refund:
    """One row of the payments ledger: what was paid back, who asked, and through whom."""

    order: str
    cents: int
    asked_by: str
    through: str


@dataclass(frozen=True)
class Payment:
    """One row of the payments ledger: an invoice that was paid."""

    account: str
    cents: int
    reference: str


class Order(TypedDict):
    """One order: whose it is, what, where it goes, what it cost and what of that was refunded, in cents."""

    order: str
    customer: str
    item: str
    address: str
    total: int
    refunded: int


Refunder = Callable[[str, int], Awaitable[None]]
Middleware = Sequence[ServerMiddleware[Any]]


def mailbox(
    letters: Sequence[Letter],
    protection: Protection | None = None,
    *,
    outbox: list[Sent] | None = None,
    middleware: Middleware = (),
) -> MCPServer[Any]:
    """Read the shop's inbox and, with an `outbox`, send mail."""

    async def list_mail() -> list[str]:
        """List the inbox: sender and subject of each mail."""
        return [f"{letter.sender}: {letter.subject}" for letter in letters]

    async def read_mail(number: int) -> str:
        """Return the text of one mail, counted from 0."""
        if not 0 <= number < len(letters):
            raise ToolError(f"there is no mail {number}")
        return letters[number].body

    tools: list[Callable[..., Any]] = [list_mail, read_mail]
    if outbox is not None:

        async def send_mail(to: str, subject: str, body: str) -> str:
            """Send a mail from the shop's address."""
            outbox.append(Sent(to, subject, body))
            return "sent"

        tools.append(send_mail)
    return _server("mailbox", protection, middleware, tools)


def orders(
    database: sqlite3.Connection,
    pay: Refunder,
    protection: Protection | None = None,
    *,
    middleware: Middleware = (),
) -> MCPServer[Any]:
    """Look orders up, readdress them, and refund them: never more than was paid, and no refund above the limit."""

    async def get_order(order: str) -> Order:
        """Return one order: whose it is, what it is, where it goes, its cost and what of it was refunded, in cents."""
        row = database.execute(
            "SELECT id, customer, item, address, total, refunded FROM orders WHERE id = ?", (order,)
        ).fetchone()
        if row is None:
            raise ToolError(f"there is no order {order}")
        return Order(order=row[0], customer=row[1], item=row[2], address=row[3], total=row[4], refunded=row[5])

    async def change_address(order: str, address: str) -> str:
        """Send an order to another address."""
        changed = database.execute("UPDATE orders SET address = ? WHERE id = ?", (address, order))
        if not changed.rowcount:
            raise ToolError(f"there is no order {order}")
        return f"order {order} goes to {address}"

    async def refund_order(order: str, cents: int) -> str:
        """Refund part of an order to the customer who paid for it."""
        if not 0 < cents <= REFUND_LIMIT:
            raise ToolError("the refund is above the limit")
        # Noted before it is paid: a payment that fails must not be paid twice later.
        noted = database.execute(
            "UPDATE orders SET refunded = refunded + ? WHERE id = ? AND refunded + ? <= total", (cents, order, cents)
        )
        if not noted.rowcount:
            raise ToolError("there is no such order, or the refund is more than is left of it")
        await pay(order, cents)
        return f"refunded {cents} cents of order {order}"

    return _server("orders", protection, middleware, [get_order, change_address, refund_order])


def payments(
    ledger: list[Refund | Payment], protection: Protection | None = None, *, middleware: Middleware = ()
) -> MCPServer[Any]:
    """Pay money back, and pay invoices. It knows no limit: who may call it has to know one."""

    async def refund(order: str, cents: int) -> str:
        """Pay `cents` back to whoever paid for the order."""
        caller = get_access_token()
        subject = (caller.subject if caller else None) or "nobody"
        actor = ((caller.claims or {}) if caller else {}).get("act", {}).get("sub", subject)
        ledger.append(Refund(order, cents, asked_by=subject, through=actor))
        return "paid"

    async def pay_invoice(account: str, cents: int, reference: str) -> str:
        """Pay an invoice from the shop's own account."""
        ledger.append(Payment(account, cents, reference))
        return "paid"

    return _server("payments", protection, middleware, [refund, pay_invoice])


def order_book(rows: Iterable[Order]) -> sqlite3.Connection:
    """Return a database in memory with these orders."""
    database = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
    database.execute(
        "CREATE TABLE orders (id TEXT PRIMARY KEY, customer TEXT NOT NULL, item TEXT NOT NULL, address TEXT NOT NULL,"
        " total INTEGER NOT NULL, refunded INTEGER NOT NULL)"
    )
    database.executemany("INSERT INTO orders VALUES (:order, :customer, :item, :address, :total, :refunded)", rows)
    return database


def http_app(server: MCPServer[Any], url: str) -> Starlette:
    """Serve `server` at `url` over Streamable HTTP, for requests that name its own host only."""
    host = urlsplit(url).hostname or ""
    return server.streamable_http_app(
        streamable_http_path=urlsplit(url).path,
        json_response=True,
        stateless_http=True,
        transport_security=TransportSecuritySettings(
            enable_dns_rebinding_protection=True, allowed_hosts=[host], allowed_origins=[f"https://{host}"]
        ),
    )


def _server(
    name: str, protection: Protection | None, middleware: Middleware, tools: Sequence[Callable[..., Any]]
) -> MCPServer[Any]:
    # Making a server sets up logging for the whole process; at its usual level every HTTP request would be printed.
    given: dict[str, Any] = {
        "tools": [_tool(function) for function in tools],
        "log_level": "WARNING",
        "middleware": middleware,
    }
    if protection is None:
        return MCPServer(name, **given)
    return MCPServer(name, auth=protection.settings, token_verifier=protection.verifier, **given)


_TOOLS: dict[CodeType, Tool] = {}


def _tool(function: Callable[..., Any]) -> Tool:
    """The function as a tool. What follows from its signature is worked out once a process, for it takes milliseconds."""
    code = function.__code__
    if code not in _TOOLS:
        _TOOLS[code] = Tool.from_function(function)
    return _TOOLS[code].model_copy(update={"fn": function})
