"""The SDKs' defaults that lessons and labs speak of, as they are in the versions that are installed.

A lesson that says "off until you set it" is wrong on the day on which an upgrade changes it. Each `Default` below holds
one such sentence, the words by which pages name it, and a probe that runs the SDK. When a probe says something else, the
failure lists the lesson, the lab and every page that names the default. The other direction holds too: a passage that
speaks of a default of these SDKs has to name one that is probed here, or stand in `NO_DEFAULT_OF_THE_SDK` with its reason.
"""

import asyncio
import inspect
import re
import sys
import warnings
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, fields
from importlib.metadata import version
from typing import Annotated, Any

import httpx
import httpx2
import pytest
from conftest import ROOT

sys.path.insert(0, str(ROOT / "labs"))

from a2a.client import A2ACardResolver, ClientFactory, create_client  # noqa: E402 # after the path
from a2a.client.auth import AuthInterceptor, CredentialService  # noqa: E402 # the path above has to be set first
from a2a.client.card_resolver import parse_agent_card  # noqa: E402 # the path above has to be set first
from a2a.client.client import Client as A2AClient  # noqa: E402 # the path above has to be set first
from a2a.server.request_handlers import DefaultRequestHandler  # noqa: E402 # the path above has to be set first
from a2a.server.request_handlers.response_helpers import agent_card_to_dict  # noqa: E402 # the path above has to be set first
from a2a.types import AgentCard  # noqa: E402 # the path above has to be set first
from a2a.utils.signing import create_signature_verifier  # noqa: E402 # the path above has to be set first
from harbor.calling import MemoryStorage, SignIn, call, token_form  # noqa: E402 # the path above has to be set first
from harbor.identity import ISSUER, SignatureVerifier  # noqa: E402 # the path above has to be set first
from harbor.internet import Internet  # noqa: E402 # the path above has to be set first
from harbor.partners import NORTHWHARF, STOCK_DESK, Company, agent_app, agent_card, publish, send  # noqa: E402 # the path above has to be set first
from harbor.servers import MAILBOX, ORDERS, Protection  # noqa: E402 # the path above has to be set first
from harbor.shop import Shop, open_shop  # noqa: E402 # the path above has to be set first
from jwt.api_jwk import PyJWK  # noqa: E402 # the path above has to be set first
from mcp import Client  # noqa: E402 # the path above has to be set first
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider  # noqa: E402 # the path above has to be set first
from mcp.server import MCPServer  # noqa: E402 # the path above has to be set first
from mcp.server.auth.settings import AuthSettings  # noqa: E402 # the path above has to be set first
from mcp.server.mcpserver.resolve import Elicit, Resolve  # noqa: E402 # the path above has to be set first
from mcp.types import ElicitResult, InputRequiredResult, InputResponses  # noqa: E402 # the path above has to be set first
from pydantic import BaseModel  # noqa: E402 # the path above has to be set first

Probe = Callable[[], Coroutine[Any, Any, bool]]

AUTHORIZATION = ("learn/protocols/authorization-for-tools.md", "bind-tokens-to-their-audience")
COMPANIES = ("learn/protocols/agents-across-companies.md", "verify-the-agent-card")
WIRE = ("learn/protocols/mcp-from-the-wire-up.md", "speak-mcp")
APPROVALS = ("learn/agents/a-person-in-the-loop-for-real.md", "approve-what-you-saw")


@dataclass(frozen=True)
class Default:
    """What the course says about an SDK that is set up without the setting in question."""

    package: str
    says: str  # as a lesson would put it
    names: tuple[str, ...]  # the words by which a page names it; one of them is enough
    taught_in: tuple[str, str]  # lesson below docs/, lab
    still_so: Probe


DEFAULTS: list[Default] = []


def default(package: str, says: str, names: tuple[str, ...], taught_in: tuple[str, str]) -> Callable[[Probe], Probe]:
    """Enter a probe into the table. It returns whether the SDK still does what `says` says."""

    def enter(probe: Probe) -> Probe:
        DEFAULTS.append(Default(package, says, names, taught_in, probe))
        return probe

    return enter


# --- mcp ---------------------------------------------------------------------------------------------------------------


def _shop() -> Shop:
    """Harbor with settings that set nothing but the issuer, the server's own address and its scope."""

    def protect(resource: str, scopes: list[str], keys: Any) -> Protection:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            settings = AuthSettings.model_validate(
                {"issuer_url": ISSUER, "resource_server_url": resource, "required_scopes": scopes}
            )
        return Protection(settings, SignatureVerifier(keys))

    async def forward(token: str, *_: Any) -> str:
        return token

    return open_shop(protect, forward)


@default(
    "mcp",
    "a server takes a token that is made out to another one",
    ("validate_token_resource", "CVE-2026-116684", "audience check", "for another resource", "token audiences"),
    AUTHORIZATION,
)
async def token_for_another_server() -> bool:
    shop = _shop()
    claims = {"iss": ISSUER, "sub": "x", "client_id": "x", "aud": ORDERS, "scope": "mail.read"}
    return bool(await call(shop.internet, MAILBOX, "list_mail", token=shop.identity.sign(claims)))


@default(
    "mcp",
    "a client sends its secret to whatever issuer the server's metadata names",
    ("issuer=", "`issuer`"),
    AUTHORIZATION,
)
async def any_issuer() -> bool:
    return inspect.signature(ClientCredentialsOAuthProvider).parameters["issuer"].default is None


@default(
    "mcp", "the scope that a client was given is replaced by what the server lists", ("scope=", "2317"), AUTHORIZATION
)
async def scope_replaced() -> bool:
    shop, asked = _shop(), []

    async def note(request: httpx2.Request) -> None:
        if form := token_form(request):
            asked.append(form.get("scope"))

    auth = ClientCredentialsOAuthProvider(
        MAILBOX, MemoryStorage(), shop.desk.client_id, shop.desk.secret, scope="orders.write"
    )
    await call(shop.internet, MAILBOX, "list_mail", sign_in=SignIn(auth, (note,)))
    return asked == ["mail.read"]


@default(
    "mcp",
    "Host and Origin are compared while `host` is a loopback name, and with any other `host` not at all",
    ("rebinding", "Host and Origin", "host and origin", "`host`"),
    WIRE,
)
async def rebinding_guard_on_loopback_only() -> bool:
    async def status(host: str) -> int:
        app = MCPServer("guarded").streamable_http_app(host=host, json_response=True, stateless_http=True)
        async with app.router.lifespan_context(app):
            transport = httpx2.ASGITransport(app=app)
            async with httpx2.AsyncClient(transport=transport, base_url="http://evil.example") as http:
                headers = {"Accept": "application/json, text/event-stream"}
                return (await http.post("/mcp", json={}, headers=headers)).status_code

    return [await status(host) for host in ("127.0.0.1", "localhost", "::1")] == [421] * 3 and 421 not in [
        await status(host) for host in ("0.0.0.0", "orders.harbor.example")
    ]


@default(
    "mcp",
    "a client settles the revision by itself, and a server takes bodies up to 4 MiB",
    ('mode="auto"', "4 MiB"),
    WIRE,
)
async def revision_and_body_limit() -> bool:
    limit = inspect.signature(MCPServer.streamable_http_app).parameters["max_request_body_size"].default
    mode = next(field.default for field in fields(Client) if field.name == "mode")
    return (mode, limit) == ("auto", 4 * 2**20)


class _Yes(BaseModel):
    ok: bool


async def _ask() -> Elicit[_Yes]:
    return Elicit("Refund 20 euros?", _Yes)


@default(
    "mcp",
    "an answer to an elicitation can be sent again while its sealed state lives",
    ("same sealed answer", "answer can be sent again"),
    APPROVALS,
)
async def answer_replayed() -> bool:
    server, paid = MCPServer("payments"), []

    @server.tool()
    async def refund(order: str, approval: Annotated[_Yes, Resolve(_ask)]) -> str:
        """Refund an order that a person approved."""
        paid.append((order, approval.ok))
        return "paid"

    async def answered(context: Any = None, params: Any = None) -> ElicitResult:
        return ElicitResult(action="accept", content={"ok": True})

    async with Client(server, mode="2026-07-28", elicitation_callback=answered) as client:
        asked = await client.session.call_tool("refund", {"order": "1001"}, allow_input_required=True)
        assert isinstance(asked, InputRequiredResult)
        answers: InputResponses = {name: await answered() for name in asked.input_requests or {}}
        for _ in range(2):
            await client.session.call_tool(
                "refund", {"order": "1001"}, input_responses=answers, request_state=asked.request_state
            )
    return paid == [("1001", True)] * 2


@default(
    "mcp",
    "an answer counts for the exact question that was asked: one with another text is asked anew",
    ("exact question",),
    APPROVALS,
)
async def answer_fits_one_question() -> bool:
    server, asked_so_far, paid = MCPServer("payments"), [1], []

    async def ask_with_number() -> Elicit[_Yes]:
        return Elicit(f"Refund 20 euros? Request {asked_so_far[-1]}", _Yes)

    @server.tool()
    async def refund(order: str, approval: Annotated[_Yes, Resolve(ask_with_number)]) -> str:
        """Refund an order that a person approved, and use the number up."""
        asked_so_far.append(len(asked_so_far) + 1)
        paid.append((order, approval.ok))
        return "paid"

    async def answered(context: Any = None, params: Any = None) -> ElicitResult:
        return ElicitResult(action="accept", content={"ok": True})

    async with Client(server, mode="2026-07-28", elicitation_callback=answered) as client:
        asked = await client.session.call_tool("refund", {"order": "1001"}, allow_input_required=True)
        assert isinstance(asked, InputRequiredResult)
        answers: InputResponses = {name: await answered() for name in asked.input_requests or {}}
        results = [
            await client.session.call_tool(
                "refund",
                {"order": "1001"},
                input_responses=answers,
                request_state=asked.request_state,
                allow_input_required=True,
            )
            for _ in range(2)
        ]
    return isinstance(results[1], InputRequiredResult) and paid == [("1001", True)]


# --- a2a-sdk -----------------------------------------------------------------------------------------------------------


def _signed() -> tuple[Company, AgentCard]:
    company = Company("Northwharf Supply", NORTHWHARF, "2026-10")
    return company, company.sign(agent_card("stock-desk", [STOCK_DESK], "northwharf"))


def _verifies(card: AgentCard, company: Company) -> bool:
    try:
        create_signature_verifier(lambda kid, jku: company.public_key, ["ES256"])(card)
    except Exception:
        return False
    return True


@default(
    "a2a-sdk",
    "a card is accepted without any signature, wherever a client gets one",
    ("signature_verifier", "unsigned", "accepts any card"),
    COMPANIES,
)
async def unsigned_card() -> bool:
    net = Internet()
    publish(net, NORTHWHARF, agent_card("stock-desk", [STOCK_DESK], "northwharf"))
    async with net.up(), net.httpx_client() as http:
        card = await A2ACardResolver(http, NORTHWHARF).get_agent_card()
    ways: list[Callable[..., Any]] = [
        A2ACardResolver.get_agent_card,
        ClientFactory.create_from_url,
        create_client,
        A2AClient.get_extended_agent_card,
    ]
    return card.name == "stock-desk" and not any(
        inspect.signature(way).parameters["signature_verifier"].default for way in ways
    )


@default(
    "a2a-sdk",
    "the verifier asks your callback for the key with the `kid` and `jku` of the card's author",
    ("jku",),
    COMPANIES,
)
async def jku_handed_over() -> bool:
    company, card = _signed()
    asked = []

    def note(kid: str | None, jku: str | None) -> PyJWK:
        asked.append((kid, jku))
        return company.public_key

    create_signature_verifier(note, ["ES256"])(card)
    return asked == [(company.kid, company.keys_url)]


@default(
    "a2a-sdk",
    "an error of the callback that is none of PyJWT's ends the verification, whatever signatures follow",
    ("InvalidKeyError", "KeyError"),
    COMPANIES,
)
async def key_error_ends_it() -> bool:
    company, _ = _signed()
    successor = Company(company.name, company.site, "2027-01")
    card = company.sign(successor.sign(agent_card("stock-desk", [STOCK_DESK], "northwharf")))
    keys = {company.kid: company.public_key}
    try:
        create_signature_verifier(lambda kid, jku: keys[kid or ""], ["ES256"])(card)
    except KeyError:
        return True
    return False


class _Whatever(CredentialService):
    async def get_credentials(self, security_scheme_name: str, context: Any) -> str:
        return f"the credential called {security_scheme_name}"


@default(
    "a2a-sdk",
    "the client goes to any host that the card names, and shows there the credential that the card names",
    ("AuthInterceptor", "any host"),
    COMPANIES,
)
async def any_host_any_credential() -> bool:
    net, elsewhere = Internet(), "https://elsewhere.example/a2a"
    card = agent_card("stock-desk", [elsewhere], "payroll")
    publish(net, NORTHWHARF, card)
    net.add(elsewhere, agent_app(card, elsewhere, lambda asked: {"stock": 1}, "the credential called payroll"))
    async with net.up(), net.httpx_client() as http:
        found = await A2ACardResolver(http, NORTHWHARF).get_agent_card()
        return await send(http, found, {"sku": "1"}, [AuthInterceptor(_Whatever())]) == {"stock": 1}


@default(
    "a2a-sdk",
    "a field that the SDK does not know, or that cards had before 1.0, is dropped before the signature is checked",
    ("does not know", "do not know", "nknown field"),
    COMPANIES,
)
async def unknown_fields_dropped() -> bool:
    company, card = _signed()
    more = {**agent_card_to_dict(card), "url": "https://elsewhere.example/a2a", "warranty": "ten years"}
    return _verifies(parse_agent_card(more), company)


@default(
    "a2a-sdk",
    "what is empty is left out of the signed form, and with it a security requirement without scopes",
    ("empty required", "without scopes", "leaves out what is empty"),
    COMPANIES,
)
async def empty_requirement_unsigned() -> bool:
    company, card = _signed()
    del card.security_requirements[:]
    card.security_requirements.add().schemes["another"].SetInParent()
    return _verifies(card, company)


@default(
    "a2a-sdk", "an agent runs again for a message that it had, under the same messageId", ("messageId",), COMPANIES
)
async def same_message_twice() -> bool:
    net, had = Internet(), list[dict[str, Any]]()
    card = agent_card("stock-desk", [STOCK_DESK], "northwharf")

    def reply(asked: dict[str, Any]) -> dict[str, Any]:
        had.append(asked)
        return {"had": len(had)}

    net.add(STOCK_DESK, agent_app(card, STOCK_DESK, reply, "a token"))
    message = {"messageId": "1", "role": "ROLE_USER", "parts": [{"data": {"order": "HX-12"}}]}
    body = {"jsonrpc": "2.0", "id": "1", "method": "SendMessage", "params": {"message": message}}
    async with net.up(), net.httpx_client() as http:
        for _ in range(2):
            await http.post(STOCK_DESK, json=body, headers={"Authorization": "Bearer a token", "A2A-Version": "1.0"})
    return len(had) == 2


@default("a2a-sdk", "a server calls back to any address it is given", ("push_url_validator",), COMPANIES)
async def any_callback() -> bool:
    return inspect.signature(DefaultRequestHandler.__init__).parameters["push_url_validator"].default is None


@default("a2a-sdk", "redirects are not followed, because httpx does not", ("edirect",), COMPANIES)
async def no_redirects() -> bool:
    async with httpx.AsyncClient() as http:
        return not http.follow_redirects


# --- the table against the SDKs, and against the pages -----------------------------------------------------------------


def pages() -> dict[str, str]:
    """Every authored text of the course: lessons, knowledge base, labs and what they hand out."""
    found = [*ROOT.glob("docs/learn/**/*.md"), *ROOT.glob("docs/knowledge/**/*.md"), *ROOT.glob("labs/*/lab.py")]
    found += ROOT.glob("labs/*/files/*.py")
    made = {"index.md", "timeline.md", "coverage.md", "review.md", "glossary.md"}
    return {
        str(path.relative_to(ROOT).as_posix()): path.read_text(encoding="utf-8")
        for path in sorted(found)
        if path.name not in made
    }


def passages(text: str) -> list[str]:
    """Paragraphs and list items, each on one line, without front matter, headings and a lab's comment marks."""
    if "\n# %%" in text:
        text = re.sub(r"^# ?(?!%%)", "", text, flags=re.MULTILINE)
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)
    text = re.sub(r"^#+ (?!%%).*$", "", text, flags=re.MULTILINE)
    parts = re.split(r"\n[ \t]*\n|\n(?=[ \t]*(?:[-*]|\d+\.) )|^# %%.*\n", text, flags=re.MULTILINE)
    # A mistake is code that is wrong on purpose; what it is called says nothing about an SDK.
    return [" ".join(part.split()) for part in parts if not part.lstrip().startswith('%% tags=["mistake"]')]


SPEAKS_OF_DEFAULT = re.compile(
    r"\b[Dd]efaults?\b|\bis off\b|\boff until\b|\buntil you set\b|\bunless you pass\b|\bonly warns\b"
)
OF_AN_SDK = re.compile(r"`?\b(?:mcp|a2a-sdk)`? (?:\d|\(\d)|\ba2a-sdk\b|\bSDK\b")

# file, and the beginning of a passage that speaks of a default, but of none that an upgrade of these two SDKs can change
NO_DEFAULT_OF_THE_SDK = {
    (
        "docs/knowledge/protocols/opentelemetry-genai.md",
        "The conventions left",
    ): "spans; seen by the lab that reads them",
    ("labs/bind-tokens-to-their-audience/lab.py", "- Defaults hold for"): "names no single default",
    ("labs/speak-mcp/lab.py", "- Defaults hold for"): "names no single default",
    ("labs/verify-the-agent-card/lab.py", "You need not believe"): "introduces the run that prints them",
    ("labs/verify-the-agent-card/lab.py", "- The defaults hold for"): "names no single default",
}


def _where_named(default: Default) -> list[str]:
    return [
        name
        for name, text in pages().items()
        if any(
            OF_AN_SDK.search(passage) and any(word in passage for word in default.names) for passage in passages(text)
        )
    ]


@pytest.mark.parametrize("entry", DEFAULTS, ids=lambda entry: f"{entry.package}-{entry.still_so.__name__}")
def test_the_sdk_still_does_what_the_course_says(entry: Default) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        still_so = asyncio.run(entry.still_so())
    lesson, lab = entry.taught_in
    assert still_so, (
        f"{entry.package} {version(entry.package)} no longer does this: {entry.says}. Update the lesson docs/{lesson} and the "
        f"lab labs/{lab}, look at each page that names it, then correct this table: {', '.join(_where_named(entry))}"
    )


@pytest.mark.parametrize("entry", DEFAULTS, ids=lambda entry: f"{entry.package}-{entry.still_so.__name__}")
def test_each_default_is_taught_where_the_table_says(entry: Default) -> None:
    lesson, lab = entry.taught_in
    planned = f"slug: {lab}," in (ROOT / "labs" / "planned.yml").read_text(encoding="utf-8")
    text = [ROOT / "docs" / lesson, ROOT / "labs" / lab / "lab.py"]
    assert planned or all(path.is_file() for path in text), f"{lesson} or {lab} is neither there nor planned"
    named = [
        path for path in text if path.is_file() and any(n in path.read_text(encoding="utf-8") for n in entry.names)
    ]
    assert planned or named, f"neither docs/{lesson} nor labs/{lab} names {entry.names}: teach it, or move the entry"


def test_each_default_that_a_page_names_is_probed() -> None:
    words = [name for entry in DEFAULTS for name in entry.names]
    unprobed, used = [], set()
    for name, text in pages().items():
        for passage in passages(text):
            if not (SPEAKS_OF_DEFAULT.search(passage) and OF_AN_SDK.search(passage)):
                continue
            if any(word in passage for word in words):
                continue
            excused = [key for key in NO_DEFAULT_OF_THE_SDK if key[0] == name and passage.startswith(key[1])]
            used |= set(excused)
            if not excused:
                unprobed.append(f"{name}: {passage[:160]}")
    assert unprobed == [], (
        "These speak of an SDK's default that no probe here watches: add one, or an entry with its reason."
    )
    assert used == set(NO_DEFAULT_OF_THE_SDK), "These excuses are no longer needed: take them out."
