"""The enforcement point: the one place that every tool call passes, whatever the model wants.

    point = EnforcementPoint({"policy": MyPolicy(), "trace": Trace()})
    server = payments(ledger, middleware=[point.guard("payments")])
    point.switch("policy", on=False)        # an ablation: everything else stays as it is

It is MCP middleware, so it runs in the server's process, sees what is really called, and the model
has no say in it. What it decides is up to its controls, in their order. A control is switched on
and off by name. (The SDK calls its middleware interface provisional, as of mcp 2.3.0.)
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext
from mcp_types import CallToolResult, TextContent

from harbor.world import World

Json = dict[str, Any]


class Refused(Exception):
    """A control does not let this call through. The text is the reason, and the model gets to read it."""


@dataclass(frozen=True)
class Done:
    """A call that went through, and what came back as text."""

    server: str
    tool: str
    arguments: Json
    result: str


@dataclass(frozen=True)
class Call:
    """A call that wants through: what is called, for which task, and what happened before it in the conversation."""

    server: str
    tool: str
    arguments: Json
    task: str
    before: tuple[Done, ...] = ()


@dataclass(frozen=True)
class Decision:
    """What was decided on one call: `by` names the control that refused, "" when none did."""

    call: Call
    by: str = ""
    reason: str = ""

    @property
    def allowed(self) -> bool:
        return not self.by


class Control:
    """One control. It overrides what it needs; `before` and `after` may raise `Refused`."""

    def open(self, world: World) -> None:
        """The shop of the calls to come: its mail server, order book and ledger, where a control finds its facts."""

    def begin(self, task: str) -> None:
        """A conversation begins, for this task of the operator."""

    def listed(self, server: str, tools: list[Json]) -> list[Json]:
        """The tools that `server` may show, of those it wants to show."""
        return tools

    async def before(self, call: Call) -> None:
        """The call has not been made yet."""

    async def after(self, call: Call, result: str) -> None:
        """The call was made; `result` is what the model will read. Refusing now withholds it and undoes nothing."""


@dataclass
class EnforcementPoint:
    """Runs the controls that are on, in order, around every call of every server it guards."""

    controls: Mapping[str, Control] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._off: set[str] = set()
        self._task = ""
        self._done: list[Done] = []

    def switch(self, name: str, *, on: bool) -> None:
        """Switch one control. Raises `KeyError` when there is none of that name."""
        if name not in self.controls:
            raise KeyError(f"there is no control {name!r}; there are: {', '.join(self.controls) or 'none'}")
        (self._off.discard if on else self._off.add)(name)

    @property
    def on(self) -> dict[str, Control]:
        """The controls that are switched on, in order."""
        return {name: control for name, control in self.controls.items() if name not in self._off}

    def open(self, world: World) -> None:
        """Say which shop the calls to come are about."""
        for control in self.controls.values():
            control.open(world)

    def begin(self, task: str) -> None:
        """Start a conversation: what happened in earlier ones no longer counts as `before`."""
        self._task, self._done = task, []
        for control in self.on.values():
            control.begin(task)

    def guard(self, server: str) -> ServerMiddleware[Any]:
        """The middleware for one server."""

        async def middleware(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
            if ctx.method == "tools/list":
                return self._list(server, _plain(await call_next(ctx)))
            if ctx.method != "tools/call":
                return await call_next(ctx)
            params = ctx.params or {}
            call = Call(server, params["name"], dict(params.get("arguments") or {}), self._task, tuple(self._done))
            return await self._call(call, lambda: call_next(ctx))

        return middleware

    async def _call(self, call: Call, make: Callable[[], Awaitable[HandlerResult]]) -> HandlerResult:
        for name, control in self.on.items():
            try:
                await control.before(call)
            except Refused as refusal:
                return self._refuse(call, name, refusal)
        result = _plain(await make())
        text = text_of(result)
        for name, control in self.on.items():
            try:
                await control.after(call, text)
            except Refused as refusal:
                return self._refuse(call, name, refusal)
        if not result.get("isError"):
            self._done.append(Done(call.server, call.tool, call.arguments, text))
        self.decisions.append(Decision(call))
        return result

    def _refuse(self, call: Call, by: str, refusal: Refused) -> CallToolResult:
        self.decisions.append(Decision(call, by, str(refusal)))
        return CallToolResult(content=[TextContent(type="text", text=f"Refused: {refusal}")], is_error=True)

    def _list(self, server: str, result: Json) -> Json:
        for control in self.on.values():
            result = {**result, "tools": control.listed(server, result["tools"])}
        return result


def text_of(result: Json) -> str:
    """The text of a tool's result (a `CallToolResult` as JSON) as a model gets to read it."""
    return "\n".join(block["text"] for block in result.get("content", ()) if block.get("type") == "text")


def _plain(result: HandlerResult) -> Json:
    if result is None or isinstance(result, dict):
        return result or {}
    return result.model_dump(mode="json", by_alias=True, exclude_none=True)
