"""An internet in one process: host names, the apps behind them, and no sockets.

    internet = Internet()
    internet.add("id.harbor.example", identity.app)
    async with internet.up(), internet.client() as http:
        await http.get("https://id.harbor.example/jwks")

The clients are real httpx2 clients; only the last step, the socket, is replaced by a call of
the ASGI app. A host that nobody added does not exist, so no request can leave the process.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx2
from starlette.applications import Starlette

if TYPE_CHECKING:
    import httpx

Hook = Callable[[httpx2.Request], Awaitable[None]]


@dataclass(frozen=True)
class Exchange:
    """One request and the status it was answered with; `mcp` is its MCP method when it has one."""

    method: str
    url: str
    status: int
    mcp: str = ""

    def __str__(self) -> str:
        return f"{self.status}  {self.method:<4} {self.url}  {self.mcp}".rstrip()


class Internet:
    """Host names and how to make the app behind each.

    An app is made afresh each time the internet comes up, because an MCP app can run once
    only. State that has to last (a mailbox, a ledger) therefore lives outside the app.
    `trace` holds every exchange since the internet last came up.
    """

    def __init__(self) -> None:
        self.trace: list[Exchange] = []
        self._makers: dict[str, Callable[[], Starlette]] = {}
        self._running: dict[str, Starlette] = {}

    def add(self, host: str, make: Callable[[], Starlette]) -> None:
        """Put an app behind `host` (a name or a URL on it), in place of any that was there."""
        self._makers[urlsplit(host).hostname or host] = make

    @asynccontextmanager
    async def up(self) -> AsyncIterator[None]:
        """Start every app, and stop them at the end. Inside another `up` this does nothing."""
        if self._running:
            yield
            return
        self.trace.clear()
        async with AsyncExitStack() as stack:
            for host, make in self._makers.items():
                app = make()
                await stack.enter_async_context(app.router.lifespan_context(app))
                self._running[host] = app
            try:
                yield
            finally:
                self._running.clear()

    def client(self, auth: httpx2.Auth | None = None, before_sending: Sequence[Hook] = ()) -> httpx2.AsyncClient:
        """Return an HTTP client for this internet; each hook sees every request before it leaves."""

        async def note(response: httpx2.Response) -> None:
            request = response.request
            self.trace.append(
                Exchange(request.method, str(request.url), response.status_code, request.headers.get("mcp-method", ""))
            )

        return httpx2.AsyncClient(
            transport=_NoSuchHost(),
            mounts={f"all://{host}": httpx2.ASGITransport(app=app) for host, app in self._running.items()},
            auth=auth,
            event_hooks={"request": list(before_sending), "response": [note]},
        )

    def httpx_client(self) -> "httpx.AsyncClient":
        """Return the same client for a library that still speaks httpx and not httpx2, as a2a-sdk 1.3.0 does."""
        import httpx  # here, so that labs without such a library do not load it

        async def note(response: httpx.Response) -> None:
            self.trace.append(Exchange(response.request.method, str(response.request.url), response.status_code))

        def no_such_host(request: httpx.Request) -> httpx.Response:
            raise httpx.ConnectError(f"no such host: {request.url.host}", request=request)

        return httpx.AsyncClient(
            transport=httpx.MockTransport(no_such_host),
            mounts={f"all://{host}": httpx.ASGITransport(app=app) for host, app in self._running.items()},
            event_hooks={"response": [note]},
        )


class _NoSuchHost(httpx2.AsyncBaseTransport):
    """Where requests to unknown hosts end."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError(f"no such host: {request.url.host}", request=request)
