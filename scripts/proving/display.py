"""What scripts print while they work, and tables at the end."""

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
errors = Console(stderr=True, highlight=False)


class Progress:
    """A line a lab, moving on a terminal; plain lines elsewhere, and at least one every few seconds."""

    def __init__(self, title: str) -> None:
        self._title, self._started = title, time.monotonic()
        self._rows: dict[str, str] = {}
        self._live = Live(console=console, refresh_per_second=8, transient=True) if console.is_terminal else None
        self._spoken: dict[str, str] = {}

    def __enter__(self) -> "Progress":
        if self._live:
            self._live.start()
        else:
            say(self._title)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def __call__(self, slug: str, mode: str, text: str) -> None:
        """One step: lab, what kind of run, which cell."""
        self._rows[f"{slug} {mode}"] = f"{slug:<36} {mode:<8} {text}"
        if mode == "verdict":
            self._rows = {k: v for k, v in self._rows.items() if not k.startswith(f"{slug} ") or k.endswith("verdict")}
        if self._live:
            rows = "\n".join(self._rows.values())
            self._live.update(Text(f"{self._title} {time.monotonic() - self._started:.0f} s\n{rows}"))
        elif (text == "started" and mode != "fresh") or mode in ("verdict", "cached"):
            say(f"  {time.monotonic() - self._started:5.1f} s  {slug}  {mode}: {text}")


def say(text: str) -> None:
    """One line to the reader, at once, wherever the output goes."""
    print(text, flush=True)


def complain(text: str) -> None:
    """One line to standard error."""
    print(text, file=sys.stderr, flush=True)


def table(title: str, heads: list[str], rows: list[list[str]]) -> None:
    """A table that stays readable in a narrow terminal and in a log."""
    made = Table(title=title, title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for head in heads:
        made.add_column(head, justify="right" if head in ("seconds", "proof", "MB") else "left", no_wrap=head == "lab")
    for row in rows:
        made.add_row(*row)
    console.print(made)
