"""Write the generated pages: a page a lab, the catalogue, the status, and small includes.

They are plain Markdown on disk before the site generator starts, so that any generator can build
them. Whatever says something about a run is read from that run's evidence.
"""

import html
import json
import re
import shutil
import textwrap
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from proving import notebook
from proving.gates import GATES
from proving.paths import Tree
from proving.proof import Evidence
from proving.source import Cell, Exercise, Lab, Source

Json = dict[str, Any]
MEASURED = PurePosixPath("assets/measured.json")
GATE_NAMES = {
    "attack_lands": "The attack lands",
    "starter_fails": "The starter fails",
    "solution_holds": "The solution holds",
    "mistakes_caught": "Mistakes are caught",
}
# Also where a cell fails: a page must never show a colour code as text.
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def stage(tree: Tree, labs: list[Lab], evidence: list[Evidence]) -> list[Path]:
    """Write all generated pages and delete what an earlier run left. Returns the files written."""
    order = lab_order(tree)
    known = {e.slug: e for e in evidence}
    shown = [lab for slug in order for lab in labs if lab.slug == slug and slug in known]
    pages: dict[Path, str] = {}
    for position, lab in enumerate(shown):
        following = shown[position + 1] if position + 1 < len(shown) else None
        pages[tree.docs / "labs" / f"{lab.slug}.md"] = lab_page(lab, known[lab.slug], following)
        pages[tree.docs / "labs" / "files" / lab.slug / f"{lab.slug}.ipynb"] = notebook.learners(lab)
    pages[tree.docs / "labs" / "index.md"] = catalogue(shown, known)
    pages[tree.docs / "status.md"] = status(shown, known, measured(tree))
    pages[tree.cache / "includes" / "proved.md"] = proved_line(shown, known)
    for path, text in pages.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8", newline="\n")
    copied = []
    for lab in shown:
        source = lab.path.parent / "files" / lab.header.takeaway
        target = tree.docs / "labs" / "files" / lab.slug / lab.header.takeaway
        if not target.exists() or target.read_bytes() != source.read_bytes():
            shutil.copyfile(source, target)
        copied.append(target)
    wanted = {*pages, *copied}
    for path in (tree.docs / "labs").rglob("*"):
        if path.is_file() and path not in wanted:
            path.unlink()
    return sorted(wanted)


def lab_order(tree: Tree) -> list[str]:
    """The slugs of the labs in the order of mkdocs.yml's nav, the only place that knows order."""
    config = yaml.safe_load((tree.root / "mkdocs.yml").read_text(encoding="utf-8"))
    pages: list[str] = []

    def walk(node: Any) -> None:
        if isinstance(node, str):
            pages.append(node)
        for child in node if isinstance(node, list) else node.values() if isinstance(node, dict) else []:
            walk(child)

    walk(config.get("nav", []))
    return [PurePosixPath(p).stem for p in pages if p.startswith("labs/") and p != "labs/index.md"]


# -- the page of a lab ----------------------------------------------------------------------------


def lab_page(lab: Lab, evidence: Evidence, following: Lab | None) -> str:
    """The page of one lab: how to open it, the lab as it ran, the stamp of the run."""
    header = lab.header
    parts = [
        _front(header.title, header.summary, kind="lab", track=header.track),
        f"# {header.title}",
        f'<p class="pg-question">{html.escape(header.summary)}</p>',
        _facts(lab, evidence),
        _how_to_open(lab),
    ]
    parts += [_cell(lab, cell, evidence) for cell in lab.cells]
    parts += [_stamp(lab, evidence), _onwards(lab, following)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _facts(lab: Lab, evidence: Evidence) -> str:
    header = lab.header
    facts = [
        ("Time", f"{header.minutes} minutes"),
        ("Level", header.level),
        ("Needs", "Python 3.11 to 3.13" + (", Linux" if header.needs == "linux" else "")),
        ("Exercises", f"{len(lab.exercises)}, with {sum(len(e.mistakes) for e in lab.exercises)} mistakes they catch"),
        ("Proof", "all four gates passed" if evidence.passed else "did not pass: see the end of this page"),
    ]
    items = "".join(f"<div><dt>{html.escape(k)}</dt><dd>{html.escape(v)}</dd></div>" for k, v in facts)
    return f'<dl class="pg-facts">{items}</dl>'


def _how_to_open(lab: Lab) -> str:
    return (
        "## Open this lab {#open}\n\n"
        "```console\n"
        f"$ python3 scripts/lab.py {lab.slug}\n"
        "```\n\n"
        f"It opens JupyterLab on a copy of your own, `work/{lab.slug}.ipynb`. In VS Code, open that file and select the "
        f"interpreter in `.venv`. `python3 scripts/check.py {lab.slug}` says how far you are.\n\n"
        f"[Download the notebook](files/{lab.slug}/{lab.slug}.ipynb){{ download }} · "
        f"[Take-home file](files/{lab.slug}/{lab.header.takeaway}){{ download }} · "
        f"[The lesson](../{lab.header.lesson})\n\n"
        "Below, the lab as it ran on the machine that built this page. Solutions are folded."
    )


def _cell(lab: Lab, cell: Cell, evidence: Evidence) -> str:
    if cell.tag == "mistake":
        return ""
    if cell.kind == "markdown":
        if cell.tag == "solution":
            return _folded("success", "Why this solution", cell.text)
        if cell.tag == "instructor":
            return _folded("info", "For whoever teaches this", cell.text)
        return cell.text
    output = _outputs(evidence.outputs(cell.id), cell.tag)
    if cell.tag == "exercise" and cell.exercise:
        exercise = lab.exercise(cell.exercise)
        return "\n\n".join(
            [
                f'<p class="pg-turn" id="{exercise.id}">Your turn: {html.escape(exercise.title)} '
                f"<span>{exercise.minutes} minutes</span></p>",
                _fence(exercise.starter, "python", "pg-exercise"),
                _folded("success", "Solution", _fence(exercise.solution, "python")),
                output,
            ]
        ).strip()
    if cell.tag == "check":
        last = cell == lab.exercise(cell.exercise or "").checks[-1]
        mistakes = _mistakes(lab.exercise(cell.exercise or ""), evidence) if last else ""
        return "\n\n".join(filter(None, [_fence(cell.text, "python", "pg-check"), output, mistakes]))
    kind = "pg-attack" if cell.tag == "attack" else ""
    if cell.tag == "setup":
        return "\n\n".join(filter(None, [_folded("quote", "Setup", _fence(cell.text, "python")), output]))
    return "\n\n".join(filter(None, [_fence(cell.text, "python", kind), output]))


def _outputs(outputs: list[Json], tag: str | None) -> str:
    """What a cell printed, each kind of line marked for the eye."""
    parts = []
    for output in outputs:
        text = output.get("text") or output.get("data", {}).get("text/plain", "")
        text = _ANSI.sub("", text).rstrip("\n")
        if text:
            parts.append(_fence(text, "text", "pg-output", "pg-landed" if "ATTACK LANDED" in text else ""))
    return "\n\n".join(parts)


def _mistakes(exercise: Exercise, evidence: Evidence) -> str:
    messages = {v["name"]: v["message"] for v in evidence.variants if v["exercise"] == exercise.id}
    rows = [f"- **{m.title}.** {_inline(messages[m.id])}" for m in exercise.mistakes if m.id in messages]
    if not rows:
        return ""
    title = f"{len(rows)} wrong answers, and what the check said to each in this run"
    return _folded("failure", title, "\n".join(rows))


def _stamp(lab: Lab, evidence: Evidence) -> str:
    verdict, stamp = evidence.verdict, evidence.stamp
    rows = []
    for gate in GATES:
        result = verdict["gates"][gate]
        mark = "passed" if result["passed"] else "**failed**"
        rows.append(f"| {GATE_NAMES[gate]} | {mark} | {_inline(result['detail'].splitlines()[0])} |")
    bounds = verdict["bounds"]
    rows.append(
        f"| Kept inside its bounds | {'passed' if bounds['passed'] else '**failed**'} | {_inline(bounds['detail'].splitlines()[0])} |"
    )
    lines = ["## The proof {#proof}", "| Gate | Result | Seen in this run |\n|---|---|---|\n" + "\n".join(rows)]
    findings = [line for g in (*verdict["gates"].values(), bounds) for line in g["detail"].splitlines()[1:]]
    if findings:
        lines.append("\n".join(f"- {_inline(line)}" for line in findings))
    if stamp:
        versions = ", ".join(f"{name} {version}" for name, version in stamp["versions"].items())
        facts = [
            f"Run on {_day(stamp['date'])}",
            f"Python {stamp['python']} on {stamp['system']} {stamp['machine']}",
            *([versions] if versions else []),
            *lab.header.protocols,
            f"{stamp['seconds']:.1f} s, {verdict['peak_mb']:.0f} MB",
        ]
        how = sorted(set(verdict["snapshots"].values()))
        lines.append(
            f'<p class="pg-stamp">{" · ".join(html.escape(f) for f in facts)}. Variants proved by {html.escape("; ".join(how))}.</p>'
        )
        lines.append(f"Run it again: `python3 scripts/validate.py {lab.slug}`")
    return "\n\n".join(lines)


def _onwards(lab: Lab, following: Lab | None) -> str:
    header = lab.header
    lines = ["## Onwards {#onwards}"]
    links = [f"- The lesson: [{_lesson_title(lab)}](../{header.lesson})"]
    links.append(f"- To take home: [{header.takeaway}](files/{lab.slug}/{header.takeaway}){{ download }}")
    if header.threats:
        links.append(f"- Threats: {', '.join(header.threats)}")
    if following:
        links.append(f"- Next lab: [{following.header.title}]({following.slug}.md)")
    else:
        links.append("- [All labs](index.md)")
    lines.append("\n".join(links))
    lines.append("### Sources\n\n" + "\n".join(_source(s) for s in header.sources))
    lines.append(f"Every statement last checked on {header.verified}.")
    return "\n\n".join(lines)


def _lesson_title(lab: Lab) -> str:
    path = lab.path.parents[2] / "docs" / lab.header.lesson
    match = re.search(r"^title: *(.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return match[1].strip().strip('"') if match else path.stem


# -- other pages ----------------------------------------------------------------------------------


def catalogue(labs: list[Lab], evidence: dict[str, Evidence]) -> str:
    """All labs as cards; the script beside the site filters them by these data attributes."""
    cards = []
    for lab in labs:
        header, passed = lab.header, evidence[lab.slug].passed
        words = " ".join([header.title, header.summary, *header.controls, *header.threats]).lower()
        cards.append(
            f'<li class="pg-card" data-track="{header.track}" data-level="{header.level}" data-needs="{header.needs}" '
            f'data-minutes="{header.minutes}" data-words="{html.escape(words, quote=True)}">'
            f'<a class="pg-card-title" href="{lab.slug}/">{html.escape(header.title)}</a>'
            f"<p>{html.escape(header.summary)}</p>"
            f'<p class="pg-card-facts"><span>{header.track}</span><span>{header.minutes} min</span><span>{header.level}</span>'
            f'<span class="{"pg-pass" if passed else "pg-fail"}">{"proved" if passed else "not proved"}</span></p></li>'
        )
    front = _front(
        "Labs",
        "Every lab of the course, each executed and proved on the machine that built this site.",
        kind="catalogue",
    )
    lines = [
        front,
        "# Labs",
        "Each lab attacks a system, has you write the fix, and proves that the attack fails while honest work goes on.",
    ]
    lines.append('<form class="pg-filters" id="lab-filters" hidden></form>')
    lines.append(f'<ul class="pg-cards" id="labs">\n{chr(10).join(cards)}\n</ul>')
    lines.append('<p id="labs-none" hidden>No lab fits. Take a filter away.</p>')
    return "\n\n".join(lines) + "\n"


def status(labs: list[Lab], evidence: dict[str, Evidence], figures: Json) -> str:
    """What was proved, where and when; what was measured."""
    front = _front(
        "Status",
        "What was proved on the machine that built this site, gate by gate, and what was measured.",
        kind="status",
    )
    lines = [front, "# Status", "Everything here was written by the run that built this site."]
    heads = "| Lab | " + " | ".join(GATE_NAMES[g] for g in GATES) + " | Bounds | Seconds | MB |"
    rows = []
    for lab in labs:
        verdict = evidence[lab.slug].verdict
        marks = ["✓" if verdict["gates"][g]["passed"] else "✗" for g in GATES]
        bounds = "✓" if verdict["bounds"]["passed"] else "✗"
        rows.append(
            f"| [{lab.header.title}](labs/{lab.slug}.md) | {' | '.join(marks)} | {bounds} | {verdict['seconds']:.1f} | {verdict['peak_mb']:.0f} |"
        )
    lines.append("## Labs {#labs}\n\n" + "\n".join([heads, "|---" * 8 + "|", *rows]))
    stamps = [e.stamp for e in evidence.values() if e.stamp]
    if stamps:
        last = max(stamps, key=lambda s: s["date"])
        lines.append(f"Last run: {_day(last['date'])}, Python {last['python']}, {last['system']} {last['machine']}.")
        lines.append(
            f"Network in these runs: {_inline(next(e.verdict['confinement'].get('network', '') for e in evidence.values() if e.stamp))}."
        )
    lines.append("## Speed {#speed}")
    if figures:
        lines.append(
            f"Medians of {figures['rounds']}, each pair in one run on one machine ({figures['cores']} cores, Python {figures['python']}, {figures['date']})."
        )
        rows = [
            f"| {r['what']} | {r['ours']:.1f} s | {r['plain']:.1f} s | {r['ratio']:.2f} | {r['bar']} |"
            for r in figures["rows"]
        ]
        lines.append(
            "\n".join(["| What, against what | Ours | Plain way | Ratio | Bar |", "|---|---|---|---|---|", *rows])
        )
        lines.append("Measure it yourself: `python3 scripts/bench.py`.")
    else:
        lines.append("Not measured yet: `python3 scripts/bench.py` does.")
    return "\n\n".join(lines) + "\n"


def measured(tree: Tree) -> Json:
    """The figures bench.py wrote last, or none."""
    try:
        return dict(json.loads((tree.docs / MEASURED).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def proved_line(labs: list[Lab], evidence: dict[str, Evidence]) -> str:
    """One sentence for the landing page: what was proved in the run behind this site."""
    shown = [evidence[lab.slug] for lab in labs]
    passed = sum(e.passed for e in shown)
    mistakes = sum(e.verdict["mistakes"] for e in shown)
    stamps = [e.stamp["date"] for e in shown if e.stamp]
    when = f" on {_day(max(stamps))}" if stamps else ""
    return f"{passed} of {len(shown)} labs proved{when}, with {mistakes} wrong answers caught. [What was proved, and how](status.md)\n"


# -- small parts ----------------------------------------------------------------------------------


def _front(title: str, description: str, **more: str) -> str:
    data = yaml.safe_dump({"title": title, "description": description, **more}, allow_unicode=True, sort_keys=False)
    return f"---\n{data}---"


def _fence(text: str, language: str, *classes: str) -> str:
    """A fenced block, with a fence longer than any inside, and classes for the stylesheet."""
    ticks = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`{3,}", text)), default=0))
    named = [f".{name}" for name in (language, *classes) if name]
    head = f"{{ {' '.join(named)} }}" if len(named) > 1 else language
    return f"{ticks} {head}\n{text}\n{ticks}" if len(named) > 1 else f"{ticks}{head}\n{text}\n{ticks}"


def _folded(kind: str, title: str, body: str) -> str:
    return f'??? {kind} "{title}"\n\n' + textwrap.indent(body, "    ")


def _inline(text: str) -> str:
    """Plain text for one line of Markdown or one table cell."""
    return re.sub(r"([\\`*_{}\[\]<>|#])", r"\\\1", _ANSI.sub("", text).replace("\n", " "))


def _source(source: Source) -> str:
    return f"- [{_inline(source.title)}]({source.url}), read {source.read}"


def _day(iso: str) -> str:
    return datetime.fromisoformat(iso).date().isoformat()
