"""Does your MCP server answer to strangers, and how much can its tools be told? Run this against your own.

    python check_mcp_server.py http://127.0.0.1:8000/mcp
    MCP_TOKEN=... python check_mcp_server.py https://orders.harbor.example/mcp
    python check_mcp_server.py --headers-decide http://127.0.0.1:8000/mcp

Each line of output is one finding. Exit code 0: none; 1: some; 2: bad use. A token comes from the environment and is never
printed. It calls no tool: it sends `server/discover` and `tools/list` (MCP 2026-07-28). It needs httpx2.

`--headers-decide` is for an address at which a gateway decides by `Mcp-Name`: there, requests of older revisions, whose
headers no server compares with the body, have to be refused as well.

Run it from the machine itself, and then from a second one: what should be local must not answer there at all.

What it cannot see: whether a tool does what it says, what its results contain, who else holds your token, and servers on stdio.
"""

import asyncio
import json
import os
import sys

import httpx2

META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
# How a conversation began until revision 2025-11-25.
OLDER = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "check", "version": "1"}}
STRANGER = "stranger.invalid"
# Names of arguments that have been programs, in tools that were meant to be harmless.
TELLING = (
    "sql",
    "query",
    "where",
    "filter",
    "cmd",
    "command",
    "shell",
    "script",
    "code",
    "path",
    "file",
    "url",
    "expression",
)


def loose_arguments(tool: dict) -> list[str]:
    """Name each argument of one tool, as tools/list shows it, that is a text or a number without bounds."""
    found = []
    for name, schema in tool.get("inputSchema", {}).get("properties", {}).items():
        kind = schema.get("type")
        if any(key in schema for key in ("enum", "const", "$ref", "anyOf", "oneOf")):
            continue
        if kind == "string" and not ({"pattern", "maxLength", "format"} & schema.keys()):
            word = next((word for word in TELLING if word in name.lower()), None)
            found.append(f"{tool['name']}.{name} is any text" + (f", and by its name a {word}." if word else "."))
        if kind in ("integer", "number"):
            low = {"minimum", "exclusiveMinimum"} & schema.keys()
            high = {"maximum", "exclusiveMaximum"} & schema.keys()
            if not (low and high):
                found.append(f"{tool['name']}.{name} is any number: give it a least and a greatest value.")
    return found


async def findings(http: httpx2.AsyncClient, url: str, token: str = "", headers_decide: bool = False) -> list[str]:
    """Return one sentence for each way in which the server at `url` is too open."""
    found: list[str] = []

    async def send(method: str, **headers: str) -> httpx2.Response:
        ours = {"Accept": "application/json, text/event-stream"}
        if token:
            ours["Authorization"] = f"Bearer {token}"
        params = OLDER
        if method != "initialize":
            ours |= {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": method}
            params = {"_meta": META}
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return await http.post(
            url, json=body, headers=ours | {name.replace("_", "-"): v for name, v in headers.items()}
        )

    honest = await send("server/discover")
    if honest.status_code != 200:
        return [f"An honest server/discover is answered {honest.status_code}: what follows would prove nothing."]

    answer = await send("server/discover", Host=STRANGER)
    if answer.status_code < 400:
        found.append(f"It answers {answer.status_code} to Host: {STRANGER}: write allowed_hosts.")
    for origin in (f"https://{STRANGER}", "null"):
        if (status := (await send("server/discover", Origin=origin)).status_code) != 403:
            found.append(f"It answers {status}, not 403, to Origin: {origin}: write allowed_origins.")
    if (status := (await send("tools/list", Mcp_Method="server/discover")).status_code) != 400:
        found.append(f"It answers {status}, not 400, when the header names another method than the body.")
    if headers_decide and (status := (await send("initialize")).status_code) < 400:
        found.append(
            f"It answers {status} to a client of an older revision, whose headers no server compares with the body."
        )

    for tool in _json(await send("tools/list")).get("result", {}).get("tools", []):
        found += loose_arguments(tool)
    return found


def _json(answer: httpx2.Response) -> dict:
    """The JSON of an answer, also when it comes as a stream of events."""
    if "text/event-stream" not in answer.headers.get("content-type", ""):
        return answer.json()
    data = [line.removeprefix("data:") for line in answer.text.splitlines() if line.startswith("data:")]
    return json.loads(data[-1]) if data else {}


async def main() -> int:
    """Check the server named on the command line."""
    given = [argument for argument in sys.argv[1:] if argument != "--headers-decide"]
    if len(given) != 1 or given[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        async with httpx2.AsyncClient(timeout=10) as http:
            found = await findings(http, given[0], os.environ.get("MCP_TOKEN", ""), "--headers-decide" in sys.argv)
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
        print(f"{given[0]} gave no answer that can be read: {error}", file=sys.stderr)
        return 2
    print("\n".join(found) or "Nothing found.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
