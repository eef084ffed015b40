"""Write the generated pages: a page a lab, the catalogue, the status, and small includes.

They are plain Markdown on disk before the site generator starts, so that any generator can build
them. Whatever says something about a run is read from that run's evidence.
"""

import ast
import difflib
import html
import json
import re
import shutil
import textwrap
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from proving import learning_paths, nav, notebook, reading, trials
from proving.findings import Finding
from proving.gates import GATES
from proving.paths import Tree
from proving.proof import Evidence
from proving.source import LEVELS, TRACKS, Cell, Exercise, Lab, Source
from proving.trials import Trial

Json = dict[str, Any]
MEASURED = PurePosixPath("assets/measured.json")
COMPARED = PurePosixPath("assets/search/compared.json")
GATE_NAMES = {
    "attack_lands": "The attack lands",
    "starter_fails": "The starter fails",
    "solution_holds": "The solution holds",
    "mistakes_caught": "Mistakes are caught",
}
# The line with which a page shows what a lab's cell printed: --8<-- "runs/<slug>/<id>.md".
_SHOWN_RUN = re.compile(r"""\s*-+8<-+\s+(?P<quote>["'])runs/(?P<lab>[^/"']+)/(?P<cell>[^"']+)\.md(?P=quote)\s*$""")
LONGEST_DIFFERENCE = 12  # lines; a wrong answer that differs in more is told by its title and its message
# How labkit's lines begin (labs/labkit/), and the class that each gets. The first that fits counts.
_MARKS = (
    ("✗ ATTACK LANDED", "landed"),
    ("✓ refused", "refused"),
    ("✓ works", "works"),
    ("✓ done", "done"),
    ("✗", "failed"),
)
# Also where a cell fails: a page must never show a colour code as text.
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def stage(tree: Tree, labs: list[Lab], evidence: list[Evidence], others: dict[Path, str] | None = None) -> list[Path]:
    """Write all generated pages, `others` among them, and delete what an earlier run left.

    Returns the files written.
    """
    order = lab_order(tree)
    known = {e.slug: e for e in evidence}
    shown = [lab for slug in order for lab in labs if lab.slug == slug and slug in known]
    pages: dict[Path, str] = dict(others or {})
    for position, lab in enumerate(shown):
        following = shown[position + 1] if position + 1 < len(shown) else None
        pages[tree.docs / "labs" / f"{lab.slug}.md"] = lab_page(lab, known[lab.slug], following)
        pages[tree.docs / "labs" / "files" / lab.slug / f"{lab.slug}.ipynb"] = notebook.learners(lab)
    for lab in labs:
        pages.update(runs(tree, lab, known.get(lab.slug)))
    pages[tree.docs / "labs" / "index.md"] = catalogue(shown, known, reading.lessons(tree))
    tried, _ = trials.read(tree, shown)
    pages[tree.docs / "status.md"] = status(shown, known, measured(tree), compared(tree), tried)
    pages[tree.cache / "includes" / "proved.md"] = proved_line(shown, known)
    pages[tree.cache / "includes" / "excerpt.md"] = excerpt(shown, known)
    _write(pages)
    named = reading.includes(tree, shown)  # last: they name pages by the titles written above
    ways = learning_paths.includes(tree, reading.lessons(tree), shown)
    named |= {tree.cache / "includes" / name: text for name, text in ways.items()}
    _write(named)
    pages |= named
    copied = []
    for lab in shown:
        for name in filter(is_published, lab.take_home):
            source = lab.path.parent / "files" / name
            target = tree.docs / "labs" / "files" / lab.slug / name
            if not target.exists() or target.read_bytes() != source.read_bytes():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
            copied.append(target)
    wanted = {*pages, *copied}
    generated_only = [*(tree.docs / "labs").rglob("*"), *(tree.cache / "includes").rglob("*")]
    for path in generated_only:
        if path.is_file() and path not in wanted:
            path.unlink()
    return sorted(wanted)


def is_published(name: str) -> bool:
    """Whether a file of files/ can be downloaded from the site: MkDocs would make a page of Markdown."""
    return not name.endswith(".md")


def _write(pages: dict[Path, str]) -> None:
    """Write what has changed, and nothing else: a build looks at what is new."""
    for path, text in pages.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8", newline="\n")


def runs(tree: Tree, lab: Lab, evidence: Evidence | None) -> dict[Path, str]:
    """What each named cell printed, an include a cell. A cell that prints nothing gets none.

    Where the lab did not pass, an include that would be missing says so: the site builds all the same.
    """
    folder = tree.cache / "includes" / "runs" / lab.slug
    failed = "" if evidence and evidence.passed else f"*The lab `{lab.slug}` did not get here in this build.*"
    named = [cell.id for cell in lab.cells if cell.named]
    title = f"Recorded in this build, in the lab {html.escape(lab.header.title)}"
    texts = {name: (_outputs(evidence.outputs(name), title) if evidence else "") or failed for name in named}
    return {folder / f"{name}.md": f"{text}\n" for name, text in texts.items() if text}


def include_findings(tree: Tree) -> list[Finding]:
    """Pages that show a run which is not among the includes on disk."""
    findings = []
    for path in sorted(tree.docs.rglob("*.md")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            match = _SHOWN_RUN.match(line)
            folder = tree.cache / "includes" / "runs" / (match["lab"] if match else "")
            if match is None or (folder / f"{match['cell']}.md").is_file():
                continue
            lab, there = match["lab"], ", ".join(sorted(file.stem for file in folder.glob("*.md"))) or "none"
            findings.append(
                Finding(
                    f"{tree.relative(path)}:{number}",
                    f"No cell of the lab {lab} has the id {match['cell']} and prints something.",
                    f"Cells there that do: {there}. Correct the line, or the cell in labs/{lab}/lab.py (labs/README.md, Cells).",
                )
            )
    return findings


def lab_order(tree: Tree) -> list[str]:
    """The slugs of the labs in the order of the nav."""
    return [PurePosixPath(p).stem for p in nav.sources(tree) if p.startswith("labs/") and p != "labs/index.md"]


# -- the page of a lab ----------------------------------------------------------------------------


def lab_page(lab: Lab, evidence: Evidence, following: Lab | None) -> str:
    """The page of one lab: how to open it, the lab as it ran, the stamp of the run."""
    header = lab.header
    parts = [
        front_matter(header.title, header.summary, kind="lab", track=header.track),
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
    mistakes = sum(len(e.mistakes) for e in lab.exercises)
    passed = '<span class="pg-pass">✓ all four gates passed</span>'
    proof = passed if evidence.passed else '<span class="pg-fail">✗ did not pass</span>'
    facts = [
        ("Track", reading.track_mark(header.track)),
        ("Time", f"{header.minutes} minutes"),
        ("Level", html.escape(header.level)),
        ("Needs", "Python 3.11 to 3.13" + (", Linux" if header.needs == "linux" else "")),
        ("Exercises", f"{len(lab.exercises)}, catching {mistakes} wrong answers"),
        ("Proof", f'<a href="#proof">{proof}</a>'),
    ]
    return _terms("pg-facts", facts)


def _how_to_open(lab: Lab) -> str:
    return (
        "## Open this lab {#open}\n\n"
        "```console\n"
        f"$ python3 scripts/lab.py {lab.slug}\n"
        "```\n\n"
        f"It opens JupyterLab on a copy of your own, `work/{lab.slug}.ipynb`. In VS Code, open that file and select the "
        f"interpreter in `.venv`. `python3 scripts/check.py {lab.slug}` says how far you are.\n\n"
        f"[Download the notebook](files/{lab.slug}/{lab.slug}.ipynb){{ download }}\n"
        f"[Take-home file](files/{lab.slug}/{lab.header.takeaway}){{ download }}\n"
        f"[The lesson](../{lab.header.lesson})\n"
        "{ .pg-doors }\n\n"
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
    output = _outputs(evidence.outputs(cell.id))
    if cell.tag == "exercise" and cell.exercise:
        exercise = lab.exercise(cell.exercise)
        turn = (
            f'<p class="pg-turn" id="exercise-{exercise.id}">Your turn <strong>{html.escape(exercise.title)}</strong> '
            f"<span>{_count(exercise.minutes, 'minute')}</span></p>"
        )
        solution = _folded("success", "Solution", _fence(exercise.solution, "python"))
        return "\n\n".join([turn, _fence(exercise.starter, "python", "pg-exercise"), solution, output]).strip()
    if cell.tag == "check":
        last = cell == lab.exercise(cell.exercise or "").checks[-1]
        mistakes = _mistakes(lab.exercise(cell.exercise or ""), evidence) if last else ""
        return "\n\n".join(filter(None, [_fence(cell.text, "python", "pg-check", title="Check"), output, mistakes]))
    if cell.tag == "setup":
        return "\n\n".join(filter(None, [_folded("quote", "Setup", _fence(cell.text, "python")), output]))
    attack = cell.tag == "attack"
    code = _fence(cell.text, "python", "pg-attack", title="Attack") if attack else _fence(cell.text, "python")
    return "\n\n".join(filter(None, [code, output]))


def _outputs(outputs: list[Json], name: str = "") -> str:
    """What a cell printed, as one block."""
    texts = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in outputs]
    text = "\n".join(_ANSI.sub("", text).rstrip("\n") for text in texts if text.strip())
    return _output(text, name) if text else ""


def _output(text: str, name: str = "", kind: str = "") -> str:
    """Printed text as HTML, so that each of labkit's lines gets its class."""
    if "✗ ATTACK LANDED" in text:
        name, kind = name or "Output: the attack landed", kind or "pg-landed"
    lines, word = [], ""
    for line in text.splitlines():
        # A line that is set in belongs to the mark above it: the evidence of an attack.
        marked = next((word for mark, word in _MARKS if line.startswith(mark)), "")
        word = marked or ("more" if word and line.startswith(" ") else "")
        shown = html.escape(line, quote=False).replace("`", "&#96;")
        lines.append(f'<span class="pg-line pg-line-{word}">{shown}\n</span>' if word else f"{shown}\n")
    # no-copy is the theme's: nobody needs a copy button on what a run printed.
    classes = " ".join(filter(None, ["pg-output", "no-copy", kind]))
    title = f'<p class="pg-output-name">{name or "Output"}</p>'
    return f'<div class="{classes}">{title}<pre><code>{"".join(lines)}</code></pre></div>'


def _mistakes(exercise: Exercise, evidence: Evidence) -> str:
    messages = {v["name"]: v["message"] for v in evidence.variants if v["exercise"] == exercise.id}
    rows = [
        f"- **{m.title}.** {inline(messages[m.id])}" + textwrap.indent(_difference(exercise.solution, m.text), "    ")
        for m in exercise.mistakes
        if m.id in messages
    ]
    if not rows:
        return ""
    title = (
        f"{len(rows)} wrong answers, and what the check said to each in this run; the short ones show what they change"
    )
    return _folded("failure", title, "\n".join(rows))


def _difference(solution: str, answer: str) -> str:
    """What is other in `answer`, as a fenced block; nothing where that is long, or where nothing is."""
    right, wrong = map(_without_docstrings, (solution, answer))
    changed = list(difflib.unified_diff(right, wrong, n=0, lineterm=""))[2:]
    signs = ["  …" if line.startswith("@@") else line[0] for line in changed][1:]
    if not 0 < len(signs) <= LONGEST_DIFFERENCE:
        return ""
    texts = textwrap.dedent("\n".join("" if line.startswith("@@") else line[1:] for line in changed[1:])).split("\n")
    lines = [f"{sign} {text}".rstrip() for sign, text in zip(signs, texts, strict=True)]
    return "\n".join(["", "", "````{ .diff .no-copy }", *lines, "````", ""])


def _without_docstrings(code: str) -> list[str]:
    """The lines of `code` but its docstrings: nobody's mistake lies there."""
    lines = code.splitlines()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and ast.get_docstring(node):
            text = node.body[0]
            lines[text.lineno - 1 : text.end_lineno] = [""] * ((text.end_lineno or text.lineno) - text.lineno + 1)
    return [line for line in lines if line.strip()]


def _stamp(lab: Lab, evidence: Evidence) -> str:
    verdict, stamp = evidence.verdict, evidence.stamp
    rows = []
    for gate in GATES:
        result = verdict["gates"][gate]
        rows.append(f"| {GATE_NAMES[gate]} | {_mark(result['passed'])} | {inline(result['detail'].splitlines()[0])} |")
    bounds = verdict["bounds"]
    rows.append(f"| Kept inside its bounds | {_mark(bounds['passed'])} | {inline(bounds['detail'].splitlines()[0])} |")
    lines = ["## The proof {#proof}", "| Gate | Result | Seen in this run |\n|---|---|---|\n" + "\n".join(rows)]
    findings = [line for g in (*verdict["gates"].values(), bounds) for line in g["detail"].splitlines()[1:]]
    if findings:
        lines.append("\n".join(f"- {inline(line)}" for line in findings))
    if stamp:
        facts = [
            ("Gates passed", f"{sum(verdict['gates'][gate]['passed'] for gate in GATES)} of {len(GATES)}"),
            ("Run on", _day(stamp["date"])),
            ("Python", f"{stamp['python']} on {stamp['system']} {stamp['machine']}"),
            ("Packages", ", ".join(f"{name} {version}" for name, version in stamp["versions"].items())),
            ("Protocols", ", ".join(lab.header.protocols)),
            ("Took", f"{stamp['seconds']:.1f} s, {verdict['peak_mb']:.0f} MB"),
            ("Mistakes tried by", "; ".join(sorted(set(verdict["snapshots"].values())))),
        ]
        lines.append(_terms("pg-stamp", [(name, html.escape(value)) for name, value in facts if value]))
        lines.append(f"Run it again:\n\n```console\n$ python3 scripts/validate.py {lab.slug}\n```")
    return "\n\n".join(lines)


def _onwards(lab: Lab, following: Lab | None) -> str:
    header = lab.header
    lines = ["## Onwards {#onwards}"]
    links = [f"- The lesson: [{_lesson_title(lab)}](../{header.lesson})"]
    files = [
        f"[{name}](files/{lab.slug}/{name}){{ download }}"
        if is_published(name)
        else f"`{name}` in `labs/{lab.slug}/files`"
        for name in lab.take_home
    ]
    links.append(f"- To take home: {', '.join(files)}")
    if header.threats:
        links.append(f"- Threats: {', '.join(header.threats)}")
    lines.append("\n".join(links))
    steps = ["[All labs](index.md)"]
    if following:
        steps.insert(
            0, f"Next lab: [{following.header.title}]({following.slug}.md), {following.header.minutes} minutes"
        )
    lines.append(reading.next_step(steps, "done"))
    lines.append("### Sources\n\n" + "\n".join(_source(s) for s in header.sources))
    lines.append(f"Every statement last checked on {header.verified}.")
    return "\n\n".join(lines)


def _lesson_title(lab: Lab) -> str:
    path = lab.path.parents[2] / "docs" / lab.header.lesson
    match = re.search(r"^title: *(.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return match[1].strip().strip('"') if match else path.stem


# -- other pages ----------------------------------------------------------------------------------


def catalogue(labs: list[Lab], evidence: dict[str, Evidence], course: list[reading.Lesson]) -> str:
    """All labs as cards; catalogue.js filters them by their data attributes."""
    front = front_matter(
        "Labs",
        "Every lab of the course, each executed and proved on the machine that built this site.",
        kind="catalogue",
        hide=["toc"],
    )
    cards = "\n".join(_card(lab, evidence[lab.slug]) for lab in labs)
    lines = [
        front,
        "# Labs",
        "Each lab attacks a system, has you write the fix, and proves that the attack fails while honest work goes on.",
        reading.progress(course, labs, "labs/index.md"),
        _filters(labs),
        f'<p class="pg-count" id="labs-count" role="status" aria-live="polite">{_count(len(labs), "lab")}</p>',
        f'<ul class="pg-cards" id="labs" markdown="1">\n\n{cards}\n</ul>',
        '<p id="labs-none" hidden>No lab fits. Take a filter away.</p>',
    ]
    return "\n\n".join(lines) + "\n"


def _card(lab: Lab, evidence: Evidence) -> str:
    header = lab.header
    words = [header.title, header.summary, header.track, header.level]
    words += [*header.controls, *header.threats, *header.protocols]
    data = {
        "track": header.track,
        "level": header.level,
        "needs": header.needs,
        "minutes": str(header.minutes),
        "words": " ".join(words).lower(),
    }
    attributes = " ".join(f'data-{name}="{html.escape(value)}"' for name, value in data.items())
    caught = _count(evidence.verdict["mistakes"], "wrong answer")
    passed = f'<span class="pg-pass">✓ proved</span>, {caught} caught'
    proof = passed if evidence.passed else '<span class="pg-fail">✗ not proved</span>'
    system = "needs Linux" if header.needs == "linux" else "any system"
    facts = (reading.track_mark(header.track), f"{header.minutes} minutes", header.level, system)
    return (
        f'<li class="pg-card" markdown="block" {attributes}>\n\n'
        f"[{inline(header.title)}]({lab.slug}.md)\n{{ .pg-card-title }}\n\n"
        f"{inline(header.summary)}\n\n"
        f'<p class="pg-card-proof">{proof}</p>\n\n'
        f'<p class="pg-card-facts">{" ".join(f"<span>{fact}</span>" for fact in facts)}</p>\n\n</li>\n'
    )


def _filters(labs: list[Lab]) -> str:
    """The form, hidden until catalogue.js shows it. It offers the tracks and levels that exist."""
    tracks = [(track, track) for track in TRACKS if any(lab.header.track == track for lab in labs)]
    levels = [(level, level) for level in LEVELS if any(lab.header.level == level for lab in labs)]
    choices = [
        ("Track", "track", [("", "all tracks"), *tracks]),
        ("Level", "level", [("", "all levels"), *levels]),
        ("System", "needs", [("", "all labs"), ("any", "runs anywhere"), ("linux", "needs Linux")]),
        ("Order", "sort", [("", "as in the course"), ("minutes", "shortest first")]),
    ]
    parts = ['<label>Title, question or threat <input type="search" name="find" autocomplete="off"></label>']
    for label, name, options in choices:
        inner = "".join(f'<option value="{value}">{text}</option>' for value, text in options)
        parts.append(f'<label>{label} <select name="{name}">{inner}</select></label>')
    parts.append('<button type="reset">Clear</button>')
    form = "".join(parts)
    return f'<form class="pg-filters" id="lab-filters" aria-label="Filter the labs" hidden>{form}</form>'


def status(
    labs: list[Lab], evidence: dict[str, Evidence], figures: Json, searches: Json, tried: dict[str, Trial]
) -> str:
    """What was proved, where and when; what was measured."""
    front = front_matter(
        "Status",
        "What was proved on the machine that built this site, gate by gate, and what was measured.",
        kind="status",
    )
    lines = [front, "# Status", "Everything here was written by the run that built this site."]
    heads = "| Lab | " + " | ".join(GATE_NAMES[g] for g in GATES) + " | Bounds | Seconds | MB |"
    rows = []
    for lab in labs:
        verdict = evidence[lab.slug].verdict
        marks = [_mark(verdict["gates"][g]["passed"]) for g in GATES]
        bounds = _mark(verdict["bounds"]["passed"])
        rows.append(
            f"| [{lab.header.title}](labs/{lab.slug}.md) | {' | '.join(marks)} | {bounds} | {verdict['seconds']:.1f} | {verdict['peak_mb']:.0f} |"
        )
    lines.append("## Labs {#labs}\n\n" + "\n".join([heads, "|---" * 8 + "|", *rows]))
    stamps = [e.stamp for e in evidence.values() if e.stamp]
    if stamps:
        last = max(stamps, key=lambda s: s["date"])
        lines.append(f"Last run: {_day(last['date'])}, Python {last['python']}, {last['system']} {last['machine']}.")
        lines.append(
            f"Network in these runs: {inline(next(e.verdict['confinement'].get('network', '') for e in evidence.values() if e.stamp))}."
        )
    if tried:
        lines += _tried(labs, tried)
    lines.append("## Speed {#speed}")
    if "rows" in figures:
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
        once = f" Measured in the first round alone: {'; '.join(figures['once'])}." if figures.get("once") else ""
        lines.append(f"Measure it yourself: `python3 scripts/bench.py`.{once}")
    else:
        lines.append("Not measured yet: `python3 scripts/bench.py` does.")
    if searches:
        lines += _searches(searches)
    if "growth" in figures:
        lines += _growth(figures["growth"])
    return "\n\n".join(lines) + "\n"


def _tried(labs: list[Lab], tried: dict[str, Trial]) -> list[str]:
    """How often somebody new to a lab had to run its check, exercise by exercise."""
    rows = []
    for lab in labs:
        if lab.slug in tried:
            trial = tried[lab.slug]
            counts = [f"{inline(e.title)}: {trial.tries[e.id]}" for e in lab.exercises if e.id in trial.tries]
            rows.append(f"| [{lab.header.title}](labs/{lab.slug}.md) | {', '.join(counts)} | {trial.tried} |")
    who = " and ".join(sorted({trial.by for trial in tried.values()}))
    return [
        "## Tried by a newcomer {#tried}",
        f"Each lab was tried from its starter by {who}, with the notebook and `check.py` alone. The number is how often the check "
        "ran until an exercise was done. What made the reader stumble was mended afterwards. A model is no human beginner: "
        "it reads the checks more closely, so take the numbers as a lower bound.",
        "\n".join(["| Lab | Runs of the check | Tried |", "|---|---|---|", *rows]),
    ]


def _growth(figures: Json) -> list[str]:
    """What becomes of the site when it has many more pages, and what breaks first."""

    def ms(value: float | None) -> str:
        return "not measured" if value is None else f"{value:.1f} ms"

    rows = [
        f"| {r['scale']}x | {r['pages']} | {r['build_seconds']:.1f} s | {r['build_seconds'] / r['pages'] * 1000:.0f} ms "
        f"| {r['index_bytes'] // 1000} KB | {ms(r['ready_ms'])} | {ms(r['search_ms'])} | {ms(r['late_ms'])} |"
        for r in figures["rows"]
    ]
    heads = "| Scale | Pages | Build | A page | Search index | Index ready | A search | 19 of 20 within |"
    return [
        "## Growth {#growth}",
        f"The knowledge base copied, outside the repository, on {figures['date']}. Copies say other words than today's pages "
        "where only one page says them. A build is counted in seconds of work; searches are titles with two letters swapped.",
        "\n".join([heads, "|---" * 8 + "|", *rows]),
        " ".join([*(f"Missed: {what}." for what in figures["missed"]), *figures["breaks"]]),
    ]


def _searches(figures: Json) -> list[str]:
    """How this site's search did against others, on the questions that none of them was tuned on."""
    heads = "| Search | Right page first | In the first three | Nothing found | Median | Index | Code | From a disk |"
    rows = [
        f"| {r['name']} {r['version']} | {r['first']:.0%} | {r['first_three']:.0%} | {r['empty']} "
        f"| {r['ms']:.1f} ms | {r['index_kb']} KB | {r['code_kb']} KB | {'yes' if r['from_disk'] else 'no'} |"
        for r in figures["rows"]
    ]
    return [
        "## Search {#search}",
        f"{figures['questions']} questions as people type them, over {figures['pages']} pages, in one browser on "
        f"{figures['date']} ({figures['machine']}). They were written before any of them was asked; ours was tuned on others. "
        "The libraries got the same texts and weights, without the synonyms and kinds of page that ours has. "
        "Sizes are compressed.",
        "\n".join([heads, "|---" * 8 + "|", *rows]),
        "Compare yourself: `python tests/search/compare.py`, in the environment that `scripts/test.py` makes.",
    ]


def measured(tree: Tree) -> Json:
    """The figures bench.py wrote last, or none."""
    return _figures(tree.docs / MEASURED)


def compared(tree: Tree) -> Json:
    """The figures tests/search/compare.py wrote last, or none."""
    return _figures(tree.docs / COMPARED)


def _figures(path: Path) -> Json:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
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


def excerpt(labs: list[Lab], evidence: dict[str, Evidence]) -> str:
    """What one lab printed before and after its defense, for the landing page: the first lab to take."""
    for lab in sorted(labs, key=lambda lab: LEVELS.index(lab.header.level)):
        outputs = [output for cell in lab.code for output in evidence[lab.slug].outputs(cell.id)]
        lines = [line for output in outputs for line in _ANSI.sub("", output.get("text", "")).splitlines()]
        marks = ("✗ ATTACK LANDED", "✓ refused", "✓ works", "✓ done")
        landed, *held = (next((line for line in lines if line.startswith(mark)), "") for mark in marks)
        if landed and all(held):
            before = _output(landed, name="Before")
            after = _output("\n".join(held), name="After your defense", kind="pg-held")
            link = f"Printed by [{inline(lab.header.title)}](labs/{lab.slug}.md), in the run behind this page."
            return f'<div class="pg-shown" markdown="1">\n\n{before}\n\n{after}\n\n{link}\n\n</div>\n'
    return "No lab was proved on this machine.\n"


# -- small parts ----------------------------------------------------------------------------------


def front_matter(title: str, description: str, **more: str | list[str]) -> str:
    """The YAML head of a generated page."""
    data = yaml.safe_dump({"title": title, "description": description, **more}, allow_unicode=True, sort_keys=False)
    return f"---\n{data}---"


def _fence(text: str, language: str, *classes: str, title: str = "") -> str:
    """A fenced block, with a fence longer than any inside, classes for the stylesheet, and a title."""
    ticks = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`{3,}", text)), default=0))
    named = " ".join(f".{name}" for name in (language, *classes))
    titled = f' title="{title}"' if title else ""
    head = f" {{ {named}{titled} }}" if classes or title else language
    return f"{ticks}{head}\n{text}\n{ticks}"


def _terms(kind: str, facts: list[tuple[str, str]]) -> str:
    """Names and values (HTML) as a description list."""
    items = "".join(f"<div><dt>{html.escape(name)}</dt><dd>{value}</dd></div>" for name, value in facts)
    return f'<dl class="{kind}">{items}</dl>'


def _mark(passed: bool) -> str:
    return "✓\N{NO-BREAK SPACE}passed" if passed else "**✗\N{NO-BREAK SPACE}failed**"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _folded(kind: str, title: str, body: str) -> str:
    return f'??? {kind} "{title}"\n\n' + textwrap.indent(body, "    ")


def inline(text: str) -> str:
    """Plain text for one line of Markdown or one table cell."""
    return re.sub(r"([\\`*_{}\[\]<>|#])", r"\\\1", _ANSI.sub("", text).replace("\n", " "))


def _source(source: Source) -> str:
    return f"- [{inline(source.title)}]({source.url}), read {source.read}"


def _day(iso: str) -> str:
    return datetime.fromisoformat(iso).date().isoformat()
