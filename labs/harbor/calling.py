"""Call a tool of an MCP server over the in-process internet, with the SDK's own client.

await call(internet, MAILBOX, "list_mail", sign_in=SignIn(auth))   # fetches a token by itself
await call(internet, MAILBOX, "list_mail", token=token)            # shows a token it already has
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import httpx2
from labkit.waiting import innermost
from mcp import Client
from mcp.client.auth import TokenStorage
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken

from harbor.internet import Hook, Internet


class Denied(Exception):
    """The server answered 401 (this token does not count) or 403 (it lacks a scope)."""


class ScopeRefused(Exception):
    """A token request asked for other scopes than the client may have, and was not sent."""


class ToolFailed(Exception):
    """The tool ran and reported an error."""


@dataclass(frozen=True)
class SignIn:
    """How a client gets its tokens, and who looks at each request before it leaves."""

    auth: httpx2.Auth
    before_sending: tuple[Hook, ...] = ()


class MemoryStorage(TokenStorage):
    """Keep the token of one connection in memory."""

    def __init__(self) -> None:
        self.tokens: OAuthToken | None = None
        self.client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


def token_form(request: httpx2.Request) -> dict[str, str] | None:
    """Return the fields of a token request, None when `request` is another kind of request."""
    if request.headers.get("content-type") != "application/x-www-form-urlencoded":
        return None
    return dict(parse_qsl(request.content.decode()))


async def call(
    internet: Internet,
    server: str,
    tool: str,
    arguments: Mapping[str, Any] | None = None,
    *,
    sign_in: SignIn | None = None,
    token: str | None = None,
) -> Any:
    """Call one tool and return its result. Raises `Denied`, `ToolFailed`, or what signing in raises."""
    hooks = list(sign_in.before_sending) if sign_in else []
    try:
        async with internet.up(), internet.client(sign_in.auth if sign_in else None, hooks) as http:
            if sign_in is None:
                http.event_hooks["response"].append(_deny)
            if token is not None:
                http.headers["Authorization"] = f"Bearer {token}"
            async with Client(streamable_http_client(server, http_client=http), mode="2026-07-28") as client:
                result = await client.call_tool(tool, dict(arguments or {}))
    except BaseExceptionGroup as group:
        raise innermost(group) from None
    if result.is_error:
        raise ToolFailed(" ".join(block.text for block in result.content if block.type == "text"))
    content = result.structured_content or {}
    return content.get("result", content)


async def _deny(response: httpx2.Response) -> None:
    if response.status_code in (401, 403):
        await response.aread()
        raise Denied(f"{response.status_code} {response.json().get('error_description', '')}".strip())
