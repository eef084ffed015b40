"""The handbook: every page of the site in one document, with contents that know the page numbers.

The pages come from the site as files (see offline.py), in the order of nav. Chromium prints them twice: the first print
shows where each page begins, the second has those numbers in its contents. It is printed again until they agree.
"""

import html
import re
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath
from posixpath import normpath
from urllib.parse import unquote, urldefrag, urlsplit

from proving import nav, pdf, plain, printing
from proving.display import say
from proving.paths import Tree

PAGE = "handbook.html"
MOST_PRINTS = 4
_ARTICLE = re.compile(r"<article\b[^>]*>(.*)</article>", re.DOTALL)
_SHEET = re.compile(r'<link rel="stylesheet" href="([^"]+)">')
_ID = re.compile(r'\bid="([^"]+)"')
_WORDS = ("aria-labelledby", "aria-describedby", "for", "headers")


class Unprintable(Exception):
    """No handbook came of it; the text says why and what to do."""


def make(tree: Tree, site: Path, chromium: str, target: Path) -> int:
    """Print the pages of the site as files `site` into the file `target`; return how many pages it has.

    Raises `Unprintable`, `printing.PrintFailed` or OSError.
    """
    entries = nav.entries(tree)
    bodies = chapters(site, [entry.source for entry in entries])
    titles = [plain.document(tree, entry.source).title for entry in entries]
    proved = _proved(tree)
    numbers: list[int] = [0] * len(entries)
    for attempt in range(1, MOST_PRINTS + 1):
        page = document(nav.settings(tree), site, entries, titles, bodies, numbers, proved)
        (site / PAGE).write_text(page, encoding="utf-8", newline="\n")
        say(f"Printing {len(entries)} pages of the site as a handbook, pass {attempt}")
        printing.print_to_pdf(chromium, site / PAGE, target)
        try:
            printed = pdf.read(target.read_bytes())
            seen = [printed.destinations[f"p{number}"] for number in range(len(entries))]
        except (pdf.Unreadable, KeyError) as error:
            raise Unprintable(
                f"What Chromium printed does not say where each page begins ({error}). "
                "Adapt scripts/proving/pdf.py to this Chromium, or use the one that CI installs."
            ) from error
        if seen == numbers:
            target.write_bytes(pdf.without_day(target.read_bytes()))
            return printed.pages
        numbers = seen
    raise Unprintable(f"After {MOST_PRINTS} prints the contents still move the pages they name. Shorten a title.")


def chapters(site: Path, sources: list[str]) -> list[str]:
    """The article of each page, with ids of its own and links that lead to the other chapters."""
    files = [nav.file(source) for source in sources]
    texts = [(site / file).read_text(encoding="utf-8") for file in files]
    places = {file: number for number, file in enumerate(files)}
    ids = [set(_ID.findall(text)) for text in texts]
    made = []
    for number, (file, text) in enumerate(zip(files, texts, strict=True)):
        match = _ARTICLE.search(text)
        if not match:
            raise Unprintable(f"{file} holds no <article>: the theme has changed. Adapt scripts/proving/handbook.py.")
        rewriter = _Rewriter(file, number, places, ids)
        rewriter.feed(match[1])
        rewriter.close()
        made.append(f'<section class="hb-chapter" id="p{number}">{"".join(rewriter.out)}</section>')
    return made


def document(
    settings: dict[str, object],
    site: Path,
    entries: list[nav.Entry],
    titles: list[str],
    bodies: list[str],
    numbers: list[int],
    proved: str,
) -> str:
    """The whole as one HTML page: title, contents, chapters, and no script."""
    name, about = (html.escape(str(settings.get(key, ""))) for key in ("site_name", "site_description"))
    own = (Path(__file__).with_suffix(".css")).read_text(encoding="utf-8")
    first = (site / nav.file(entries[0].source)).read_text(encoding="utf-8")
    up = PurePosixPath(nav.file(entries[0].source)).parent
    sheets = [normpath(str(up / sheet)) for sheet in _SHEET.findall(first)]
    links = "".join(f'<link rel="stylesheet" href="{sheet}">' for sheet in sheets)
    lines, section = [], None
    for at, (entry, title) in enumerate(zip(entries, titles, strict=True)):
        if entry.sections != section:
            lines += ["</ol>" if section is not None else "", f'<p class="hb-section">{_section(entry)}</p><ol>']
            section = entry.sections
        number = f'<span class="hb-number">{numbers[at] or "000"}</span>'
        lines.append(f'<li><a href="#p{at}"><span>{html.escape(title)}</span>{number}</a></li>')
    return (
        f'<!doctype html><html lang="en" class="no-js"><head><meta charset="utf-8"><title>{name}: the handbook</title>'
        f"{links}<style>{own}</style></head>"
        '<body dir="ltr" data-md-color-scheme="default" data-md-color-primary="custom" data-md-color-accent="custom">'
        f'<div class="md-typeset"><div class="hb-title"><p>{name}</p><p>{about}</p><p>{html.escape(proved)}</p></div>'
        f'<div class="hb-contents"><h1>Contents</h1>{"".join(lines)}</ol></div>{"".join(bodies)}</div></body></html>\n'
    )


def _section(entry: nav.Entry) -> str:
    return html.escape(": ".join(entry.sections) or "More")


def _proved(tree: Tree) -> str:
    """The sentence of the landing page that says what was proved, without its link."""
    try:
        text = (tree.cache / "includes" / "proved.md").read_text(encoding="utf-8")
    except OSError:
        return ""
    return text.partition(" [")[0].strip()


class _Rewriter(HTMLParser):
    """Gives back what it reads, with ids, links and folds changed for one long document.

    Figures stay as they are: their style sheets name their ids, which authors keep unique.
    """

    def __init__(self, file: str, number: int, places: dict[str, int], ids: list[set[str]]) -> None:
        super().__init__(convert_charrefs=False)
        self.out: list[str] = []
        self._file, self._number, self._places, self._ids = file, number, places, ids
        self._figure = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._figure += tag == "svg"
        if self._figure:
            self.out.append(self.get_starttag_text() or "")
            return
        if tag == "details" and "open" not in dict(attrs):
            attrs = [*attrs, ("open", "")]
        self.out.append(f"<{tag}{''.join(self._attribute(tag, name, value) for name, value in attrs)}>")

    handle_startendtag = handle_starttag

    def handle_endtag(self, tag: str) -> None:
        self._figure -= tag == "svg"
        self.out.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        self.out.append(data)

    def handle_entityref(self, name: str) -> None:
        self.out.append(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.out.append(f"&#{name};")

    def _attribute(self, tag: str, name: str, value: str | None) -> str:
        value = value or ""
        if name == "id":
            value = f"p{self._number}-{value}"
        elif name in _WORDS:
            value = " ".join(f"p{self._number}-{word}" for word in value.split())
        elif name == "href" and tag == "a":
            value = self._link(value)
        elif name == "src" and not urlsplit(value).scheme:
            value = normpath(str(PurePosixPath(self._file).parent / value))
        return f' {name}="{html.escape(value)}"'

    def _link(self, value: str) -> str:
        """Another chapter, or its part; outside links stay; a file that only the site has leads nowhere."""
        if urlsplit(value).scheme or value.startswith("//"):
            return value
        address, part = urldefrag(value)
        file = normpath(str(PurePosixPath(self._file).parent / unquote(address))) if address else self._file
        if file not in self._places:
            return ""
        at = self._places[file]
        return f"#p{at}-{part}" if part in self._ids[at] else f"#p{at}"
