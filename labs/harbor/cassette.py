"""Recorded exchanges with a model: asked once, answered from the file ever after.

    Model(url, name, key, transport=Recorder(path))       # asks the server and writes down what it says
    Model(url, name, transport=Player(path))              # answers from the file; no network

An exchange is found by method, path and body; a request that is not in the file is an error, never a
live call. The key is not written down.
"""

import hashlib
import json
from pathlib import Path

import httpx2


class NotRecorded(Exception):
    """The file holds no answer to this request."""


def fingerprint(request: httpx2.Request) -> str:
    """SHA-256 over method, path and body; a JSON body counts by content, not by spelling."""
    body = request.content
    try:
        body = json.dumps(json.loads(body), sort_keys=True).encode()
    except ValueError:
        pass  # No JSON: the bytes count as they are.
    return hashlib.sha256(b"\0".join([request.method.encode(), request.url.path.encode(), body])).hexdigest()


class Player(httpx2.AsyncBaseTransport):
    """Answers from the file at `path`. Raises `NotRecorded` for anything else."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._answers = json.loads(path.read_text(encoding="utf-8"))

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        await request.aread()
        answer = self._answers.get(fingerprint(request))
        if answer is None:
            raise NotRecorded(f"{self._path.name} holds no answer to this request: record it again with `Recorder`.")
        return httpx2.Response(200, json=answer)


class Recorder(httpx2.AsyncBaseTransport):
    """Passes requests on and writes each answer with status 200 to the file at `path`, which may exist."""

    def __init__(self, path: Path, upstream: httpx2.AsyncBaseTransport | None = None) -> None:
        self._path = path
        self._upstream = upstream or httpx2.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        await request.aread()
        response = await self._upstream.handle_async_request(request)
        await response.aread()
        if response.status_code == 200:
            answers = json.loads(self._path.read_text(encoding="utf-8")) if self._path.exists() else {}
            answers[fingerprint(request)] = response.json()
            self._path.write_text(json.dumps(answers, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        return response

    async def aclose(self) -> None:
        await self._upstream.aclose()
