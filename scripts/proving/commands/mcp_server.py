"""mcp_server.py: the course for a developer's agent, over MCP."""

import argparse
import sys

from proving.display import complain
from proving.paths import checkout


def main(arguments: list[str]) -> int:
    """Serve until the client leaves. Standard output belongs to the protocol. Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="mcp_server.py",
        description="Let an agent search and read the course: a read-only MCP server over standard input and output.",
        epilog="A client starts it with: python3 scripts/mcp_server.py",
    )
    parser.parse_args(arguments)
    tree = checkout()
    if not any(tree.docs.rglob("*.md")):
        complain(f"{tree.docs} holds no page: this copy of Proving Ground is incomplete, get it anew.")
        return 2
    if sys.stdin.isatty():
        complain("Waiting for an MCP client on standard input; give your client the command above. Stop with Ctrl-C.")
    from proving import knowledge_server

    try:
        knowledge_server.run(tree.root)
    except (KeyboardInterrupt, BrokenPipeError):
        return 0
    return 0
