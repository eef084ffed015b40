"""Does your MCP server refuse tokens that were not made out to it? Run this against your own.

    MCP_TOKEN=...        a token made out to this server
    MCP_OTHER_TOKEN=...  a valid token of the same authorization server, made out to another service
    MCP_EXPIRED_TOKEN=.. optional: a token of this server from yesterday
    python check_mcp_auth.py https://mailbox.harbor.example/mcp https://id.harbor.example

Tokens come from the environment, so that they stay out of your shell's history; none is printed.
Each line of output is one finding. Exit code 0: none; 1: some; 2: bad use.
It calls no tool: it sends `server/discover` (MCP 2026-07-28) and reads status codes. It needs httpx2.

What it cannot see: a stolen token used at the server it belongs to, scopes that are too broad,
what your client does with its secret, and servers that run over stdio.
"""

import asyncio
import base64
import json
import os
import sys
from urllib.parse import urlsplit

import httpx2

BODY = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "server/discover",
    "params": {
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        }
    },
}
HEADERS = {
    "Accept": "application/json, text/event-stream",
    "MCP-Protocol-Version": "2026-07-28",
    "Mcp-Method": "server/discover",
}


async def findings(
    http: httpx2.AsyncClient, url: str, issuer: str, token: str, other: str, expired: str = ""
) -> list[str]:
    """Return one sentence for each way in which the server at `url` falls short."""
    found = []

    async def send(bearer: str | None) -> httpx2.Response:
        headers = HEADERS if bearer is None else {**HEADERS, "Authorization": f"Bearer {bearer}"}
        return await http.post(url, json=BODY, headers=headers)

    challenge = await send(None)
    if challenge.status_code != 401:
        found.append(f"Without a token it answers {challenge.status_code}, not 401: it asks nobody for a token.")
    if "resource_metadata=" not in challenge.headers.get("WWW-Authenticate", ""):
        found.append("Its 401 does not say where its metadata is (RFC 9728): set resource_server_url.")

    parts = urlsplit(url)
    where = f"{parts.scheme}://{parts.netloc}/.well-known/oauth-protected-resource{parts.path}"
    answer = await http.get(where)
    metadata = answer.json() if answer.status_code == 200 else {}
    if metadata.get("resource") != url:
        found.append(f"Its metadata names {metadata.get('resource')!r} as the resource, not {url!r}.")
    if metadata.get("authorization_servers") != [issuer]:
        found.append(f"Its metadata names {metadata.get('authorization_servers')} as issuers, not [{issuer!r}] alone.")

    if (status := (await send(token)).status_code) in (401, 403):
        found.append(f"It refuses its own token with {status}: the refusals below prove nothing.")

    header, _, rest = token.partition(".")
    payload, _, signature = rest.partition(".")
    unsigned = base64.urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).rstrip(b"=").decode()
    changed = ("B" if signature[:1] == "A" else "A") + signature[1:]
    wrong = {
        "a token made out to another service": other,
        "a token with a changed signature": f"{header}.{payload}.{changed}",
        "an unsigned token": f"{unsigned}.{payload}.",
        "an expired token": expired,
    }
    for what, bearer in wrong.items():
        if bearer and (status := (await send(bearer)).status_code) != 401:
            found.append(f"It answers {what} with {status}, not 401.")
    return found


async def main() -> int:
    """Check the server named on the command line."""
    try:
        url, issuer = sys.argv[1:]
        token, other = os.environ["MCP_TOKEN"], os.environ["MCP_OTHER_TOKEN"]
    except (ValueError, KeyError):
        print(__doc__, file=sys.stderr)
        return 2
    async with httpx2.AsyncClient(timeout=10) as http:
        found = await findings(http, url, issuer, token, other, os.environ.get("MCP_EXPIRED_TOKEN", ""))
    print("\n".join(found) or "Nothing found.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
