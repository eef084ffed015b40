"""The MCP servers of Harbor Goods, one function each: mailbox, orders, payments.

A server without `protection` asks nobody for a token. That is right in a test that talks to it
in memory, and wrong on a network.
"""

import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from mcp.server import MCPServer
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import TokenVerifier
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver.exceptions import ToolError
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
class Refund:
    """One row of the payments ledger: what was paid, who asked, and through whom."""

    order: str
    cents: int
    asked_by: str
    through: str


Refunder = Callable[[str, int], Awaitable[None]]


def mailbox(letters: Sequence[Letter], protection: Protection | None = None) -> MCPServer[Any]:
    """Read the shop's inbox."""
    server = _server("mailbox", protection)

    @server.tool()
    async def list_mail() -> list[str]:
        """List the inbox: sender and subject of each mail."""
        return [f"{letter.sender}: {letter.subject}" for letter in letters]

    @server.tool()
    async def read_mail(number: int) -> str:
        """Return the text of one mail, counted from 0."""
        if not 0 <= number < len(letters):
            raise ToolError(f"there is no mail {number}")
        return letters[number].body

    return server


def orders(database: sqlite3.Connection, pay: Refunder, protection: Protection | None = None) -> MCPServer[Any]:
    """Look orders up, and refund them: never more than was paid, and no refund above the limit."""
    server = _server("orders", protection)

    @server.tool()
    async def get_order(order: str) -> dict[str, int]:
        """Return what an order cost and what of it was refunded, in cents."""
        row = database.execute("SELECT total, refunded FROM orders WHERE id = ?", (order,)).fetchone()
        if row is None:
            raise ToolError(f"there is no order {order}")
        return {"total": row[0], "refunded": row[1]}

    @server.tool()
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

    return server


def payments(ledger: list[Refund], protection: Protection | None = None) -> MCPServer[Any]:
    """Pay money back. It knows no limit: who may call it has to know one."""
    server = _server("payments", protection)

    @server.tool()
    async def refund(order: str, cents: int) -> str:
        """Pay `cents` back to whoever paid for the order."""
        caller = get_access_token()
        subject = (caller.subject if caller else None) or "nobody"
        actor = ((caller.claims or {}) if caller else {}).get("act", {}).get("sub", subject)
        ledger.append(Refund(order, cents, asked_by=subject, through=actor))
        return "paid"

    return server


def order_book(rows: Sequence[tuple[str, str, int]]) -> sqlite3.Connection:
    """Return a database in memory with these orders: id, customer, total in cents."""
    database = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
    database.execute(
        "CREATE TABLE orders (id TEXT PRIMARY KEY, customer TEXT NOT NULL, total INTEGER NOT NULL,"
        " refunded INTEGER NOT NULL DEFAULT 0)"
    )
    database.executemany("INSERT INTO orders (id, customer, total) VALUES (?, ?, ?)", rows)
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


def _server(name: str, protection: Protection | None) -> MCPServer[Any]:
    if protection is None:
        return MCPServer(name)
    return MCPServer(name, auth=protection.settings, token_verifier=protection.verifier)
