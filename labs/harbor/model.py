"""The model behind an OpenAI-compatible interface: the worst case by default, a real one on request.

    async with worst_case() as model:           # no network, no key, always the same
        message = await model.complete(messages, tools)
    from_environment()                          # any OpenAI-compatible server; None when none is named

`complete` sends one `POST /chat/completions` and returns the assistant's message. What answers is
either a server somewhere or `answer`, the worst case, behind the same HTTP client.
"""

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import httpx2

from harbor.obedience import next_call

Json = dict[str, Any]

URL_VARIABLE = "HARBOR_MODEL_URL"  # https://host/v1
NAME_VARIABLE = "HARBOR_MODEL_NAME"
KEY_VARIABLE = "HARBOR_MODEL_KEY"  # sent as a bearer token; may be left out


class Model:
    """One model of one server. Use it as an async context manager: leaving it closes its connections."""

    def __init__(self, url: str, name: str, key: str = "", transport: httpx2.AsyncBaseTransport | None = None) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self.name = name
        self._http = httpx2.AsyncClient(base_url=url, headers=headers, transport=transport, timeout=60)

    async def __aenter__(self) -> "Model":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def complete(self, messages: Sequence[Json], tools: Sequence[Json]) -> Json:
        """Return the assistant's next message. Raises `httpx2.HTTPError` when the server does not answer with 200."""
        request = {"model": self.name, "messages": list(messages), "tools": list(tools), "temperature": 0}
        answer = await self._http.post("/chat/completions", json=request)
        answer.raise_for_status()
        message: Json = answer.json()["choices"][0]["message"]
        return message


def worst_case() -> Model:
    """The model that plans the honest steps and obeys every instruction in anything it reads."""
    return Model("https://model.harbor.example/v1", "worst-case", transport=httpx2.MockTransport(_serve))


def from_environment(environment: Mapping[str, str] = os.environ) -> Model | None:
    """The model that the environment names, or None. No check of a lab ever depends on it."""
    url, name = environment.get(URL_VARIABLE, ""), environment.get(NAME_VARIABLE, "")
    if not url or not name:
        return None
    return Model(url, name, environment.get(KEY_VARIABLE, ""))


def answer(request: Json) -> Json:
    """The worst case as a server would answer: one chat completion (OpenAI's format) for one request."""
    call = next_call(request["messages"], request.get("tools") or [])
    message: Json = {"role": "assistant", "content": "Done."}
    if call is not None:
        number = sum(message["role"] == "assistant" for message in request["messages"]) + 1
        function = {"name": call.tool, "arguments": json.dumps(call.arguments, ensure_ascii=False)}
        message = {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": f"call_{number}", "type": "function", "function": function}],
        }
    choice = {"index": 0, "message": message, "finish_reason": "stop" if call is None else "tool_calls"}
    return {"id": "chatcmpl-0", "object": "chat.completion", "created": 0, "model": "worst-case", "choices": [choice]}


def _serve(request: httpx2.Request) -> httpx2.Response:
    if request.url.path != "/v1/chat/completions":
        return httpx2.Response(404, json={"error": {"message": f"no such path: {request.url.path}"}})
    return httpx2.Response(200, json=answer(json.loads(request.content)))
