"""serve.py: from a fresh checkout to a readable site, with one command."""

import argparse
import errno
import functools
import http.server
import sys
import threading
import webbrowser

from proving.commands.build import attempt, interrupted
from proving.display import complain, say
from proving.paths import checkout

HOST = "127.0.0.1"


def main(arguments: list[str]) -> int:
    """Build what has changed, serve it on loopback until interrupted. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="serve.py", description=__doc__)
    parser.add_argument("--port", type=int, default=8000, help="port on 127.0.0.1 (default 8000; 0 takes any free one)")
    parser.add_argument("--open", action="store_true", help="open the browser")
    parser.add_argument("--fresh", action="store_true", help="prove every lab again, whatever the cache holds")
    options = parser.parse_args(arguments)
    tree = checkout()
    # The port first: nobody should wait for a build that then cannot be served.
    handler = functools.partial(_Quiet, directory=str(tree.site))
    try:
        server = _Server((HOST, options.port), handler)
    except (OSError, OverflowError) as error:
        taken = isinstance(error, OSError) and error.errno in (errno.EADDRINUSE, errno.EACCES)
        why = "is taken or not yours" if taken else "cannot be used"
        complain(
            f"Port {options.port} {why}. Choose another: python3 scripts/serve.py --port {options.port + 1 if 0 < options.port < 65535 else 8000}"
        )
        return 2
    with server:
        try:
            outcome = attempt(tree, reuse=not options.fresh)
        except KeyboardInterrupt:
            return interrupted("serve.py")
        if not (tree.site / "index.html").exists():
            return 1
        if not outcome.current:
            complain("What follows is the site as it was built before.")
        address = f"http://{HOST}:{server.server_port}/"
        say(f"Proving Ground is at {address} (stop with Ctrl-C)")
        if options.open:
            threading.Timer(0.2, webbrowser.open, [address]).start()
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            say("\nStopped.")
    return 0


class _Server(http.server.ThreadingHTTPServer):
    # Windows would share a port that another program serves, and say nothing.
    allow_reuse_address = sys.platform != "win32"


class _Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files, prints nothing, and lets the browser ask again after a rebuild."""

    def log_message(self, format: str, *args: object) -> None:
        return

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()
