"""Write what follows from the knowledge base: feet, indexes, coverage, timeline, glossary, stale list.

Authored pages say each link once. Here it is turned round: a control's foot lists the threats,
incidents and tasks that name it, and the exercises that prove it; the coverage page shows every
gap. All of it is plain Markdown on disk before the site generator starts.
"""

import datetime
import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import yaml

from proving.findings import Finding
from proving.knowledge import FOLDERS, REVIEW_AFTER, Knowledge, Page, proofs
from proving.pages import front_matter, inline, is_published
from proving.paths import Tree
from proving.proof import Evidence
from proving.source import Lab

Json = dict[str, Any]
HEADINGS = {
    "threat": ("Threats", "What can go wrong when software decides, and what answers it."),
    "control": ("Controls", "What a small firm can put in place, what it costs, and the run that proves it."),
    "incident": ("Incidents", "What happened in 2025 and 2026, why it worked, and what would have stopped it."),
    "protocol": (
        "Protocols",
        "The protocols and formats between agents, tools and the things you ship, as they stand.",
    ),
    "platform": ("Platforms", "The systems an agent runs on, as they stand on the day each page names."),
    "how-to": ("How to", "Tasks: steps, how to see that it worked, and the way back."),
    "error": ("Error messages", "The text you pasted, what it means, the fix, and how to tell that it is fixed."),
    "guide": ("Decisions", "Short flows for a choice you have to make once."),
    "checklist": ("Checklists", "One sheet each, to print and tick."),
}
LISTS = {
    "ASI": "OWASP Top 10 for Agentic Applications 2026",
    "LLM": "OWASP Top 10 for LLM Applications 2026",
    "MCP": "OWASP MCP Top 10 (beta)",
    "AML": "MITRE ATLAS 2026.09",
}


def pages(
    tree: Tree, known: Knowledge, labs: list[Lab], evidence: list[Evidence], today: datetime.date
) -> dict[Path, str]:
    """Every generated page and include, by where it is written."""
    folder, includes = tree.docs / "knowledge", tree.cache / "includes"
    held = proofs(known, evidence)
    titles = {lab.slug: lab.header.title for lab in labs}
    titles |= {f"{lab.slug}#{e.id}": f"{lab.header.title}: {e.title}" for lab in labs for e in lab.exercises}
    written: dict[Path, str] = {
        folder / "index.md": _home(known),
        folder / "coverage.md": _coverage(known, held, titles, labs, evidence),
        folder / "timeline.md": _timeline(known),
        folder / "review.md": _review(known, today),
    }
    for kind, name in FOLDERS.items():
        written[folder / name / "index.md"] = _index(known, kind, held)
    for page in known.pages:
        written[includes / "foot" / page.place] = _foot(known, page, held, titles, labs, today)
    glossary, terms = _glossary(tree)
    written[folder / "glossary.md"] = glossary
    written[includes / "terms.md"] = terms
    return written


def glossary_findings(tree: Tree) -> list[Finding]:
    """Entries of the glossary that are no entries, double, or too long for a hover."""
    findings = []
    seen: set[str] = set()
    for entry in _entries(tree):
        where = f"docs/knowledge/glossary.yml, {entry.get('term', '?')}"
        if not entry.keys() <= {"term", "abbreviations", "text", "page"} or not {"term", "text"} <= entry.keys():
            findings.append(
                Finding(
                    where,
                    f"It has the keys {sorted(entry)}.",
                    "Write term and text; abbreviations and page are optional.",
                )
            )
            continue
        if len(entry["text"]) > 180:
            findings.append(
                Finding(where, f"Its text has {len(entry['text'])} characters.", "Say it in 180: it is shown on hover.")
            )
        if entry["term"].lower() in seen:
            findings.append(Finding(where, "The term stands twice.", "Keep one."))
        seen.add(entry["term"].lower())
        if entry.get("page") and not (tree.docs / "knowledge" / entry["page"]).exists():
            findings.append(
                Finding(where, f"docs/knowledge/{entry['page']} does not exist.", "Correct the page or leave it out.")
            )
    return findings


# -- the foot of a page ---------------------------------------------------------------------------


def _foot(
    known: Knowledge,
    page: Page,
    held: dict[str, list[str]],
    titles: dict[str, str],
    labs: list[Lab],
    today: datetime.date,
) -> str:
    parts = []
    if page.is_stale(today):
        due = page.data["verified"] + REVIEW_AFTER
        parts.append(
            f'!!! warning "Past its review date"\n\n    This page was due for review on {due}. Check its sources before you rely on it.'
        )
    facts = _facts(page)
    if facts:
        parts.append("## At a glance {#facts}\n\n" + "\n".join(f"- **{k}:** {v}" for k, v in facts))
    parts.append("## Proof and links {#links}\n\n" + "\n".join(_links(known, page, held, titles, labs)))
    sources = "\n".join(f"- [{inline(s['title'])}]({s['url']}), read {s['read']}" for s in page.data["sources"])
    parts.append(f"## Sources {{#sources}}\n\n{sources}\n\nLast checked on {page.data['verified']}.")
    return "\n\n".join(parts) + "\n"


def _facts(page: Page) -> list[tuple[str, str]]:
    data = page.data
    names = {
        "date": "Became public",
        "cause": "Cause",
        "confidence": "Confidence",
        "cost": "Cost",
        "as_of": "As of",
        "status": "Status",
        "steward": "Kept by",
        "minutes": "Minutes",
        "needs": "Needs",
        "tool": "Seen with",
    }
    facts = [
        (name, inline(str(data[key]).replace("-", " ") if key == "cause" else str(data[key])))
        for key, name in names.items()
        if key in data
    ]
    if data.get("ids"):
        facts.append(("Known as", ", ".join(inline(i) for i in data["ids"])))
    if page.data.get("confidence"):
        told = {"primary": "from those concerned", "secondary": "from reports; check the original before you quote it"}
        facts = [(k, f"{v} ({told[v]})" if k == "Confidence" else v) for k, v in facts]
    return facts


def _links(
    known: Knowledge, page: Page, held: dict[str, list[str]], titles: dict[str, str], labs: list[Lab]
) -> list[str]:
    lines = []
    if page.kind == "control":
        lines.append(f"- **Proof:** {_proof(held[page.slug], titles, page.data.get('lab'), up='../../')}")
        if page.data.get("takeaway"):
            lab, _, name = page.data["takeaway"].partition("/files/")
            file = f"`{name}`" if not is_published(name) else f"[{name}](../../labs/files/{lab}/{name}){{ download }}"
            lines.append(f"- **To take home:** {file}, with [its lab](../../labs/{lab}.md)")
        by_kind: dict[str, list[Page]] = defaultdict(list)
        for other in known.naming(page.slug):
            by_kind[other.kind].append(other)
        for kind, others in by_kind.items():
            lines.append(f"- **{HEADINGS[kind][0]}:** " + ", ".join(_link(o, page) for o in others))
    else:
        if page.kind == "threat":
            lines += _attacks(known, page, titles, labs)
        for slug in page.list_of("controls"):
            control = known.controls[slug]
            lines.append(
                f"- {_link(control, page)}: {_proof(held[slug], titles, control.data.get('lab'), up='../../')}"
            )
    return lines or ["- No control of this course answers it yet."]


def _attacks(known: Knowledge, page: Page, titles: dict[str, str], labs: list[Lab]) -> list[str]:
    """Where the attack of a threat is executed (its own list, and labs that name one of its ids) or planned to be."""
    planned = {str(entry["slug"]) for entry in known.planned}
    naming = [lab.slug for lab in labs if set(lab.header.threats) & set(page.list_of("ids"))]
    slugs = dict.fromkeys([*(slug for slug in page.list_of("labs") if slug not in planned), *naming])
    built = [f"[{titles[slug]}](../../labs/{slug}.md)" for slug in slugs]
    later = [f"`{slug}`" for slug in page.list_of("labs") if slug in planned]
    parts = [*([", ".join(built)] if built else []), *([f"planned: {', '.join(later)}"] if later else [])]
    return [f"- **Attack, executed:** {'; '.join(parts)}"] if parts else []


def _proof(claims: list[str], titles: dict[str, str], lab: str | None, *, up: str) -> str:
    """The exercises that prove a control, or the plain statement that none does yet."""
    if claims:
        links = [f"[{titles[c]}]({up}labs/{c.split('#')[0]}.md#exercise-{c.split('#')[1]})" for c in claims]
        return "proved in this build by " + ", ".join(links)
    return f"not proved yet (planned: `{lab}`)" if lab else "not proved: no lab is planned"


def _link(page: Page, seen_from: Page) -> str:
    path = f"{page.slug}.md" if page.kind == seen_from.kind else f"../{page.place}"
    return f"[{inline(page.title)}]({path})"


# -- generated pages ------------------------------------------------------------------------------


def _home(known: Knowledge) -> str:
    front = front_matter(
        "Knowledge base",
        "Threats, controls, incidents, protocols, platforms, tasks and error messages, each dated, sourced and tied to a proof.",
        kind="index",
    )
    lines = [
        front,
        "# Knowledge base",
        "Each page answers one question, says when and from what source, and leads to a proof or says that there is none yet.",
    ]
    items = [f"- [{HEADINGS[k][0]}]({FOLDERS[k]}/index.md) ({len(known.of(k))}). {HEADINGS[k][1]}" for k in FOLDERS]
    items.append("- [Coverage](coverage.md). Which known risk has an executed attack and defense, and which has none.")
    items.append(
        "- [Timeline of incidents](timeline.md), [glossary](glossary.md), [what is due for review](review.md)."
    )
    return "\n\n".join([*lines, "\n".join(items)]) + "\n"


def _index(known: Knowledge, kind: str, held: dict[str, list[str]]) -> str:
    title, summary = HEADINGS[kind]
    lines = [front_matter(title, f"{summary} {len(known.of(kind))} pages."[:160], kind="index"), f"# {title}", summary]
    items = []
    for page in known.of(kind):
        note = " **Proved.**" if kind == "control" and held[page.slug] else ""
        label = f"`{page.data['message'].splitlines()[0][:110]}`: " if kind == "error" else ""
        items.append(f"- [{inline(page.title)}]({page.slug}.md). {label}{inline(page.data['description'])}{note}")
    if kind == "incident":
        items = [
            f"- {p.data['date']}: [{inline(p.title)}]({p.slug}.md). {inline(p.data['description'])}"
            for p in sorted(known.of(kind), key=lambda p: p.data["date"], reverse=True)
        ]
    return "\n\n".join([*lines, "\n".join(items)]) + "\n"


def _coverage(
    known: Knowledge,
    held: dict[str, list[str]],
    titles: dict[str, str],
    labs: list[Lab],
    evidence: list[Evidence],
) -> str:
    landed = {e.slug for e in evidence if e.verdict["gates"]["attack_lands"]["passed"]}
    attacking: dict[str, list[str]] = defaultdict(list)
    for lab in labs:
        for threat in lab.header.threats:
            if lab.slug in landed:
                attacking[threat].append(lab.slug)
    front = front_matter(
        "Coverage",
        "Which known risks have an executed attack and defense in this course, which controls are proved, and where the gaps are.",
        kind="coverage",
    )
    lines = [
        front,
        "# Coverage",
        "Generated from the headers of the labs, the front matter of the knowledge base and the run behind this site. An attack "
        "counts when it landed on the undefended system in that run; a defense counts when its exercise passed all gates. "
        "Gaps are shown, with the lab that is planned for them or the reason why there is none.",
    ]
    rows: dict[str, dict[str, list[Page]]] = {name: defaultdict(list) for name in LISTS}
    for page in known.of("threat"):
        for name in page.list_of("ids"):
            family = name[:3]
            predecessor = family in ("ASI", "LLM") and not name.endswith(":2026")
            if family in rows and not predecessor:
                rows[family][name].append(page)
    for family, title in LISTS.items():
        lines.append(f"## {title} {{#{family.lower()}}}")
        table = [
            "| Id | Threat | Attack executed in | Controls | Defense proved in (exercises) |",
            "|---|---|---|---|---|",
        ]
        for name, threats in sorted(rows[family].items()):
            controls = list(dict.fromkeys(c for t in threats for c in t.list_of("controls")))
            proved = [c for c in controls if held[c]]
            claims = dict.fromkeys(claim for c in proved for claim in held[c])
            by_lab = Counter(claim.split("#")[0] for claim in claims)
            shown = ", ".join(f"[{titles[lab]}](../labs/{lab}.md) ({n})" for lab, n in by_lab.items()) or "none yet"
            attacks = ", ".join(f"[{titles[slug]}](../labs/{slug}.md)" for slug in attacking[name])
            table.append(
                f"| {inline(name)} | {', '.join(f'[{inline(t.title)}](threats/{t.slug}.md)' for t in threats)} "
                f"| {attacks or _why_not(known, threats)} | {len(controls)}, of which {len(proved)} proved | {shown} |"
            )
        lines.append("\n".join(table))
    lines.append("## Controls {#controls}")
    table = ["| Control | Track | Proof | Threats | Incidents |", "|---|---|---|---|---|"]
    for page in sorted(known.controls.values(), key=lambda p: (p.data["track"], p.title)):
        naming = known.naming(page.slug)
        count = {kind: sum(o.kind == kind for o in naming) for kind in ("threat", "incident")}
        proof = _proof(held[page.slug], titles, page.data.get("lab"), up="../")
        table.append(
            f"| [{inline(page.title)}](controls/{page.slug}.md) | {page.data['track']} | {proof} | {count['threat']} | {count['incident']} |"
        )
    lines.append("\n".join(table))
    return "\n\n".join(lines) + "\n"


def _why_not(known: Knowledge, threats: list[Page]) -> str:
    """Why no attack was executed for an item: what its pages say, or the labs that are still planned."""
    reasons = [inline(t.data["not_executed"]) for t in threats if t.data.get("not_executed")]
    planned = {str(entry["slug"]) for entry in known.planned}
    later = dict.fromkeys(f"`{slug}`" for t in threats for slug in t.list_of("labs") if slug in planned)
    return "; ".join([*reasons, *([f"planned: {', '.join(later)}"] if later else [])]) or "none yet"


def _timeline(known: Knowledge) -> str:
    front = front_matter(
        "Timeline of incidents",
        "Incidents of 2025 and 2026 by date, with cause, how sure the source is, and the controls that would have stopped them.",
        kind="timeline",
    )
    table = ["| Date | Incident | Cause | What would have stopped or cut it | Source |", "|---|---|---|---|---|"]
    for page in sorted(known.of("incident"), key=lambda p: p.data["date"]):
        controls = ", ".join(
            f"[{inline(known.controls[c].title)}](controls/{c}.md)" for c in page.list_of("controls")[:3]
        )
        cause = page.data["cause"].replace("-", " ")
        table.append(
            f"| {page.data['date']} | [{inline(page.title)}](incidents/{page.slug}.md) | {cause} | {controls} | {page.data['confidence']} |"
        )
    causes = Counter(page.data["cause"].replace("-", " ") for page in known.of("incident"))
    counted = ", ".join(f"{cause} {count}" for cause, count in causes.most_common())
    return "\n\n".join([front, "# Timeline of incidents", f"By cause: {counted}.", "\n".join(table)]) + "\n"


def _review(known: Knowledge, today: datetime.date) -> str:
    front = front_matter(
        "What is due for review",
        "Every page of the knowledge base by the day it was last checked; pages past their review date come first.",
        kind="review",
    )
    late = [p for p in known.pages if p.is_stale(today)]
    lines = [
        front,
        "# What is due for review",
        f"{len(late)} of {len(known.pages)} pages were last checked more than {REVIEW_AFTER.days} days before this build.",
    ]
    items = [
        f"- {p.data['verified']}: [{inline(p.title)}]({p.place})"
        for p in sorted(late, key=lambda p: p.data["verified"])
    ]
    return "\n\n".join([*lines, "\n".join(items) or "None is overdue."]) + "\n"


# -- the glossary ---------------------------------------------------------------------------------


def _entries(tree: Tree) -> list[Json]:
    try:
        return list(yaml.safe_load((tree.docs / "knowledge" / "glossary.yml").read_text(encoding="utf-8")) or [])
    except FileNotFoundError:
        return []


def _glossary(tree: Tree) -> tuple[str, str]:
    """The glossary's page, and the abbreviations that every page shows on hover and touch.

    A blank line stands between them: in one block, Markdown's abbr extension would read all of it
    again for each, which made a build of 400 pages four times as long.
    """
    front = front_matter(
        "Glossary",
        "The terms of this course in one sentence each: agents, protocols, identity, hosts, clusters, supply chain, operations.",
        kind="glossary",
    )
    entries = sorted(_entries(tree), key=lambda e: e["term"].lower())
    lines = [front, "# Glossary", f"{len(entries)} terms as this course uses them."]
    items, terms = [], []
    for entry in entries:
        also = f" ({', '.join(entry['abbreviations'])})" if entry.get("abbreviations") else ""
        more = f" [More]({entry['page']})" if entry.get("page") else ""
        anchor = re.sub(r"[^a-z0-9]+", "-", entry["term"].lower()).strip("-")
        items.append(
            f'<span id="{anchor}"></span>**{inline(entry["term"])}**{inline(also)}: {inline(entry["text"])}{more}'
        )
        for name in [entry["term"], *entry.get("abbreviations", [])]:
            # Lower-case everyday words would light up half of each page.
            if re.search(r"[A-Z]", name) or "-" in name or " " in name:
                terms.append(f"*[{name}]: {entry['text']}")
    return "\n\n".join([*lines, *items]) + "\n", "\n\n".join(terms) + "\n"
