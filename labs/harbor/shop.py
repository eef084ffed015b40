"""Harbor Goods put together: identity provider, three MCP servers, their data.

    shop = open_shop(protect, payments_token)
    await call(shop.internet, MAILBOX, "list_mail", sign_in=...)

The two arguments are the two decisions about tokens that a lab may change: how each server
is protected, and which token `orders` shows to `payments`.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import httpx2
from joserfc.jwk import KeySet
from mcp.server import MCPServer
from mcp.server.auth.middleware.auth_context import get_access_token

from harbor import servers
from harbor.calling import call
from harbor.identity import Credentials, Exchange, IdentityProvider
from harbor.internet import Internet
from harbor.servers import MAILBOX, ORDERS, PAYMENTS, Letter, Order, Payment, Protection, Refund

PARCELS = "https://parcels.example/mcp"  # Parcel Pigeon: another company's MCP server, used by order-desk

Protect = Callable[[str, list[str], KeySet], Protection]
PaymentsToken = Callable[[str, Credentials, httpx2.AsyncClient], Awaitable[str]]


@dataclass(frozen=True)
class Shop:
    """The running shop: what a lab talks to, and where it reads what happened."""

    internet: Internet
    identity: IdentityProvider
    desk: Credentials  # of the agent order-desk
    clerk: Credentials  # of the server orders, when it acts as a client of payments
    letters: tuple[Letter, ...]
    ledger: list[Refund | Payment] = field(default_factory=list)


LETTERS = (
    Letter("ada@customers.example", "Jacket too small", "Order 1001 does not fit. Please refund 20 euros."),
    Letter("bank@ourbank.example", "Your code for the payout portal", "Canary: this line stands for a secret."),
)
ORDER_BOOK = (
    Order(order="1001", customer="ada@customers.example", item="jacket", address="", total=7_900, refunded=0),
    Order(order="1003", customer="mallory@customers.example", item="socks", address="", total=2_500, refunded=0),
)


def open_shop(
    protect: Protect, payments_token: PaymentsToken, orders_scopes: Sequence[str] = ("orders.write",)
) -> Shop:
    """Build a shop of its own: fresh keys, fresh secrets, an empty ledger.

    `orders_scopes` are what `orders` wants of its callers: more than its own when it forwards their token.
    """
    identity = IdentityProvider(resources=[MAILBOX, ORDERS, PAYMENTS, PARCELS])
    desk = identity.register("order-desk", ["mail.read", "orders.write", "parcels.read", "payments.refund"])
    exchange = Exchange(ORDERS, PAYMENTS, frozenset({"payments.read", "payments.refund"}))
    clerk = identity.register("orders", ["payments.refund"], exchange)
    shop = Shop(Internet(), identity, desk, clerk, LETTERS)
    book = servers.order_book(ORDER_BOOK)

    async def pay(order: str, cents: int) -> None:
        caller = get_access_token()
        async with shop.internet.client() as http:
            token = await payments_token(caller.token if caller else "", shop.clerk, http)
        await call(shop.internet, PAYMENTS, "refund", {"order": order, "cents": cents}, token=token)

    def add(url: str, scopes: Sequence[str], build: Callable[[Protection], MCPServer[Any]]) -> None:
        @cache  # A server outlives its app, and making one takes as long as five calls of it.
        def server() -> MCPServer[Any]:
            return build(protect(url, list(scopes), identity.keys))

        shop.internet.add(url, lambda: servers.http_app(server(), url))

    shop.internet.add(identity.issuer, identity.app)
    add(MAILBOX, ["mail.read"], lambda protection: servers.mailbox(shop.letters, protection))
    add(ORDERS, orders_scopes, lambda protection: servers.orders(book, pay, protection))
    add(PAYMENTS, ["payments.refund"], lambda protection: servers.payments(shop.ledger, protection))
    return shop
