# ---
# title: Speak MCP
# summary: What does an agent say to a tool server, and how do you build one that does what its name says, for those it knows, and nothing more?
# track: protocols
# lesson: learn/protocols/mcp-from-the-wire-up.md
# minutes: 55
# level: first steps
# needs: any
# browser: false
# threats: ["ASI02:2026", "MCP05:2025", "MCP07:2025"]
# controls: [typed-tools, host-and-origin-checks]
# versions: [mcp, httpx2, starlette, pydantic]
# protocols: [MCP 2026-07-28, MCP 2025-11-25]
# takeaway: check_mcp_server.py
# sources:
#   - title: "MCP specification 2026-07-28: Streamable HTTP"
#     url: https://modelcontextprotocol.io/specification/2026-07-28/basic/transports/streamable-http
#     read: 2026-11-25
#   - title: "MCP specification 2026-07-28: Tools"
#     url: https://modelcontextprotocol.io/specification/2026-07-28/server/tools
#     read: 2026-11-23
#   - title: "MCP Python SDK: Deploy and scale (stored copy of 20 August 2026)"
#     url: https://github.com/modelcontextprotocol/python-sdk/blob/main/docs/run/deploy.md
#     read: 2026-11-23
#   - title: "CVE-2025-66416: DNS rebinding protection off by default in mcp before 1.23.0"
#     url: https://osv.dev/vulnerability/CVE-2025-66416
#     read: 2026-11-23
#   - title: "Chrome for Developers: New permission prompt for Local Network Access (June 2025)"
#     url: https://developer.chrome.com/blog/local-network-access
#     read: 2026-11-25
# verified: 2026-11-25
# ---

# %% [markdown]
# An agent is a loop around a language model. The model reads text and answers with text; when it wants to *do* something, it
# names a **tool** and its arguments, and the program around it makes the call. Harbor Goods, a small web shop, has such an
# agent, `order-desk`: it reads customer mail, looks orders up, refunds some of them.
#
# The **Model Context Protocol** (MCP) is how such a program talks to tools that live elsewhere. The program is the **client**,
# the tool's side is the **server**. Three requests do most of the work:
#
# ```text
#   order-desk, the client                             orders, the server
#      |-- server/discover   who are you? ------------>|
#      |-- tools/list        what can you do? -------->|   names, descriptions, schemas: the model reads these
#      |-- tools/call        do this, with that ------>|   a result, or an error the model can read
# ```
#
# Each is one HTTP POST with a JSON body. No magic is in it, and you will see every byte that matters. Then you will see what
# three strangers do with the server that Harbor has: a customer whose mail the agent reads, a web page that the engineer
# happens to open, and a second agent that is supposed to read only.
#
# You will write the tools of the server, its front door, and a gateway. All of it runs in this one process: the real SDK
# (mcp 2.3.0) on both sides, and no sockets.

# %% tags=["setup"]
from labkit import begin, check, expect, landed, refused, run, works

lab = begin("speak-mcp")

import json
import logging
import runpy
import secrets
import sqlite3
from contextlib import asynccontextmanager
from typing import Annotated, Literal
from urllib.parse import urlsplit

import httpx2
import jsonschema
from harbor.calling import ToolFailed
from harbor.servers import REFUND_LIMIT
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError, UnexpectedToolError
from mcp.server.transport_security import TransportSecuritySettings
from mcp.types import ToolAnnotations
from pydantic import BaseModel, Field
from starlette.datastructures import Headers
from starlette.responses import JSONResponse

logging.disable(logging.CRITICAL)  # the SDK logs each refusal; here the refusals are the lesson


# %% [markdown]
# ## The shop as it is
#
# First the order book: a database with the order and the customer, and a list of what was paid back. `find` and `pay_back`
# are what the agent needs of it; `pay_back` returns nothing. What lies behind can be down, and then each fails as clients do:
# with a long text that holds the request, its key included.


# %%
class NothingLeft(Exception):
    """The refund is more than is left of the order."""


class BackEndDown(Exception):
    """Something behind the server failed."""


ORDERS = [("1001", "ada@customers.example", 7_900), ("1003", "mallory@customers.example", 2_500)]


class Book:
    """Harbor's orders, amounts in cents. `payouts` is what was paid back; `asked` counts how often code reached this book."""

    def __init__(self):
        self.database = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self.database.execute("CREATE TABLE orders (id TEXT, customer TEXT, total INTEGER, refunded INTEGER)")
        self.database.executemany("INSERT INTO orders VALUES (?, ?, ?, 0)", ORDERS)
        self.payouts = []
        self.asked = 0
        self.down = set()  # the names of the methods whose back end does not answer
        self.key = secrets.token_hex(8)

    def find(self, order):
        """Return the order as {id, customer, total, refunded}, or None."""
        self._ask("find")
        row = self.database.execute("SELECT * FROM orders WHERE id = ?", (order,)).fetchone()
        return row and dict(zip(("id", "customer", "total", "refunded"), row, strict=True))

    def pay_back(self, order, cents, payee):
        """Pay `cents` of an order to `payee`; return nothing. Raises NothingLeft when less than that is left of the order."""
        self._ask("pay_back")
        changed = self.database.execute(
            "UPDATE orders SET refunded = refunded + ? WHERE id = ? AND refunded + ? <= total", (cents, order, cents)
        )
        if not changed.rowcount:
            raise NothingLeft(order)
        self.payouts.append((order, cents, payee))

    def _ask(self, what):
        self.asked += 1
        if what in self.down:
            back_end = {"find": "GET https://orderbook", "pay_back": "POST https://payments"}[what]
            raise BackEndDown(f"503 for {back_end}.harbor.example/v1, Authorization: Bearer {self.key}")


# %% [markdown]
# And the server over it, as somebody wrote it on a Friday. A tool is a function; its name, docstring and types become what the
# model reads.


# %%
def given_orders(book):
    """The server `orders` as Harbor runs it today."""
    server = MCPServer("orders", version="1.0.0")

    @server.tool(annotations=ToolAnnotations(read_only_hint=True))
    async def look_up_order(query: str) -> str:
        """Look up an order, with a query for SQLite."""
        return json.dumps(book.database.execute(query).fetchall())

    @server.tool()
    async def refund_order(order: str, cents: int, payee: str) -> str:
        """Refund part of an order."""
        try:
            book.pay_back(order, cents, payee)
        except Exception as error:
            raise ToolError(f"{type(error).__name__}: {error}") from error  # so that the agent can help itself
        return "refunded"

    return server


# %% [markdown]
# ## What is said on the wire
#
# `on_the_wire` starts a server's HTTP app, lets the SDK's client talk to it and keeps every exchange. `show` prints one.
# Four headers that every HTTP client sends are left out; nothing else is. The cell is machinery, and you may skip it.


# %%
LOCAL = "http://127.0.0.1:8000/mcp"
NOISE = {"accept-encoding", "connection", "user-agent", "content-length"}


@asynccontextmanager
async def serving(app, **options):
    """Run an ASGI app without a socket; yield an HTTP client that reaches it under any name."""
    async with app.router.lifespan_context(app):
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), **options) as http:
            yield http


def http_app(server, **how):
    """The server's HTTP app: what server.run("streamable-http", ...) would put behind a port."""
    return server.streamable_http_app(json_response=True, stateless_http=True, **how)


async def on_the_wire(server, talk, mode="auto"):
    """Let the SDK's client talk to `server`; return each (request, response)."""
    exchanges = []

    async def keep(response):
        await response.aread()
        exchanges.append((response.request, response))

    async with serving(http_app(server), event_hooks={"response": [keep]}) as http:
        async with Client(streamable_http_client(LOCAL, http_client=http), mode=mode) as client:
            await talk(client)
    return exchanges


def readable(value, width=96, margin=""):
    """JSON, one line where it fits and one line a member where it does not."""
    flat = json.dumps(value)
    if len(margin + flat) <= width or not isinstance(value, dict | list) or not value:
        return flat
    inner = margin + "  "
    if isinstance(value, list):
        parts, (left, right) = [readable(item, width, inner) for item in value], "[]"
    else:
        parts, (left, right) = [f"{json.dumps(k)}: {readable(v, width, inner)}" for k, v in value.items()], "{}"
    return f"{left}\n" + ",\n".join(inner + part for part in parts) + f"\n{margin}{right}"


def show(exchange, answer_only=False):
    """Print one exchange as it went over the wire, its JSON set out to be read."""
    request, response = exchange
    messages = [
        (f"{request.method} {request.url}", request),
        (f"{response.status_code} {response.reason_phrase}", response),
    ]
    for head, message in messages[answer_only:]:
        print(head)
        print(*(f"{name}: {value}" for name, value in message.headers.items() if name not in NOISE), sep="\n")
        if message.content:
            print(f"\n{readable(json.loads(message.content))}")
        print()


async def first_conversation(client):
    await client.list_tools()
    await client.call_tool("look_up_order", {"query": "SELECT total FROM orders WHERE id = '1001'"})


book = Book()
discover, listing, calling = run(on_the_wire(given_orders(book), first_conversation))

# %% [markdown]
# **Request 1, `server/discover`.** The body is JSON-RPC 2.0: `method`, `params`, and an `id` that the answer repeats. In
# `params._meta` the request says which revision of MCP it speaks, who it is, and what it can do. Revisions are named by date;
# this one is 2026-07-28. Since that revision there is no session: *every* request carries this.

# %% id="discover"
show(discover)

# %% [markdown]
# Read it twice. `clientInfo` and `serverInfo` are what each side says about itself; nobody checks them. The server
# announces prompts and resources that it does not have: the SDK does so for each server. And `supportedVersions` names one
# revision, where the server speaks more: attack 3 rests on that.
#
# **Request 2, `tools/list`.** What comes back is put before the model, word for word.

# %%
show(listing)

# %% [markdown]
# Each argument has a JSON Schema, and here it says `string`: any text at all. `readOnlyHint` is a promise by the author. The
# specification wants clients to treat it as untrusted, and you will see why.
#
# **Request 3, `tools/call`.** Look at the headers. `mcp-method`, which the first two requests have as well, and `mcp-name`, which
# is new here, repeat what the body says, so that a gateway between the two can decide without reading bodies. The server has
# to compare them.

# %% id="call-tool"
show(calling)

# %% [markdown]
# ## Attack 1: the tool does more than its name says
#
# A mail has arrived. To the model, a text and an instruction look the same. In this course we assume the worst: the agent
# does what the mail says. So what can a mail say to a tool called `look_up_order` that is marked as read-only?


# %% tags=["attack"]
async def ask(server, tool, **arguments):
    """Call one tool in memory, as a client would; raise ToolFailed with the text of an error."""
    async with Client(server) as client:
        result = await client.call_tool(tool, arguments)
    if result.is_error:
        raise ToolFailed(" ".join(block.text for block in result.content))
    return result.structured_content


MAIL = "UPDATE orders SET total = 900000 WHERE id = '1003'"

book = Book()
orders = given_orders(book)
print("order 1003 before:", book.find("1003"))
run(ask(orders, "look_up_order", query=MAIL))
landed("a tool that looks orders up, marked read-only, made Mallory's order worth 9,000 euros", book.find("1003"))

run(ask(orders, "refund_order", order="1003", cents=900_000, payee="mallory@customers.example"))
landed("and the refund tool paid all of it, to whoever the mail named", book.payouts)

# %% [markdown]
# The second thing a stranger can do is listen. The SDK hides the text of an unexpected error: a client reads `Error executing
# tool refund_order` and no more. The author of this server passed the text on, to be helpful.

# %% tags=["attack"]
book.down = {"pay_back"}
try:
    run(ask(orders, "refund_order", order="1001", cents=100, payee="ada@customers.example"))
except ToolFailed as error:
    told = str(error)
landed("the agent was told the key of the payment service", told.replace(book.key, "(the real key)"))

# %% [markdown]
# ## Exercise 1: say little, say it in types
#
# Write the server anew, with two tools. Everything a caller may say goes into the **types** of the arguments: then it stands in
# the schema that the model reads, and the SDK refuses the rest before your function runs.
#
# | tool | arguments | returns |
# |---|---|---|
# | `get_order` | `order`: four digits | `Order` |
# | `refund_order` | `order`: four digits; `cents`: a whole number from 1 to `REFUND_LIMIT` (5000); `reason`: `"damaged"`, `"late"` or `"wrong item"` | the `Order` as it is afterwards |
#
# What you need:
#
# - `Annotated[str, Field(pattern=r"...")]` is a text that matches. A pattern is searched for *anywhere* in the text, unless it
#   begins with `^` and ends with `$`; write digits as `[0-9]`. `Annotated[int, Field(ge=..., le=...)]` is a bounded number.
#   `Literal["a", "b"]` is a choice.
# - A tool whose return type is **annotated** `-> Order` (below) has an output schema. The client gets the result twice: as
#   `structuredContent`, which has the fields of the type, and as text, made of all that you *return*. So return an `Order`, and no dict.
#   `book.find` calls the number `id`, an `Order` calls it `order`.
# - `raise ToolError("a sentence")` is an error that the model may read. Use it where there is no such order, and for
#   `NothingLeft`. Leave every other exception alone: the SDK keeps its text away from the client.
# - The money goes to the customer of the order: `book.find(order)["customer"]`. Nobody gets to name a payee, and nobody is
#   told the customer's address.
#
# The SDK keeps the text of *your* slips from the client as well. The check shows them, with the line; for all the rest, put
# `logging.disable(logging.NOTSET)` into a cell of its own, and the SDK logs each with its traceback.


# %%
class Order(BaseModel):
    """What the agent may know of an order; amounts in cents."""

    order: str
    total: int
    refunded: int


# %% tags=["exercise"] id="type-the-tools" title="Say little, say it in types" minutes=14
def orders_server(book):
    """Return the MCP server `orders` over `book`, with the tools get_order and refund_order of the table."""
    server = MCPServer("orders", version="2.0.0")

    ### BEGIN SOLUTION
    Number = Annotated[str, Field(pattern=r"^[0-9]{4}$")]

    def found(order):
        row = book.find(order)
        if row is None:
            raise ToolError(f"There is no order {order}.")
        return row

    @server.tool()
    async def get_order(order: Number) -> Order:
        """Return what an order cost and what of it was refunded, in cents."""
        row = found(order)
        return Order(order=row["id"], total=row["total"], refunded=row["refunded"])

    @server.tool()
    async def refund_order(
        order: Number,
        cents: Annotated[int, Field(ge=1, le=REFUND_LIMIT)],
        reason: Literal["damaged", "late", "wrong item"],
    ) -> Order:
        """Refund part of an order to the customer who paid for it."""
        try:
            book.pay_back(order, cents, payee=found(order)["customer"])
        except NothingLeft:
            raise ToolError("That is more than is left of this order.") from None
        return await get_order(order)

    ### END SOLUTION
    return server


# %% [markdown]
# The check reads your server's `tools/list`, says to it what a mail would like to say, and looks at what arrived at the book.


# %% tags=["check"] exercise="type-the-tools"
def admits(tool, arguments):
    """Whether the schema that the model reads allows these arguments."""
    return jsonschema.Draft202012Validator(tool.input_schema).is_valid(arguments)


GENERAL = "Error executing tool"


async def behind_it(server, tool, arguments):
    """What the SDK hides from the client when a tool fails, None when it hides nothing. The author may see it."""
    try:
        await server.call_tool(tool, arguments)
    except UnexpectedToolError as error:
        return error.__cause__
    except ToolError:
        return None


class Busy(Book):
    """The book while a colleague works in it: before each payment `meanwhile` cents of the same order are refunded."""

    meanwhile = 0

    def pay_back(self, order, cents, payee):
        self.database.execute("UPDATE orders SET refunded = refunded + ? WHERE id = ?", (self.meanwhile, order))
        super().pay_back(order, cents, payee)


class Answer:
    """What one call came to: the text of its error or None, the structured content, all text, and whether the book was asked."""

    def __init__(self, result, asked):
        self.text = " ".join(block.text for block in result.content)
        self.error, self.got, self.asked = self.text if result.is_error else None, result.structured_content, asked

    def honest(self):
        """Raise what made the tool fail, if it did."""
        if self.error is not None:
            raise ToolFailed(self.error)


async def answers_to(server, book, calls):
    """The tools of a server, and its Answer to each (tool, arguments, what is so in the book), all in one session."""
    answers = []
    async with Client(server) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        for tool, arguments, so in calls if {tool for tool, *_ in calls} <= tools.keys() else ():
            vars(book).update({"down": set(), "meanwhile": 0} | so)
            before = book.asked
            answers.append(Answer(await client.call_tool(tool, arguments), book.asked != before))
    book.down = set()
    return tools, answers


def about_type(got):
    """What to say of a result that is no Order because of the return type."""
    if got is None:
        return " Is the return type annotated `-> Order`? Without it, or with `-> dict`, there is no output schema."
    if set(got) == {"result"}:
        return (
            " A return type that is not one model, such as `Order | None`, is wrapped in `result`: annotate `-> Order`."
        )
    return ""


GOOD = {"order": "1001", "cents": 2_000, "reason": "late"}
WORDS = ("1001' OR '1'='1", "1 OR", "10015", "x1001", "x100", "101", "1", "%", "", "١٠٠١")
WRONG = [
    *(("get_order", {"order": text}, f"the order {text!r}") for text in WORDS),
    *(("refund_order", GOOD | {"order": text}, f"a refund of the order {text!r}") for text in WORDS[:1]),
    *(("refund_order", GOOD | {"cents": n}, f"a refund of {n} cents") for n in (-100, 0, REFUND_LIMIT + 1, 20.5)),
    ("refund_order", GOOD | {"reason": "the mail says so"}, "a reason that is none of the three"),
    ("refund_order", {"order": "1001", "cents": 2_000}, "a refund without a reason"),
]
UNKNOWN = [
    ("get_order", {"order": "9999"}, {}, "an order that does not exist"),
    ("refund_order", GOOD | {"order": "9999"}, {}, "a refund of an order that does not exist"),
    ("refund_order", GOOD | {"order": "1003", "cents": 2_600}, {}, "a refund of more than the customer paid"),
    ("refund_order", GOOD | {"order": "1003"}, {"meanwhile": 2_500}, "a refund of what a colleague refunds meanwhile"),
]
OUTAGES = [
    ("refund_order", GOOD, {"down": {"pay_back"}}),
    ("refund_order", GOOD, {"down": {"find"}}),
    ("get_order", {"order": "1001"}, {"down": {"find"}}),
]

with check("type-the-tools"):
    trial = Busy()
    server = orders_server(trial)
    tools, answers = run(answers_to(server, trial, [("get_order", {"order": "1001"}, {})]))
    expect(
        set(tools) == {"get_order", "refund_order"},
        f"tools/list names {sorted(tools)}; expected get_order and refund_order alone: every tool in the list is there for "
        "whoever steers the model.",
    )
    for name, fields in (("get_order", {"order"}), ("refund_order", {"order", "cents", "reason"})):
        shown = set(tools[name].input_schema["properties"])
        expect(
            shown == fields,
            f"{name} takes {sorted(shown)}; expected {sorted(fields)}: an argument is a thing that the caller decides. The "
            "order decides who gets the money.",
        )
    hints = tools["refund_order"].annotations
    expect(
        not hints or not (hints.read_only_hint or hints.idempotent_hint),
        f"refund_order is listed with {hints.model_dump(by_alias=True, exclude_none=True) if hints else None}; expected no promise that "
        "it breaks: each call pays. A host that believes you calls it without asking a person, or once more.",
    )
    (looked,) = answers
    with works("an order is looked up", hint="get_order returns an Order for a number that is in the book."):
        if looked.error == f"{GENERAL} get_order":
            raise run(behind_it(server, "get_order", {"order": "1001"})) or ToolFailed(looked.error)
        looked.honest()
    expect(
        looked.got == {"order": "1001", "total": 7_900, "refunded": 0},
        f"get_order returns {looked.got}; expected an Order with order, total and refunded, and nothing about the customer: what the "
        f"agent knows, a mail can ask it for.{about_type(looked.got)}",
    )

    # All other calls in one session; then its answers, one by one.
    honest = [
        ("refund_order", GOOD, {}),
        ("refund_order", GOOD | dict.fromkeys(("payee", "customer"), "mallory@customers.example"), {"meanwhile": 100}),
        ("refund_order", GOOD | {"order": "1003", "cents": 1}, {}),
    ]
    wrong = [(tool, arguments, {}) for tool, arguments, _ in WRONG]
    unknown = [(tool, arguments, so) for tool, arguments, so, _ in UNKNOWN]
    calls = [*wrong, *honest, *OUTAGES, *unknown]
    _, answers = run(answers_to(server, trial, calls))
    answers = iter(answers)
    for tool, arguments, what in WRONG:
        answer = next(answers)
        with refused(
            what, by=ToolFailed, hint="Give the argument a type that does not allow it: pattern, ge, le, Literal."
        ):
            answer.honest()
        expect(
            not answer.asked,
            f"Your code took {what} to the book before it was refused; expected the type to refuse it. A pattern needs "
            "^ and $, exactly four of [0-9] between them: \\d takes the digits of every script. Cents are an int.",
        )
        expect(
            not admits(tools[tool], arguments),
            f"{what} was refused, but the schema in tools/list allows it; expected the limit in the type: what only your code "
            "knows, no model, gateway or reviewer can see.",
        )
    for text in WORDS:
        expect(
            not admits(tools["refund_order"], GOOD | {"order": text}),
            f"The schema of refund_order allows the order {text!r}; expected the same type as for get_order, exactly four digits.",
        )
    expect(
        admits(tools["refund_order"], GOOD | {"cents": REFUND_LIMIT}),
        f"The schema of refund_order refuses {REFUND_LIMIT} cents; expected the limit itself to be allowed: le, and not lt.",
    )

    refund, second, _ = paying = [next(answers) for _ in honest]
    with works("Ada gets 20 euros back", hint="An honest refund: order 1001, 2000 cents, reason late."):
        if refund.error == f"{GENERAL} refund_order":
            raise run(behind_it(server, "refund_order", GOOD)) or ToolFailed(refund.error)
        for answer in paying:
            answer.honest()
    expect(
        refund.got == {"order": "1001", "total": 7_900, "refunded": 2_000},
        f"refund_order returns {refund.got}; expected the Order as it is afterwards, with 2000 refunded: read it again.{about_type(refund.got)}",
    )
    expect(
        second.got == {"order": "1001", "total": 7_900, "refunded": 4_100},
        f"While a colleague refunded 100 cents of the same order, refund_order returns {second.got}; expected 4100 refunded: do not "
        "work it out from what you read before, read it again.",
    )
    for tool, answer in (("get_order", looked), ("refund_order", refund)):
        expect(
            "customers.example" not in answer.text,
            f"The text of the result of {tool} is {answer.text!r}, the customer's address inside; structuredContent is clean. The model "
            "reads the text, and that is made of all that you return: return an Order.",
        )
    paid = [("1001", 2_000, "ada@customers.example")] * 2 + [("1003", 1, "mallory@customers.example")]
    expect(
        trial.payouts == paid,
        f"The payouts are {trial.payouts}; expected {paid}: pay the customer of the order, once a call.",
    )

    for tool, _, so in OUTAGES:
        answer, down = next(answers), *so["down"]
        with refused(
            f"{tool} while the back end of {down} is down",
            by=ToolFailed,
            hint="Let the exception out: the SDK reports it.",
        ):
            answer.honest()
        expect(
            trial.key not in answer.error and "harbor.example" not in answer.error,
            f"While the back end of {down} was down, {tool} told the client its text, with an address and a key inside; expected "
            f"{GENERAL!r} and no more: catch what you expect, by name, and nothing else.",
        )
        expect(
            answer.error == f"{GENERAL} {tool}",
            f"While the back end of {down} was down, {tool} answered {answer.error!r}; expected the SDK's own sentence: an exception that is "
            "caught without its name turns an outage into a wrong answer.",
        )
    for tool, arguments, so, what in UNKNOWN:
        answer = next(answers)
        with refused(what, by=ToolFailed, hint="Raise ToolError: an answer that looks right would be believed."):
            answer.honest()
        text = answer.error.removeprefix(f"{GENERAL} {tool}").strip(": ")
        if not text and not so:
            why = f" Your tool raised {run(behind_it(server, tool, arguments))!r}."
        else:
            why = " Catch NothingLeft, which says no more than the number; what you read before may have changed."
        expect(
            len(text.split()) > 1,
            f"For {what} the model reads {answer.error!r} and nothing else; expected a sentence in a ToolError, so that it does not "
            f"try the same again.{why}",
        )
        expect(
            "customers.example" not in answer.error,
            f"The error for {what} names the customer's address: {answer.error!r}.",
        )


# %% tags=["mistake"] exercise="type-the-tools" title="Keep the SQL tool, for admins" catches="expected get_order and refund_order alone"
# -         return await get_order(order)
# +         return await get_order(order)
# +
# +     @server.tool()
# +     async def run_sql(query: str) -> str:
# +         """Run SQL. For administrators only."""
# +         return json.dumps(book.database.execute(query).fetchall())


# %% tags=["mistake"] exercise="type-the-tools" title="A typed name over the same SQL" catches="Got through: the order \"1001' OR"
# -     Number = Annotated[str, Field(pattern=r"^[0-9]{4}$")]
# +     Number = str
#
# -         row = book.find(order)
# +         row = book.database.execute(f"SELECT * FROM orders WHERE id = '{order}'").fetchone()
#
# -         return row
# +         return dict(zip(("id", "customer", "total", "refunded"), row, strict=True))


# %% tags=["mistake"] exercise="type-the-tools" title="Limits in the code, not in the types" catches="but the schema in tools/list allows it"
def orders_server(book):
    server = MCPServer("orders", version="2.0.0")

    def found(order):
        row = book.find(order) if len(order) == 4 and order.isdecimal() else None
        if row is None:
            raise ToolError(f"There is no order {order}.")
        return row

    @server.tool()
    async def get_order(order: str) -> Order:
        """Return an order."""
        row = found(order)
        return Order(order=row["id"], total=row["total"], refunded=row["refunded"])

    @server.tool()
    async def refund_order(
        order: str,
        cents: int,
        reason: str,
    ) -> Order:
        """Refund part of an order."""
        if not 0 < cents <= REFUND_LIMIT or reason not in ("damaged", "late", "wrong item"):
            raise ToolError("This refund is outside the limits.")
        try:
            book.pay_back(order, cents, payee=found(order)["customer"])
        except NothingLeft:
            raise ToolError("That is more than is left of this order.") from None
        return await get_order(order)

    return server


# %% tags=["mistake"] exercise="type-the-tools" title="A pattern without an end" catches="A pattern needs ^ and $"
# -     Number = Annotated[str, Field(pattern=r"^[0-9]{4}$")]
# +     Number = Annotated[str, Field(pattern=r"[0-9]{4}")]


# %% tags=["mistake"] exercise="type-the-tools" title="Up to four digits" catches="took the order '101' to the book"
# -     Number = Annotated[str, Field(pattern=r"^[0-9]{4}$")]
# +     Number = Annotated[str, Field(pattern=r"^[0-9]{1,4}$")]


# %% tags=["mistake"] exercise="type-the-tools" title="Four characters, one of them a digit" catches="took the order '1 OR' to the book"
# -     Number = Annotated[str, Field(pattern=r"^[0-9]{4}$")]
# +     Number = Annotated[str, Field(pattern=r"[0-9]", min_length=4, max_length=4)]


# %% tags=["mistake"] exercise="type-the-tools" title="Digits of every script" catches="the digits of every script"
# -     Number = Annotated[str, Field(pattern=r"^[0-9]{4}$")]
# +     Number = Annotated[str, Field(pattern=r"^\d{4}$")]


# %% tags=["mistake"] exercise="type-the-tools" title="An upper limit only" catches="Got through: a refund of -100 cents"
# -         cents: Annotated[int, Field(ge=1, le=REFUND_LIMIT)],
# +         cents: Annotated[int, Field(le=REFUND_LIMIT)],


# %% tags=["mistake"] exercise="type-the-tools" title="Cents as a decimal number" catches="took a refund of 20.5 cents to the book"
# -         cents: Annotated[int, Field(ge=1, le=REFUND_LIMIT)],
# +         cents: Annotated[float, Field(ge=1, le=REFUND_LIMIT)],


# %% tags=["mistake"] exercise="type-the-tools" title="Let the caller name the payee" catches="refund_order takes ['cents', 'order', 'payee', 'reason']"
# -         reason: Literal["damaged", "late", "wrong item"],
# +         reason: Literal["damaged", "late", "wrong item"],
# +         payee: str = "",
#
# -             book.pay_back(order, cents, payee=found(order)["customer"])
# +             # A gift is refunded to whoever paid for it.
# +             book.pay_back(order, cents, payee=payee or found(order)["customer"])


# %% tags=["mistake"] exercise="type-the-tools" title="Return the whole row" catches="nothing about the customer"
# -     async def get_order(order: Number) -> Order:
# +     async def get_order(order: Number) -> dict[str, str | int]:
#
# -         row = found(order)
# -         return Order(order=row["id"], total=row["total"], refunded=row["refunded"])
# +         return found(order)


# %% tags=["mistake"] exercise="type-the-tools" title="The row under the type of an order" catches="The text of the result of get_order is"
# -         row = found(order)
# -         return Order(order=row["id"], total=row["total"], refunded=row["refunded"])
# +         return found(order) | {"order": order}


# %% tags=["mistake"] exercise="type-the-tools" title="So that no host asks a person" catches="expected no promise that it breaks"
# -     @server.tool()
# -     async def refund_order(
# +     @server.tool(annotations=ToolAnnotations(read_only_hint=True))
# +     async def refund_order(


# %% tags=["mistake"] exercise="type-the-tools" title="Pass every error on" catches="with an address and a key inside"
# -         except NothingLeft:
# -             raise ToolError("That is more than is left of this order.") from None
# +         except Exception as error:
# +             raise ToolError(f"The refund failed: {error!r}") from error


# %% tags=["mistake"] exercise="type-the-tools" title="Look up first, then pass every error on" catches="While the back end of pay_back was down, refund_order told"
# -         """Refund part of an order to the customer who paid for it."""
# +         """Refund part of an order to the customer who paid for it."""
# +         row = found(order)
#
# -             book.pay_back(order, cents, payee=found(order)["customer"])
# -         except NothingLeft:
# -             raise ToolError("That is more than is left of this order.") from None
# +             book.pay_back(order, cents, payee=row["customer"])
# +         except Exception as error:
# +             raise ToolError(str(error)) from error


# %% tags=["mistake"] exercise="type-the-tools" title="The order as it was before" catches="read it again"
# -         """Refund part of an order to the customer who paid for it."""
# +         """Refund part of an order to the customer who paid for it."""
# +         row = found(order)
#
# -         return await get_order(order)
# +         return Order(order=row["id"], total=row["total"], refunded=row["refunded"])


# %% tags=["mistake"] exercise="type-the-tools" title="No return type that says what comes" catches="Is the return type annotated `-> Order`?"
# -     async def get_order(order: Number) -> Order:
# +     async def get_order(order: Number) -> dict:


# %% tags=["mistake"] exercise="type-the-tools" title="An order or nothing" catches="is wrapped in `result`"
# -     async def get_order(order: Number) -> Order:
# +     async def get_order(order: Number) -> Order | None:


# %% tags=["mistake"] exercise="type-the-tools" title="One excuse for every error" catches="turns an outage into a wrong answer"
# -         except NothingLeft:
# +         except Exception:


# %% tags=["mistake"] exercise="type-the-tools" title="Never say what is wrong" catches="expected a sentence in a ToolError"
def orders_server(book):
    server = MCPServer("orders", version="2.0.0")

    def found(order):
        return book.find(order)

    @server.tool()
    async def get_order(order: Annotated[str, Field(pattern=r"^[0-9]{4}$")]) -> Order:
        """Return an order."""
        row = found(order)
        return Order(order=row["id"], total=row["total"], refunded=row["refunded"])

    @server.tool()
    async def refund_order(
        order: Annotated[str, Field(pattern=r"^[0-9]{4}$")],
        cents: Annotated[int, Field(ge=1, le=REFUND_LIMIT)],
        reason: Literal["damaged", "late", "wrong item"],
    ) -> Order:
        """Refund part of an order."""
        book.pay_back(order, cents, payee=found(order)["customer"])
        return await get_order(order)

    return server


# %% tags=["mistake"] exercise="type-the-tools" title="An empty order instead of an error" catches="Got through: an order that does not exist"
# -         row = book.find(order)
# -         if row is None:
# -             raise ToolError(f"There is no order {order}.")
# -         return row
# +         return book.find(order) or {"id": order, "customer": "", "total": 0, "refunded": 0}


# %% tags=["mistake"] exercise="type-the-tools" title="Hand the row over as it is" catches="No longer works: an order is looked up (KeyError: 'order' (in get_order"
# -         return Order(order=row["id"], total=row["total"], refunded=row["refunded"])
# +         return Order(order=row["order"], total=row["total"], refunded=row["refunded"])


# %% tags=["mistake"] exercise="type-the-tools" title="Refuse everything" catches="No longer works: an order is looked up"
# -         row = book.find(order)
# -         if row is None:
# -             raise ToolError(f"There is no order {order}.")
# -         return row
# +         raise ToolError("Please ask a person.")


# %% [markdown] tags=["solution"] exercise="type-the-tools"
# The types do three jobs at once: they are the schema that the model reads, the check that the SDK makes before your code runs,
# and the documentation. Two walls stand behind them in any case: the SQL in `Book` has parameters, and `pay_back` compares
# with what is left in the same statement that changes it. What a type cannot say is whether *this* customer may have *this*
# refund: that is a policy (the lab *Authorize every call*).

# %% [markdown]
# What the model reads now:


# %% id="typed-tools"
async def second_conversation(client):
    await client.list_tools()
    await client.call_tool("get_order", {"order": "1001"})
    await client.call_tool("get_order", {"order": "9999"})
    await client.call_tool("get_order", {"order": "1 OR 1=1"})


your_orders = orders_server(Book())
typed, answered, unknown, mistyped = run(on_the_wire(your_orders, second_conversation, mode="2026-07-28"))
show(typed, answer_only=True)

# %% [markdown]
# And the answers to three calls: an order, an order that does not exist, and SQL in place of a number. All three are HTTP
# 200: the request was understood, and `isError` says that the *tool* has something to complain about. The model reads the
# text and can mend its call. An error of the *protocol* looks different; you will meet one in exercise 3.

# %% id="results-and-errors"
for exchange in (answered, unknown, mistyped):
    show(exchange, answer_only=True)

# %% [markdown]
# ## Attack 2: a web page calls the server
#
# The engineer runs `orders` on the laptop, to test it against last week's orders. In a container `127.0.0.1` was not
# reachable, so the line now reads `server.run("streamable-http", host="0.0.0.0", port=8000)`, and still does without the container.
# (Inside one, 0.0.0.0 is right: publish the port with `-p 127.0.0.1:8000:8000`, and set the lists of exercise 2 anyway.) Nobody has
# a password for it, because it is "only local". In the same café, in the same minute, the engineer reads a web page.
#
# A page may not talk to any server it likes. The browser keeps two rules, and both go by **origin**: scheme, name and port of
# the page's address. (1) Before a page sends JSON to another origin, the browser asks that server with an `OPTIONS` request,
# the preflight, whether it wants that. (2) Without such a permission the page does not get to read the answer.
#
# Below is a browser with these two rules and nothing else, a name service, and a laptop with two addresses. They are small
# models, machinery that you may skip; the server behind them is the real one.


# %%
class TurnedAway(Exception):
    """The request got no answer: refused by the server, by the browser, or nobody listens there."""


class Laptop:
    """A machine with two addresses; a server listens on one of them or, with 0.0.0.0, on all."""

    LOOPBACK, WIFI = "127.0.0.1", "192.168.1.20"

    def __init__(self, server, how):
        """`how` is what server.run("streamable-http", **how) would get: it hands `host` on to the app as well."""
        self.server, self.how = server, how

    def listens_on(self, address):
        host = self.how.get("host", "127.0.0.1")
        if host in ("0.0.0.0", "::"):
            return True
        # A name of this machine leads to its wifi address, a loopback name stays inside.
        return address == (self.LOOPBACK if host in ("127.0.0.1", "localhost") else self.WIFI)

    async def send(self, address, method, headers, body=b""):
        """One request to port 8000 of an address. Raises TurnedAway when nobody listens or the server says no."""
        async with self.running() as http:
            return await self.answer(http, address, method, headers, body)

    def running(self):
        """The server as it runs here, for `answer`."""
        return serving(http_app(self.server, **{key: value for key, value in self.how.items() if key != "port"}))

    async def answer(self, http, address, method, headers, body):
        if not self.listens_on(address):
            raise TurnedAway(f"connection refused: nobody listens on {address}")
        answer = await http.request(method, LOCAL, headers=headers, content=body)
        if answer.status_code in (403, 421):
            raise TurnedAway(f"{answer.status_code} {answer.text}")
        return answer


def call_of(tool, **arguments):
    """Headers and body of a tools/call, as the SDK's client sends them."""
    meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
    params = {"name": tool, "arguments": arguments, "_meta": meta}
    headers = {
        "accept": "application/json, text/event-stream",
        "content-type": "application/json",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/call",
        "mcp-name": tool,
    }
    return headers, json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()


class Browser:
    """Runs the script of a page. `names` says which address a name has, now and after its first use."""

    def __init__(self, laptop, names):
        self.laptop, self.names = laptop, {name: list(addresses) for name, addresses in names.items()}

    def address_of(self, name):
        addresses = self.names.get(name, [name])
        return addresses.pop(0) if len(addresses) > 1 else addresses[0]

    async def fetch(self, page, url, headers, body):
        """What fetch(url) in a script on `page` gives. The script cannot choose Host and Origin: the browser writes them."""
        target = urlsplit(url)
        address = self.address_of(target.hostname)
        true = {"host": target.netloc, "origin": page}
        if page != f"{target.scheme}://{target.netloc}":
            asked = await self.laptop.send(address, "OPTIONS", true | {"access-control-request-method": "POST"})
            if asked.headers.get("access-control-allow-origin") not in (page, "*"):
                raise TurnedAway("the browser: that server does not want to hear from this page")
        return await self.laptop.send(address, "POST", headers | true, body)


# %% [markdown]
# First try: the page calls `http://127.0.0.1:8000` straight away. The browser holds.

# %%
careless = {"host": "0.0.0.0", "port": 8000}
STEAL = call_of("look_up_order", query="SELECT * FROM orders")
EVIL = "http://parcel-news.example:8000"

laptop = Laptop(given_orders(Book()), careless)
browser = Browser(laptop, {"parcel-news.example": ["203.0.113.7", "127.0.0.1"]})
try:
    run(browser.fetch(EVIL, LOCAL, *STEAL))
except TurnedAway as error:
    print(error)

# %% [markdown]
# Second try: **DNS rebinding**. The page's own name has two addresses, one after the other. When the browser loads the page,
# `parcel-news.example` is 203.0.113.7. When the page's script asks its own server for more, the name has become 127.0.0.1. To
# the browser nothing has changed: same scheme, same name, same port, same origin. No preflight, and the answer may be read.
# (So the attacker serves the page on port 8000 too, and tries other pages for other ports.)

# %% tags=["attack"]
browser.address_of("parcel-news.example")  # the page itself is loaded from 203.0.113.7
stolen = run(browser.fetch(EVIL, f"{EVIL}/mcp", *STEAL))
rows = json.loads(stolen.json()["result"]["structuredContent"]["result"])
landed("a web page read the orders and the customers' addresses from a server that is only local", rows)

neighbor = STEAL[0] | {"host": "127.0.0.1:8000"}
run(laptop.send("192.168.1.20", "POST", neighbor, call_of("look_up_order", query="DELETE FROM orders")[1]))
left = json.loads(
    run(laptop.send("192.168.1.20", "POST", neighbor, STEAL[1])).json()["result"]["structuredContent"]["result"]
)
landed(
    "and a neighbor in the café's network deleted all orders, over the address of the wifi", f"{len(left)} orders left"
)

# %% [markdown]
# Look at two headers of the page's request, as it arrived:

# %%
print(*(f"{name}: {stolen.request.headers[name]}" for name in ("host", "origin")), sep="\n")

# %% [markdown]
# The browser wrote `parcel-news.example:8000` into `Host`, because that is the name it believes it is talking to, and into `Origin`,
# because that is where the page is from. The page could forge neither. These two headers are the only
# witnesses that the server has, and this server did not ask them. (The neighbor uses no browser, and writes what suits.)
#
# The SDK can ask. Unless you hand it lists of your own, it goes by one argument, `host`:

# %% id="defaults"
HELLO = call_of("look_up_order", query="SELECT 1")


async def answers(how):
    """What a server that runs with `how` says to a foreign Host, and to a foreign Origin."""
    said = []
    async with serving(http_app(given_orders(Book()), **how)) as http:
        for forged in ({"host": "evil.example:8000"}, {"origin": "https://evil.example"}):
            answer = await http.post(LOCAL, headers=HELLO[0] | forged, content=HELLO[1])
            said.append(f"{answer.status_code} {answer.reason_phrase}")
    return said


for host in ("127.0.0.1", "localhost", "0.0.0.0", "orders.harbor.example"):
    print(f"host={host!r:<26} foreign Host: {{:<26}} foreign Origin: {{}}".format(*run(answers({"host": host}))))

# %% [markdown]
# The protection is on while `host` is a loopback name, and off for every other value. `host="orders.harbor.example"` looks like
# a list of one. It is no list: it says where to listen, and by the way it switches the guard off (mcp 2.3.0, as of 2026-11).
#
# ## Exercise 2: ask the two witnesses
#
# `orders` goes to a machine of its own. A reverse proxy on the same machine takes requests from outside, ends the encryption,
# and passes them on to `127.0.0.1:8000` with their `Host` unchanged. Write how the server runs behind it. `names` are the host
# names it has, `pages` the origins of the web pages that may call it; both differ from server to server.
#
# - Return a dict: the keyword arguments of `server.run("streamable-http", ...)`, that is `host`, `port` (8000) and
#   `transport_security=TransportSecuritySettings(allowed_hosts=[...], allowed_origins=[...])`.
# - With `transport_security` the guard is on, whatever `host` is, and your lists **replace** the SDK's own: what is not in them is
#   refused, loopback names included.
# - A host is compared as a whole, port included. `Host` has no port when it is the usual one: allow each name as it is, and with
#   `:443`. An entry that ends in `:*` allows the name with any port, and not the name alone.
# - On the machine itself the server is tested as `127.0.0.1:8000`: allow that too.
# - An origin has a scheme: `https://desk.harbor.example`. Allow those of `pages`, as they are, and no other: `names` have no pages.
#   A request without `Origin` is no browser's and passes this check.


# %% tags=["exercise"] id="mind-the-door" title="Ask the two witnesses" minutes=7
def door(names, pages):
    """Return the keyword arguments with which server.run("streamable-http", ...) serves `names`, called by `pages`."""
    ### BEGIN SOLUTION
    security = TransportSecuritySettings(
        allowed_hosts=[*names, *(f"{name}:443" for name in names), "127.0.0.1:8000"],
        allowed_origins=list(pages),
    )
    return {"host": "127.0.0.1", "port": 8000, "transport_security": security}
    ### STUB
    # return {"host": "0.0.0.0", "port": 8000}
    ### END SOLUTION


# %% tags=["check"] exercise="mind-the-door"
def door_of(names, pages):
    """What door returns, if it is of use to server.run."""
    how = door(names, pages)
    expect(
        isinstance(how, dict)
        and {"host", "port"} <= how.keys() <= {"host", "port", "transport_security"}
        and how["port"] == 8000,
        f"door returns {how!r}; expected a dict with host, port 8000 and transport_security.",
    )
    return how


async def knock(laptop, knocks):
    """Call get_order once for each (address, headers); return what came of it, a TurnedAway or None."""
    headers, body = call_of("get_order", order="1001")
    came = []
    async with laptop.running() as http:
        for address, changed in knocks:
            try:
                answer = await laptop.answer(http, address, "POST", headers | changed, body)
            except TurnedAway as error:
                came.append(error)
                continue
            came.append(None)
            expect(
                answer.status_code == 200,
                f"The server answered {answer.status_code} {answer.text!r}; expected a result.",
            )
    return came


def as_it_came(error):
    if error:
        raise error


with check("mind-the-door"):
    for names, pages in (
        (
            ["orders.harbor.example", "refunds.harbor.example"],
            ["https://desk.harbor.example", "https://shop.harbor.example"],
        ),
        (["stock.harbor.example"], ["https://pos.harbor.example"]),
    ):
        laptop = Laptop(your_orders, door_of(names, pages))
        heard, name, page = laptop.listens_on("127.0.0.1"), names[0], pages[0]
        welcome = []
        for own in names:
            usual = "That is the Host of a client that uses the usual port; `name:*` does not allow it"
            for host, why in ((own, usual), (f"{own}:443", "Some clients write the usual port out")):
                welcome.append(
                    (f"a client calls {host}", {"host": host}, f"allowed_hosts has no entry for {host!r}. {why}.")
                )
        welcome.append(
            (
                "a client calls 127.0.0.1:8000",
                {"host": "127.0.0.1:8000"},
                "allowed_hosts has no entry for '127.0.0.1:8000'. Your list replaces the built-in one, so the test on the machine itself "
                "needs an entry too.",
            )
        )
        for own in pages:
            calling = {"host": name, "origin": own}
            welcome.append((f"the page {own} calls {name}", calling, "allowed_origins holds `pages`, as they are."))
        by_host = (
            "Expected 421. The guard is off for this host unless it gets TransportSecuritySettings, and it compares whole "
            "entries of allowed_hosts."
        )
        rebound = ("parcel-news.example:8000", f"{name}.evil.example", f"evil-{name}", "desk.example")
        strangers = [(f"a page that was rebound to {name} as {host}", {"host": host}, by_host) for host in rebound]
        by_origin = (
            "Expected 403. A proxy passes Host unchanged, so only Origin tells a foreign page from your own: allowed_origins holds "
            "`pages` and nothing else."
        )
        origins = {
            "a foreign page": "https://evil.example",
            "a foreign page that is not encrypted": "http://evil.example",
            "a page whose name begins like yours": f"{page}.evil.example",
            "your page, not encrypted": page.replace("https:", "http:"),
            "a page on another port of your page's machine": f"{page}:8443",
            "a page under the server's own name": f"https://{name}",
            "a frame without an origin": "null",
            "another program's page on this machine": "http://localhost:3000",
            "a page on the port of the server itself": "http://127.0.0.1:8000",
            "a page on that port, by its name": "http://localhost:8000",
        }
        strangers += [(f"{what} calls {name}", {"host": name, "origin": o}, by_origin) for what, o in origins.items()]
        neighbor = "192.168.1.20", {"host": name}
        came = run(knock(laptop, [*(("127.0.0.1", changed) for _, changed, _ in welcome + strangers), neighbor]))
        for (what, _, hint), error in zip(welcome, came, strict=False):
            with works(
                what,
                hint=hint
                if heard
                else 'The proxy calls 127.0.0.1:8000, and the server listens elsewhere: host="127.0.0.1".',
            ):
                as_it_came(error)
        with refused(
            f"a neighbor calls the wifi address of {name}",
            by=TurnedAway,
            hint='Only the proxy on this machine has to reach it: listen on "127.0.0.1".',
        ):
            as_it_came(came[-1])
        for (what, _, hint), error in zip(strangers, came[len(welcome) :], strict=False):
            with refused(what, by=TurnedAway, hint=hint):
                as_it_came(error)


# %% tags=["mistake"] exercise="mind-the-door" title="Bind all addresses" catches="a neighbor calls the wifi address"
# -     return {"host": "127.0.0.1", "port": 8000, "transport_security": security}
# +     return {"host": "0.0.0.0", "port": 8000, "transport_security": security}


# %% tags=["mistake"] exercise="mind-the-door" title="Leave it to the default" catches="No longer works: a client calls orders.harbor.example"
def door(names, pages):
    # Loopback: the SDK's own protection is on.
    return {"host": "127.0.0.1", "port": 8000}


# %% tags=["mistake"] exercise="mind-the-door" title="The name as the host" catches="the server listens elsewhere"
def door(names, pages):
    return {"host": names[0], "port": 8000}


# %% tags=["mistake"] exercise="mind-the-door" title="Switch the guard off to get past 421" catches="that was rebound"
def door(names, pages):
    # The proxy in front checks all this already.
    security = TransportSecuritySettings(enable_dns_rebinding_protection=False)
    return {"host": "127.0.0.1", "port": 8000, "transport_security": security}


# %% tags=["mistake"] exercise="mind-the-door" title="A star for the host" catches="No longer works: a client calls orders.harbor.example"
# -         allowed_hosts=[*names, *(f"{name}:443" for name in names), "127.0.0.1:8000"],
# +         allowed_hosts=["*"],


# %% tags=["mistake"] exercise="mind-the-door" title="Any port of the name" catches="allowed_hosts has no entry for 'orders.harbor.example'."
# -         allowed_hosts=[*names, *(f"{name}:443" for name in names), "127.0.0.1:8000"],
# +         allowed_hosts=[*(f"{name}:*" for name in names), "127.0.0.1:8000"],


# %% tags=["mistake"] exercise="mind-the-door" title="The names and no ports" catches="allowed_hosts has no entry for 'orders.harbor.example:443'"
# -         allowed_hosts=[*names, *(f"{name}:443" for name in names), "127.0.0.1:8000"],
# +         allowed_hosts=[*names, "127.0.0.1:8000"],


# %% tags=["mistake"] exercise="mind-the-door" title="Forget the machine itself" catches="allowed_hosts has no entry for '127.0.0.1:8000'"
# -         allowed_hosts=[*names, *(f"{name}:443" for name in names), "127.0.0.1:8000"],
# +         allowed_hosts=[*names, *(f"{name}:443" for name in names)],


# %% tags=["mistake"] exercise="mind-the-door" title="Any page with encryption" catches="a foreign page calls"
# -         allowed_origins=list(pages),
# +         allowed_origins=[*pages, "https:*"],


# %% tags=["mistake"] exercise="mind-the-door" title="Pages opened from disk as well" catches="a frame without an origin"
# -         allowed_origins=list(pages),
# +         allowed_origins=[*pages, "null"],


# %% tags=["mistake"] exercise="mind-the-door" title="Keep the SDK's local origins" catches="another program's page"
# -         allowed_origins=list(pages),
# +         allowed_origins=[*pages, "http://localhost:*", "http://127.0.0.1:*"],


# %% tags=["mistake"] exercise="mind-the-door" title="Forget the pages" catches="No longer works: the page https://desk.harbor.example"
# -         allowed_origins=list(pages),
# +         allowed_origins=[f"https://{name}" for name in names],


# %% tags=["mistake"] exercise="mind-the-door" title="One server's names for all servers" catches="No longer works: a client calls refunds.harbor.example"
def door(names, pages):
    security = TransportSecuritySettings(
        allowed_hosts=["orders.harbor.example", "orders.harbor.example:443", "127.0.0.1:8000"],
        allowed_origins=["https://desk.harbor.example"],
    )
    return {"host": "127.0.0.1", "port": 8000, "transport_security": security}


# %% tags=["mistake"] exercise="mind-the-door" title="Answer nobody" catches="No longer works: a client calls orders.harbor.example"
def door(names, pages):
    security = TransportSecuritySettings(
        allowed_hosts=[],
        allowed_origins=[],
    )
    return {"host": "127.0.0.1", "port": 8000, "transport_security": security}


# %% [markdown] tags=["solution"] exercise="mind-the-door"
# Three walls, each for another caller. The address keeps the network out. `Host` keeps out pages that were rebound. `Origin`
# keeps out pages that come in through the proxy under your own name. None of them says *who* calls: a token does
# (the lab *Bind tokens to their audience*). Where pages of another origin call, the proxy also has to
# answer the browser's preflight (CORS). CORS alone is no wall: it tells browsers what a page may read.

# %% [markdown]
# ## Attack 3: the same call in an older dialect
#
# A second agent, `night-report`, counts refunds. It may call `get_order` and nothing else. Somebody has put a gateway between
# it and `orders`; it reads `Mcp-Name`, as revision 2026-07-28 makes possible, and stops `refund_order`.


# %%
class Blocked(Exception):
    """The gateway does not let this request pass."""


def given_gateway(headers, allowed):
    """The gateway as it is: night-report must not refund."""
    if headers.get("mcp-name") == "refund_order":
        raise Blocked("refund_order")


def behind(gateway, app, allowed):
    """Put `gateway` in front of an app: it sees the headers of each request, and never the body."""

    async def guarded(scope, receive, send):
        if scope["type"] == "http":
            try:
                gateway(Headers(scope=scope), allowed)
            except Blocked as error:
                return await JSONResponse({"blocked": str(error)}, 403)(scope, receive, send)
        return await app(scope, receive, send)

    guarded.router = app.router
    return guarded


async def as_night_report(gateway, book, tool, mode, **arguments):
    """Call one tool through the gateway with the SDK's client. Returns (exchanges, result)."""
    exchanges = []

    async def keep(response):
        await response.aread()
        exchanges.append((response.request, response))
        if response.status_code >= 400:
            raise TurnedAway(f"{response.status_code} {response.text}")

    app = behind(gateway, http_app(orders_server(book)), {"get_order"})
    async with serving(app, event_hooks={"response": [keep]}) as http:
        async with Client(streamable_http_client(LOCAL, http_client=http), mode=mode) as client:
            result = await client.call_tool(tool, arguments)
    return exchanges, result


REFUND = {"order": "1001", "cents": 5_000, "reason": "late"}
try:
    run(as_night_report(given_gateway, Book(), "refund_order", "2026-07-28", **REFUND))
except TurnedAway as error:
    print(error)

# %% [markdown]
# It holds. But the server does not speak one revision alone. The SDK's server answers every older one at the same address, and
# has no switch to stop that (mcp 2.3.0). The SDK's client speaks the one before, 2025-11-25, when it is told `mode="legacy"`.
# (It also asks for `tools/list` before the call; that exchange is left out below.)

# %% tags=["attack"] id="older-dialect"
book = Book()
exchanges, result = run(as_night_report(given_gateway, book, "refund_order", "legacy", **REFUND))
for exchange in exchanges:
    if json.loads(exchange[0].content)["method"] != "tools/list":
        show(exchange)
landed("an agent that may only read refunded 50 euros, past a gateway that looks at Mcp-Name", book.payouts)

# %% [markdown]
# Here is what MCP was until July 2026: a handshake (`initialize`, then `notifications/initialized`), then calls that rely on it.
# They have no `mcp-method`, no `mcp-name`, no `_meta`. (A server with sessions also hands out an `Mcp-Session-Id`; this one keeps
# none.) And worse: with an older version in the header the server does not *compare* the others either.

# %%
headers, body = call_of("refund_order", **REFUND)
lies = headers | {"mcp-name": "get_order"}


async def post_to(server, headers, body):
    async with serving(http_app(server)) as http:
        answer = await http.post(LOCAL, headers=headers, content=body)
    return answer.request, answer


print("Mcp-Name says get_order, the body says refund_order. In revision 2026-07-28:\n")
show(run(post_to(orders_server(Book()), lies, body)), answer_only=True)
print("The same request, its version header changed to 2025-11-25:\n")
show(run(post_to(orders_server(Book()), lies | {"mcp-protocol-version": "2025-11-25"}, body)), answer_only=True)

# %% [markdown]
# How far back does it go? For each revision: what the server answers to an `initialize` that asks for it, and what it says to the
# lie in `Mcp-Name`.


# %% id="revisions"
async def of_revision(revision):
    """The version that `initialize` agrees on, and the answer to a call whose header and body differ."""
    hello = {"protocolVersion": revision, "capabilities": {}, "clientInfo": {"name": "lab", "version": "1"}}
    opening = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello})
    plain = {name: value for name, value in headers.items() if not name.startswith("mcp-")}
    _, agreed = await post_to(orders_server(Book()), plain, opening)
    _, lied = await post_to(orders_server(Book()), lies | {"mcp-protocol-version": revision}, body)
    return agreed.json()["result"]["protocolVersion"], f"{lied.status_code} {lied.reason_phrase}"


print("asked for     initialize agrees on   Mcp-Name and body differ")
for revision in ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"):
    print("{:<13} {:<22} {}".format(revision, *run(of_revision(revision))))

# %% [markdown]
# 2026-07-28 has no `initialize`; asked for it, the server offers the newest revision that has one. And only in the last line did
# somebody compare.
#
# Back to the two answers above. The first is an error of the protocol: HTTP 400, an `error` in place of a `result`, and a code.
# -32020 is *header mismatch*. The model never sees it.
#
# ## Exercise 3: decide by headers that somebody checks
#
# Write the gateway. It sees headers only, and it may believe them when the server compares them with the body: that is so for
# revision 2026-07-28. For this reason the specification says that a gateway which decides by these headers should refuse older
# versions, and requests without one.
#
# - Let pass: `server/discover`, `tools/list`, and `tools/call` of a tool in `allowed`. For anything else raise `Blocked`.
# - `headers.get("mcp-protocol-version")`, `"mcp-method"`, `"mcp-name"`: a text, or None when the header is missing.
# - What the function returns is ignored. Only `Blocked` stops a request.


# %% tags=["exercise"] id="guard-the-headers" title="Decide by headers that somebody checks" minutes=5
def gateway(headers, allowed):
    """Return None when a request with these headers may pass; raise Blocked("why") when not."""
    ### BEGIN SOLUTION
    if headers.get("mcp-protocol-version") != "2026-07-28":
        raise Blocked("the server compares these headers in revision 2026-07-28 only")
    method = headers.get("mcp-method")
    if method == "tools/call":
        if headers.get("mcp-name") not in allowed:
            raise Blocked("this tool is not for you")
    elif method not in ("server/discover", "tools/list"):
        raise Blocked("this method is not for you")
    ### STUB
    # given_gateway(headers, allowed)
    ### END SOLUTION


# %% tags=["check"] exercise="guard-the-headers"
def without(headers, *names):
    return {name: value for name, value in headers.items() if name not in names}


async def server_says(bodies):
    """Send each (headers, body) through the gateway; return the answers."""
    async with serving(behind(gateway, http_app(your_orders), {"get_order"})) as http:
        return [await http.post(LOCAL, headers=headers, content=body) for headers, body in bodies]


with check("guard-the-headers"):
    asked, body = call_of("refund_order", **REFUND)
    fine = asked | {"mcp-name": "get_order"}
    try:
        said = gateway(Headers(asked), {"get_order"})
    except Blocked:
        said = None
    expect(
        said is None,
        f"To a refund the gateway says {said!r}, and the request goes on; expected Blocked: raise it, a return value is ignored.",
    )
    # First the gateway alone.
    plain = without(asked, "mcp-name")
    for what, sent in {
        "night-report looks an order up": fine,
        "night-report says hello": plain | {"mcp-method": "server/discover"},
        "night-report lists the tools": plain | {"mcp-method": "tools/list"},
    }.items():
        with works(what, hint="Let server/discover, tools/list and get_order pass; the first two have no Mcp-Name."):
            gateway(Headers(sent), {"get_order"})
    old = "Older versions are not compared with the body: pass 2026-07-28 alone."
    cases = {
        "a refund": (asked, "Pass tools/call only for a tool in `allowed`."),
        "a refund whose name is written in base64": (
            # The specification's way to write a name in any script; this is refund_order.
            asked | {"mcp-name": "=?base64?cmVmdW5kX29yZGVy?="},
            "List what may pass, not what may not.",
        ),
        "a call without Mcp-Name": (plain, "A missing name is no allowed name."),
        "a refund without a version": (without(asked, "mcp-protocol-version"), old),
        "a refund without a version that calls itself get_order": (without(fine, "mcp-protocol-version"), old),
        "a refund of 2025-11-25, without MCP headers": (
            without(asked, "mcp-method", "mcp-name") | {"mcp-protocol-version": "2025-11-25"},
            old,
        ),
    }
    for version in ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"):
        lie = fine | {"mcp-protocol-version": version}
        cases[f"a refund of {version} that calls itself get_order"] = (lie, old)
    cases["a call of a revision that does not exist yet"] = (
        fine | {"mcp-protocol-version": "2027-07-28"},
        "Nobody knows what a later revision compares: pass 2026-07-28 alone, and no range of dates.",
    )
    for method in (
        *("prompts/list", "prompts/get", "resources/list", "resources/read", "ping", "initialize"),
        *("notifications/initialized", "subscriptions/listen", "tools/call/x", ""),
    ):
        few = "night-report needs three methods: list them, and raise Blocked for the rest; what you return is ignored."
        cases[method or "an empty method"] = (plain | {"mcp-method": method}, few)
    cases["no method"] = (without(plain, "mcp-method"), few)
    for what, (sent, hint) in cases.items():
        with refused(what, by=Blocked, hint=hint):
            gateway(Headers(sent), {"get_order"})
    with refused("a caller that may use no tool", by=Blocked, hint="The list is an argument: read `allowed`."):
        gateway(Headers(fine), set())

    # Then with the server behind it, which compares.
    lies = {"get_order": {"mcp-name": "get_order"}, "tools/list": {"mcp-method": "tools/list"}}
    for lie, answer in zip(lies, run(server_says((asked | changed, body) for changed in lies.values())), strict=True):
        with refused(f"a refund that calls itself {lie}", by=TurnedAway, hint="Leave this one to the server."):
            if answer.status_code >= 400:
                raise TurnedAway(f"{answer.status_code} {answer.text}")
    with refused("an older client", by=TurnedAway, hint=old):
        run(as_night_report(gateway, Book(), "refund_order", "legacy", **REFUND))
    for mode in ("auto", "2026-07-28"):
        with works(
            f"night-report looks an order up, mode {mode}", hint="Let server/discover, tools/list and get_order pass."
        ):
            exchanges, result = run(as_night_report(gateway, Book(), "get_order", mode, order="1001"))
    expect(not result.is_error, f"get_order gave {result.content}; expected the order.")


# %% tags=["mistake"] exercise="guard-the-headers" title="A list of what is forbidden" catches="a refund whose name is written in base64"
def gateway(headers, allowed):
    if headers.get("mcp-protocol-version") != "2026-07-28":
        raise Blocked("too old")
    if headers.get("mcp-method") not in ("server/discover", "tools/list", "tools/call"):
        raise Blocked("method")
    if headers.get("mcp-name") in {"refund_order", "delete_order"}:
        raise Blocked("tool")


# %% tags=["mistake"] exercise="guard-the-headers" title="Allowed tools, whatever the version" catches="a refund without a version that calls itself get_order"
def gateway(headers, allowed):
    method, name = headers.get("mcp-method"), headers.get("mcp-name")
    if method not in ("server/discover", "tools/list") and (method != "tools/call" or name not in allowed):
        raise Blocked("not allowed")


# %% tags=["mistake"] exercise="guard-the-headers" title="Any version that has the header" catches="a refund of 2025-06-18 that calls itself get_order"
def gateway(headers, allowed):
    if (headers.get("mcp-protocol-version") or "") < "2025-06-18":
        raise Blocked("too old")
    method, name = headers.get("mcp-method"), headers.get("mcp-name")
    if method not in ("server/discover", "tools/list") and (method != "tools/call" or name not in allowed):
        raise Blocked("not allowed")


# %% tags=["mistake"] exercise="guard-the-headers" title="This revision or a later one" catches="a revision that does not exist yet"
def gateway(headers, allowed):
    if (headers.get("mcp-protocol-version") or "") < "2026-07-28":
        raise Blocked("too old")
    method, name = headers.get("mcp-method"), headers.get("mcp-name")
    if method not in ("server/discover", "tools/list") and (method != "tools/call" or name not in allowed):
        raise Blocked("not allowed")


# %% tags=["mistake"] exercise="guard-the-headers" title="Say no, softly" catches="a return value is ignored"
def gateway(headers, allowed):
    if headers.get("mcp-protocol-version") != "2026-07-28":
        return False
    method, name = headers.get("mcp-method"), headers.get("mcp-name")
    return method in ("server/discover", "tools/list") or (method == "tools/call" and name in allowed)


# %% tags=["mistake"] exercise="guard-the-headers" title="Keep the older clients alive" catches="a refund of 2025-11-25, without MCP headers"
def gateway(headers, allowed):
    if headers.get("mcp-method") is None:
        return  # an older client: it has no such header
    if headers.get("mcp-protocol-version") != "2026-07-28":
        raise Blocked("version")
    method, name = headers.get("mcp-method"), headers.get("mcp-name")
    if method not in ("server/discover", "tools/list") and (method != "tools/call" or name not in allowed):
        raise Blocked("not allowed")


# %% tags=["mistake"] exercise="guard-the-headers" title="Every method but tools/call passes" catches="prompts/list"
def gateway(headers, allowed):
    if headers.get("mcp-protocol-version") != "2026-07-28":
        raise Blocked("version")
    if headers.get("mcp-method") == "tools/call" and headers.get("mcp-name") not in allowed:
        raise Blocked("tool")


# %% tags=["mistake"] exercise="guard-the-headers" title="Names only" catches="No longer works: night-report says hello"
def gateway(headers, allowed):
    if headers.get("mcp-protocol-version") != "2026-07-28" or headers.get("mcp-name") not in allowed:
        raise Blocked("not allowed")


# %% tags=["mistake"] exercise="guard-the-headers" title="The visible tool, written down" catches="a caller that may use no tool"
def gateway(headers, allowed):
    if headers.get("mcp-protocol-version") != "2026-07-28":
        raise Blocked("version")
    method, name = headers.get("mcp-method"), headers.get("mcp-name")
    if method not in ("server/discover", "tools/list") and (method, name) != ("tools/call", "get_order"):
        raise Blocked("not allowed")


# %% tags=["mistake"] exercise="guard-the-headers" title="Block everything" catches="No longer works: night-report looks an order up"
def gateway(headers, allowed):
    raise Blocked("closed at night")


# %% [markdown] tags=["solution"] exercise="guard-the-headers"
# The version comes first, because it decides whether the other two headers mean anything. Two of the cases are refused by the
# server and not by you: a header that lies about the body is for whoever reads both. So is one that is sent twice: you see the
# first, and if that one may pass, the server answers 400, *header mismatch*. The price is real: clients that speak
# 2025-11-25 are locked out of this address. Where you still have some, give them another one, with a gateway that reads bodies.

# %% [markdown]
# ## All of it at once
#
# The file you take home, `files/check_mcp_server.py`, sends a handful of requests that call no tool. Here is what it says about
# the server as it was, and about yours.


# %%
findings = runpy.run_path(str(lab.files / "check_mcp_server.py"))["findings"]
HARBOR = "https://orders.harbor.example/mcp"


async def inspect_server(app):
    async with serving(app) as http:
        return await findings(http, HARBOR, headers_decide=True)


how = {key: value for key, value in door(["orders.harbor.example"], []).items() if key != "port"}
print("as it was:", *run(inspect_server(http_app(given_orders(Book()), host="0.0.0.0"))), sep="\n  ")
print("as it is now:", run(inspect_server(behind(gateway, http_app(orders_server(Book()), **how), {"get_order"}))))

# %% [markdown]
# Last, the three attacks against what you have built.

# %% tags=["attack"]
book = Book()
server, how = orders_server(book), door(["orders.harbor.example"], ["https://desk.harbor.example"])

with refused("a mail says UPDATE to the tool that looks orders up", by=ToolFailed, hint="See exercise 1."):
    run(ask(server, "get_order", order=MAIL))
with refused("a mail refunds 9,000 euros", by=ToolFailed, hint="See exercise 1."):
    run(ask(server, "refund_order", order="1003", cents=900_000, reason="late"))

GET = call_of("get_order", order="1001")
browser = Browser(Laptop(orders_server(book), how), {"parcel-news.example": ["203.0.113.7", "127.0.0.1"]})
browser.address_of("parcel-news.example")
with refused("a page is rebound to the server", by=TurnedAway, hint="See exercise 2."):
    run(browser.fetch(EVIL, f"{EVIL}/mcp", *GET))
with refused("a neighbor calls over the wifi", by=TurnedAway, hint="See exercise 2."):
    run(Laptop(orders_server(book), how).send("192.168.1.20", "POST", GET[0] | {"host": "127.0.0.1:8000"}, GET[1]))
with refused("night-report speaks the older dialect", by=TurnedAway, hint="See exercise 3."):
    run(as_night_report(gateway, book, "refund_order", "legacy", **REFUND))

print("order 1003:", book.find("1003"), " paid:", book.payouts)

# %% [markdown]
# ## What this does not cover
#
# - **Who calls.** Nothing here asks for a token. A program on the same machine sends any header it likes, and a reverse proxy
#   lets in whoever it lets in. That is the next lab, *Bind tokens to their audience*.
# - **The right tool with the wrong order.** A mail can still have Ada's order refunded, 50 euros at a time, as long as something
#   is left of it. Limits a day, a policy, and for larger sums a person come on top.
# - **Arguments that are not in the schema.** The SDK dropped `payee` without a word. It does no harm here; it would if something
#   between client and server read it.
# - **Text in results and descriptions.** Both go to the model. What a stranger wrote into an order, the model reads as well.
# - **The browser's own walls.** Chrome announced in June 2025 that it asks before a public page may reach the local network. A
#   server cannot see whether its visitor has such a browser, or who clicked *Allow*.
# - **The models in this lab.** Browser, names and addresses are some forty lines; the refusals (421, 403, 400) are the SDK's.
# - **stdio.** A server that its client starts as a child process has no port and no `Host`. It has the rights of whoever
#   started it, and the types of exercise 1 matter as much.

# %% [markdown] tags=["instructor"]
# 55 minutes: 12 for the wire (have people find, in the printed messages, what the model will read and what nobody checks), 17 for
# the three attacks and the text between, 26 for the exercises as marked. With 35 minutes, do 1 and 2 and show 3.
#
# - Before attack 2, ask: "The page cannot set `Host`. So what is forged?" Nothing is: the browser tells the truth, and the server
#   did not listen. The name of the attack hides that.
# - Exercise 1: discuss *Limits in the code, not in the types*. It is as safe, for this one server. What the schema does not say,
#   nobody else can enforce, and the model learns it by failing.
# - Exercise 2: *Leave it to the default* fails closed: the honest client gets 421, and the next thing people try is *Switch the
#   guard off*. Show both messages side by side. Is `orders.harbor.example:*` too wide? No: a rebound page brings its own name, and
#   no port makes it yours.
# - Exercise 3: ask who refuses "a refund that calls itself get_order", and what would happen with a server that does not compare.
# - Defaults hold for mcp 2.3.0 (2026-11). The cell that prints them will show it when they change.
