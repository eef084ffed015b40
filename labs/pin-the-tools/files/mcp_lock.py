"""Lock what an MCP server says to your model, and notice when it says something else.

    python mcp_lock.py lock  tools.lock.json parcels https://parcels.example/mcp
    python mcp_lock.py check tools.lock.json parcels https://parcels.example/mcp
    python mcp_lock.py check tools.lock.json mailbox -- python mailbox_server.py

`parcels` is *your* name for the server; what the server calls itself is not used. For HTTP give its URL (and, if it
wants one, a bearer token in the environment as MCP_TOKEN); for stdio give `--` and the command.

lock   shows each definition that is not in the lock yet, or not in this form, and asks whether to lock it. It needs a
       person at a terminal: a lock that nobody read is a log. Commit the file, and have changes to it reviewed.
check  prints one line a finding: CHANGED, UNKNOWN, GONE. Run it each night, and before a deployment.

Exit code 0: nothing found; 1: something; 2: bad use, or the server could not be asked. It calls no tool.
It needs mcp 2.x and rfc8785, and covers the server's instructions, tools, prompts, resources and resource templates.

In an agent, at EVERY listing, and with the same listing that the model will see:

    tools, findings = await admitted(client, "parcels", load(Path("tools.lock.json")))

What it cannot see: what was bad when you read it; results and the contents of resources; what a tool does behind the
same words; fields of a definition that your mcp package does not know (your model does not see those either).
"""

import asyncio
import contextlib
import json
import logging
import os
import sys
from collections.abc import Callable, Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx2
import rfc8785
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

PAGES = 100  # a server that never stops paging must not keep the check from ending

Lock = dict[str, dict[str, str]]  # your name for the server -> "tool track" -> digest


class CannotAsk(Exception):
    """The server did not give a listing that can be judged."""


def digest(definition: Any) -> str:
    """SHA-256, in hex, over the RFC 8785 form of everything in `definition`. Raises ValueError when it has none."""
    return sha256(rfc8785.dumps(definition)).hexdigest()


def plain(text: str) -> str:
    """Return `text` with line ends, terminal codes and what is not ASCII as escapes: a name is foreign text as well."""
    return ascii(text)[1:-1]


def wire(item: Any) -> dict[str, Any]:
    """Return a definition as the protocol writes it; a field that is null is a field left out."""
    return dict(item.model_dump(mode="json", by_alias=True, exclude_none=True))


def judge(locked: dict[str, str], found: Iterable[tuple[str, Any]]) -> tuple[list[tuple[str, Any]], list[str]]:
    """Split what a server lists into what is locked in this form, and findings about the rest."""
    good, findings, seen = [], set(), set()
    for key, definition in found:
        seen.add(key)
        try:
            fits = locked.get(key) == digest(definition)
        except ValueError:
            fits = False  # a number or a character that no canonical JSON can hold
        if fits:
            good.append((key, definition))
        else:
            findings.add(f"{'CHANGED' if key in locked else 'UNKNOWN'} {plain(key)}")
    return good, sorted(findings | {f"GONE {plain(key)}" for key in locked.keys() - seen})


async def _pages(ask: Callable[..., Any], field: str) -> list[Any]:
    items: list[Any] = []
    cursor = None
    for _ in range(PAGES):
        page = await ask(cursor=cursor, cache_mode="bypass")
        items += getattr(page, field)
        cursor = page.next_cursor
        if not cursor:
            return items
    raise CannotAsk(f"the server's {field} did not end after {PAGES} pages")


async def definitions(client: Client) -> list[tuple[str, Any]]:
    """Return everything of a server that may end up before a model: a key and the definition, from the wire."""
    found: list[tuple[str, Any]] = []
    if client.instructions is not None:
        found.append(("instructions", client.instructions))
    offers = client.server_capabilities
    if offers.tools:
        found += [(f"tool {tool.name}", wire(tool)) for tool in await _pages(client.list_tools, "tools")]
    if offers.prompts:
        found += [(f"prompt {prompt.name}", wire(prompt)) for prompt in await _pages(client.list_prompts, "prompts")]
    if offers.resources:
        resources = await _pages(client.list_resources, "resources")
        templates = await _pages(client.list_resource_templates, "resource_templates")
        found += [(f"resource {item.uri}", wire(item)) for item in resources]
        found += [(f"template {item.uri_template}", wire(item)) for item in templates]
    return found


async def admitted(client: Client, server: str, lock: Lock) -> tuple[list[Any], list[str]]:
    """For your agent: the tools that the model may see now, and the findings about all the others."""
    tools = await _pages(client.list_tools, "tools")
    locked = {key: value for key, value in lock.get(server, {}).items() if key.startswith("tool ")}
    by_form = [(f"tool {tool.name}", wire(tool)) for tool in tools]
    good, findings = judge(locked, by_form)
    return [tool for tool, form in zip(tools, by_form, strict=True) if form in good], findings


def merge(locked: dict[str, str], found: list[tuple[str, Any]], approve: Callable[[str, Any], bool]) -> dict[str, str]:
    """Return the new lock of one server: what is still as locked, and of the rest what `approve` says yes to."""
    good, _ = judge(locked, found)
    new = {key: locked[key] for key, _ in good}
    for key, definition in found:
        if (key, definition) in good:
            continue
        if key in new:
            raise CannotAsk(f"the server lists {plain(key)} more than once, in different forms")
        if approve(key, definition):
            new[key] = digest(definition)
    return new


def shown(definition: Any) -> str:
    """A copy for reading: JSON in which every character outside ASCII is an escape that you can see."""
    return json.dumps(definition, indent=2, ensure_ascii=True)


def load(path: Path) -> Lock:
    """Read a lock file; no file is an empty lock. Raises ValueError when it is something else."""
    try:
        lock = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    if not isinstance(lock, dict) or not all(isinstance(entries, dict) for entries in lock.values()):
        raise ValueError("it is no lock file")
    return lock


def save(path: Path, lock: Lock) -> None:
    """Write a lock file that reads well in a diff."""
    path.write_text(json.dumps(lock, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _ask_at_terminal(key: str, definition: Any) -> bool:
    print(f"\n{plain(key)}\n{shown(definition)}")
    try:
        return input(f"Lock {plain(key)} in this form? [y/N] ").strip().lower() == "y"
    except EOFError:
        return False


async def _ask_server(target: list[str]) -> list[tuple[str, Any]]:
    async with contextlib.AsyncExitStack() as stack:
        if target[0] == "--":
            command = StdioServerParameters(command=target[1], args=target[2:])
            transport = stdio_client(command, errlog=sys.stderr)
        else:
            token = os.environ.get("MCP_TOKEN")
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            http = await stack.enter_async_context(httpx2.AsyncClient(headers=headers, timeout=20))
            transport = streamable_http_client(target[0], http_client=http)
        return await definitions(await stack.enter_async_context(Client(transport)))


def _reason(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def main(arguments: list[str]) -> int:
    """Run one command. Returns the exit code."""
    if len(arguments) < 4 or arguments[0] not in ("lock", "check") or arguments[3:] == ["--"]:
        print(__doc__, file=sys.stderr)
        return 2
    logging.disable(logging.CRITICAL)  # what could not be asked is said below, in one line
    verb, path, server, target = arguments[0], Path(arguments[1]), arguments[2], arguments[3:]
    if verb == "lock" and not sys.stdin.isatty():
        print("lock asks a person about each definition: run it at a terminal.", file=sys.stderr)
        return 2
    try:
        lock = load(path)
        found = asyncio.run(_ask_server(target))
        if verb == "lock":
            lock[server] = merge(lock.get(server, {}), found, _ask_at_terminal)
            save(path, lock)
            print(f"{len(lock[server])} of {len({key for key, _ in found})} definitions of {server} are locked.")
            return 0
        if server not in lock:
            print(f"{path.name} knows no server {server}.", file=sys.stderr)
            return 2
        _, findings = judge(lock[server], found)
    except (OSError, ValueError, CannotAsk, MCPError, httpx2.HTTPError, BaseExceptionGroup) as error:
        print(f"{server} could not be checked: {_reason(error)}", file=sys.stderr)
        return 2
    print("\n".join(findings) or f"{server}: as locked.")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
