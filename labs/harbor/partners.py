"""Agents of other companies, over A2A: what they publish, how they answer, how order-desk calls them.

    northwharf = Company("Northwharf Supply", "https://northwharf.example", "2026-10")
    card = northwharf.sign(agent_card("stock-desk", [STOCK_DESK], "northwharf"))
    publish(internet, northwharf, card)                      # card and keys, on the company's web site
    internet.add(STOCK_DESK, agent_app(card, reply, token))  # the agent itself, elsewhere
    await send(http, card, {"sku": "HX-12", "order": 40}, interceptors=[...])

Keys are made when a company is made. Nothing here verifies a card.
"""

import secrets
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

import httpx
from a2a.client import ClientCallContext, ClientConfig, ClientFactory
from a2a.client.interceptors import ClientCallInterceptor
from a2a.helpers.proto_helpers import get_data_parts, new_data_message
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.events import EventQueue
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes
from a2a.server.tasks import InMemoryTaskStore
from a2a.types import (
    AgentCapabilities,
    AgentCard,
    AgentInterface,
    AgentProvider,
    AgentSkill,
    HTTPAuthSecurityScheme,
    Role,
    SecurityRequirement,
    SecurityScheme,
    SendMessageRequest,
    StringList,
)
from a2a.utils.signing import create_agent_card_signer
from joserfc.jwk import ECKey
from jwt.api_jwk import PyJWK
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from harbor.internet import Internet

NORTHWHARF = "https://northwharf.example"  # the supplier's web site, where its card lies
STOCK_DESK = "https://stock.northwharf.example/a2a"  # the supplier's agent
CARD_PATH = "/.well-known/agent-card.json"
KEYS_PATH = "/.well-known/jwks.json"
ALGORITHM = "ES256"
SESSION = "order-desk"  # under this name the SDK's credential store keeps what order-desk may show

Reply = Callable[[dict[str, Any]], dict[str, Any]]


class Company:
    """A company that signs its agents' cards: one key, named `kid`, published on its web site."""

    def __init__(self, name: str, site: str, kid: str) -> None:
        self.name, self.site, self.kid = name, site, kid
        self.keys_url = site + KEYS_PATH
        self._key = ECKey.generate_key("P-256", {"use": "sig", "alg": ALGORITHM, "kid": kid})

    @property
    def public_key(self) -> PyJWK:
        """What the company hands to a partner: with it anyone can check a card and nobody can sign one."""
        return PyJWK(self.public_jwk)

    @property
    def public_jwk(self) -> dict[str, Any]:
        """The same key as a JSON Web Key."""
        return dict(self._key.as_dict(private=False))

    def sign(self, card: AgentCard, **changes: Any) -> AgentCard:
        """Return a signed copy of `card`. `changes` replace fields of the signature's header; None leaves one out."""
        header = {"alg": ALGORITHM, "typ": "JOSE", "kid": self.kid, "jku": self.keys_url, **changes}
        signed = AgentCard()
        signed.CopyFrom(card)
        key = PyJWK(dict(self._key.as_dict(private=True)))
        sign = create_agent_card_signer(key, {name: value for name, value in header.items() if value is not None})  # type: ignore[arg-type] # a TypedDict that wants all keys
        return sign(signed)


def agent_card(
    name: str,
    urls: Sequence[str],
    scheme: str,
    *,
    organization: str = "Northwharf Supply",
    site: str = NORTHWHARF,
    skills: Sequence[tuple[str, str]] = (("stock", "Says how many of an article are in stock, and takes orders."),),
) -> AgentCard:
    """Return an unsigned card: the agent answers at `urls` and wants a bearer token, which it calls `scheme`."""
    return AgentCard(
        name=name,
        description=f"The agent {name} of {organization}.",
        provider=AgentProvider(organization=organization, url=site),
        version="1.0.0",
        supported_interfaces=[
            AgentInterface(url=url, protocol_binding="JSONRPC", protocol_version="1.0") for url in urls
        ],
        capabilities=AgentCapabilities(streaming=False),
        security_schemes={
            scheme: SecurityScheme(http_auth_security_scheme=HTTPAuthSecurityScheme(scheme="Bearer")),
        },
        security_requirements=[SecurityRequirement(schemes={scheme: StringList()})],
        default_input_modes=["application/json"],
        default_output_modes=["application/json"],
        skills=[AgentSkill(id=id, name=id, description=text, tags=[id]) for id, text in skills],
    )


def publish(internet: Internet, site: str, card: AgentCard, *keys: dict[str, Any]) -> None:
    """Put a web site on the internet that serves `card` and a key file, each at its well-known path."""

    async def key_file(request: Request) -> Response:
        return JSONResponse({"keys": list(keys)})

    internet.add(site, lambda: Starlette(routes=[*create_agent_card_routes(card), Route(KEYS_PATH, key_file)]))


def agent_app(card: AgentCard, url: str, reply: Reply, token: str) -> Callable[[], Starlette]:
    """Return what makes an A2A agent: it answers at `url`, with what `reply` returns, whoever shows `token`."""

    def make() -> Starlette:
        handler = DefaultRequestHandler(_Answering(reply), InMemoryTaskStore(), card)
        routes = create_jsonrpc_routes(handler, urlsplit(url).path)
        return Starlette(routes=routes, middleware=[Middleware(_TokenWanted, token=token)])

    return make


async def send(
    http: httpx.AsyncClient,
    card: AgentCard,
    data: dict[str, Any],
    interceptors: Sequence[ClientCallInterceptor] = (),
) -> dict[str, Any]:
    """Send one message to the agent that `card` describes and return the data of its answer."""
    client = ClientFactory(ClientConfig(httpx_client=http, streaming=False)).create(card, list(interceptors))
    message = new_data_message(data, role=Role.ROLE_USER)
    answers = client.send_message(
        SendMessageRequest(message=message), context=ClientCallContext(state={"sessionId": SESSION})
    )
    return {
        name: value
        async for event in answers
        for part in get_data_parts(event.message.parts)
        for name, value in part.items()
    }


class _Answering(AgentExecutor):
    """Answers each message with one message: data in, data out."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        assert context.message is not None, "the SDK answers a request without a message itself"
        asked = get_data_parts(context.message.parts)[0]
        await event_queue.enqueue_event(new_data_message(self._reply(asked), role=Role.ROLE_AGENT))

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        raise NotImplementedError("an answer in one message cannot be cancelled")


class _TokenWanted:
    """Answers 401 to a request without the right bearer token."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app, self._token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            shown = dict(scope["headers"]).get(b"authorization", b"")
            if not secrets.compare_digest(shown, f"Bearer {self._token}".encode()):
                await JSONResponse({"error": "unauthorized"}, 401)(scope, receive, send)
                return
        await self._app(scope, receive, send)
