"""Put every generated page on disk, so that any site generator can build from Markdown alone."""

from datetime import UTC, datetime
from pathlib import Path

from proving import knowledge, knowledge_pages, learning_paths, pages, reading, search_index
from proving.findings import Finding
from proving.paths import Tree
from proving.proof import Evidence
from proving.source import Lab


def stage(tree: Tree, labs: list[Lab], evidence: list[Evidence]) -> list[Finding]:
    """Write the pages of labs and of the knowledge base, then the index of the search.

    Returns what is wrong with the pages on disk, and with the words of the search.
    """
    findings: list[Finding] = []
    others: dict[Path, str] = {}
    if (tree.docs / "knowledge").is_dir():
        known, findings = knowledge.read(tree, labs)
        findings += [*knowledge.unproved(tree, known, evidence), *knowledge_pages.glossary_findings(tree)]
        others = knowledge_pages.pages(tree, known, labs, evidence, datetime.now(UTC).date())
    findings += learning_paths.read(tree, reading.lessons(tree), labs)[1]
    pages.stage(tree, labs, evidence, others)
    return [*findings, *pages.include_findings(tree), *search_index.stage(tree)]
