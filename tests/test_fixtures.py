"""The loopback services that labs share."""

import socket
import struct
import sys
import threading
import time
import urllib.request

import pytest
from conftest import ROOT

sys.path.insert(0, str(ROOT / "labs"))

from fixtures.package_index import Upload, serve, wheel  # noqa: E402 # the path above has to be set first

INDEX = {"public": [Upload(wheel("tidewire", "3.1.0"), None)]}


def test_an_index_serves_what_it_was_given_and_closes_its_port() -> None:
    before = threading.active_count()
    with serve(INDEX) as addresses:
        with urllib.request.urlopen(f"{addresses['public']}/tidewire/", timeout=5) as answer:
            assert b"tidewire-3.1.0" in answer.read()
        port = int(addresses["public"].split(":")[2].split("/")[0])
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), 1)
    assert threading.active_count() == before


def test_a_client_that_hangs_up_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Under load uv closes connections early; a traceback in a cell would make two runs differ."""
    with serve(INDEX) as addresses:
        port, path = addresses["public"].split(":")[2].split("/", 1)
        for _ in range(30):
            client = socket.create_connection(("127.0.0.1", int(port)))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.sendall(f"GET /{path}/tidewire/ HTTP/1.1\r\n\r\n".encode())
            client.close()
        time.sleep(0.3)
    assert capsys.readouterr().err == ""
