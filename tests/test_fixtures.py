"""The loopback services that labs share."""

import re
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest
import uv
from conftest import ROOT

sys.path.insert(0, str(ROOT / "labs"))

from fixtures.package_index import Upload, isolated, readdressed, serve, wheel  # noqa: E402 # the path above has to be set first

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


UNREADABLE = """
[project]
name = "project"
version = "1"
requires-python = ">=3.11"
dependencies = ["tidewire"]

[[tool.uv.index]]
name = "public"
url = "http://127.0.0.1:9/public/simple"
default = true

[tool.uv.exclude-newer-package]
tidewire = 2026-11-22T09:31:00Z
"""


@pytest.mark.parametrize(
    "command",
    [
        [uv.find_uv_bin(), "lock"],
        [sys.executable, "-I", "-m", "pip", "install", "--dry-run", "--target", "site", "tidewire"],
    ],
    ids=["uv", "pip"],
)
def test_a_tool_left_to_its_defaults_asks_no_real_index(command: list[str], tmp_path: Path) -> None:
    """uv ignores all settings of a file with one that it cannot read, and then goes by its defaults."""
    (tmp_path / "pyproject.toml").write_text(UNREADABLE, encoding="utf-8")
    done = subprocess.run(
        command, cwd=tmp_path, env=isolated(tmp_path), capture_output=True, text=True, check=False, timeout=60
    )
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert command[1] != "lock" or "during settings discovery" in said
    assert not set(re.findall(r"[\w-]+(?:\.[\w-]+)*\.(?:org|com|net|io|dev)\b", said)), said
    assert set(re.findall(r"https?://([^/:\s']+)", said)) <= {"127.0.0.1"}, said


def test_a_tool_trusts_no_authority_of_the_callers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the caller trusts: a lab reaches nothing by TLS, and reading certificates is a third of a start of uv."""
    mine = {"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"}
    for name in mine:
        monkeypatch.setenv(name, str(tmp_path / "mine.pem"))
    environment = isolated(tmp_path)
    assert not mine & environment.keys()
    assert list(Path(environment["SSL_CERT_DIR"]).iterdir()) == []


SHOWN = {"https://packages.harbor.example/simple": "http://127.0.0.1:1/harbor/simple"}


def test_a_shown_address_becomes_a_loopback_one() -> None:
    assert (
        readdressed('url = "https://packages.harbor.example/simple"', SHOWN)
        == 'url = "http://127.0.0.1:1/harbor/simple"'
    )


@pytest.mark.parametrize(
    "text",
    [
        'url = "https://index.example/simple"',
        "--index-url http://index.example/simple",
        "tidewire @ git+ssh://git@index.example/tidewire",
        'http-proxy = "proxy.example:3128"',
        'no-proxy = ["*"]',
    ],
)
def test_another_address_or_a_proxy_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match=r"there is (an address|a proxy)") as refused:
        readdressed(text, SHOWN)
    assert "index.example" not in str(refused.value)
    assert "proxy.example" not in str(refused.value)
