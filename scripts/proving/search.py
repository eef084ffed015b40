"""Search in the course for half-remembered names: typing errors, other names, parts of names, pasted error messages.

    Index(documents).search("tool poisning")  ->  hits, best first, each with the part of the page that fits best

Every page is a bag of words with weights: a word in the title or in an alias says more than one in the text. A word of the
query that no page holds stands for the words that look like it (three letters at a time, and by the order of letters),
for less. A page that lacks a word of the query loses much, so more words find fewer pages. The site has an engine of its
own, in the browser (docs/assets/search/engine.js); both are held to the questions of tests/search/.
"""

import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import pairwise
from typing import Any

from proving.plain import Document

MOST_WORDS = 40
EXCERPT = 280
# Where a word stands, and what it counts there.
_WEIGHTS = {
    "title": 9.0,
    "aliases": 8.0,
    "address": 4.0,
    "message": 4.0,
    "description": 3.0,
    "heading": 2.5,
    "text": 1.0,
}
_LIKE = 0.6  # What a word counts that is only like the one asked for.
_PREFIX = 0.8
_ALIKE = 0.72  # From here on two words are taken for the same one, mistyped.
_CODE = re.compile(r"^ *(`{3,}|~{3,}).*?^ *\1 *$", re.DOTALL | re.MULTILINE)
_WORD = re.compile(r"[a-z0-9]+")
_STOP = frozenset(
    _WORD.findall(
        "a about an and are as at be by can do does for from has have how i if in into is it its may me my no not of on or "
        "our should so that the their then there this to use was we what when where which who why will with you your"
    )
)
_ENDINGS = ("ations", "ation", "ings", "ing", "ies", "ied", "ers", "er", "es", "ed", "s", "y", "e")


@dataclass(frozen=True)
class Hit:
    """A page that fits: the part of it that fits best, and a few words from there."""

    document: Document
    score: float
    heading: str
    anchor: str
    excerpt: str


@dataclass(frozen=True)
class _Part:
    heading: str
    anchor: str
    text: str


class Index:
    """All pages, ready to be asked."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self.documents = list(documents)
        self._parts = [_parts(document.text) for document in self.documents]
        self._weights: dict[str, dict[int, float]] = defaultdict(dict)
        for number, document in enumerate(self.documents):
            for word, weight in self._bag(document, self._parts[number]).items():
                self._weights[word][number] = weight
        self._names = [_names(document) for document in self.documents]
        self._trigrams: dict[str, set[str]] = defaultdict(set)
        for word in self._weights:
            for trigram in _trigrams(word):
                self._trigrams[trigram].add(word)

    def search(self, query: str, limit: int = 10) -> list[Hit]:
        """The pages that fit, best first."""
        words = terms(query)[:MOST_WORDS]
        if not words:
            return []
        meant = [self._meant(word) for word in words]
        worth = [max((self._rare(word) for word in like), default=3.0) for like in meant]
        scores: dict[int, float] = defaultdict(float)
        covered: dict[int, float] = defaultdict(float)
        for like, value in zip(meant, worth, strict=True):
            best: dict[int, float] = {}
            for word, certainty in like.items():
                for number, weight in self._weights[word].items():
                    best[number] = max(best.get(number, 0.0), certainty * self._rare(word) * weight)
            for number, score in best.items():
                scores[number] += score
                covered[number] += value
        asked = " ".join(
            max(like, key=lambda w: like[w]) if like else word for word, like in zip(words, meant, strict=True)
        )
        for number in scores:
            scores[number] *= (covered[number] / sum(worth)) ** 2
            scores[number] *= 1 + max((_fits(asked, name) for name in self._names[number]), default=0.0)
        ordered = sorted(scores, key=lambda number: (-scores[number], self.documents[number].source))[:limit]
        return [self._hit(number, scores[number], meant) for number in ordered]

    def like(self, source: str, limit: int = 3) -> list[str]:
        """The pages whose file is called most like `source`."""
        ranked = sorted(
            ((SequenceMatcher(None, source[:200], d.source).ratio(), d.source) for d in self.documents), reverse=True
        )
        return [name for ratio, name in ranked[:limit] if ratio > 0.4]

    def _bag(self, document: Document, parts: list[_Part]) -> dict[str, float]:
        """The weight of each word of a page. A word counts more the oftener it stands there, but ever less so."""
        data = document.data
        places = {
            "title": document.title,
            "aliases": _joined(data.get("aliases"), data.get("ids")),
            "address": document.source.removesuffix(".md"),
            "message": str(data.get("message") or ""),
            "description": f"{document.description} {data.get('summary') or ''}",
            "heading": " ".join(part.heading for part in parts),
            "text": document.text,
        }
        bag: dict[str, float] = defaultdict(float)
        for place, text in places.items():
            short = place in ("title", "aliases", "heading", "address")
            for word, count in Counter(terms(text, pairs=short)).items():
                bag[word] += _WEIGHTS[place] * count / (count + 1.2) * 2
        return bag

    def _rare(self, word: str) -> float:
        """What a word tells: much when few pages hold it."""
        return math.log(1 + len(self.documents) / (len(self._weights[word]) + 0.5)) if word in self._weights else 0.0

    def _meant(self, word: str) -> dict[str, float]:
        """The words of the pages that may be meant, with how sure that is."""
        found = {word: 1.0} if word in self._weights else {}
        near: Counter[str] = Counter()
        mine = _trigrams(word)
        for trigram in mine:
            near.update(self._trigrams.get(trigram, ()))
        for other, shared in near.most_common(60):
            if other in found or (shared < 2 and min(len(word), len(other)) > 6):
                continue
            if len(word) >= 3 and other.startswith(word):
                found[other] = _PREFIX * (len(word) / len(other)) ** 0.5
            elif word not in found and len(word) >= 4:
                ratio = _likeness(word, other)
                if ratio >= _ALIKE:
                    found[other] = _LIKE * ratio
        return found

    def _hit(self, number: int, score: float, meant: list[dict[str, float]]) -> Hit:
        document = self.documents[number]
        wanted = {word: certainty * self._rare(word) for like in meant for word, certainty in like.items()}

        def fits(part: _Part) -> float:
            inside = set(terms(part.text)) | set(terms(part.heading, pairs=True))
            return sum(weight for word, weight in wanted.items() if word in inside)

        # The first of equals: what a page says first, it says most plainly.
        part = max(self._parts[number], key=fits)
        return Hit(document, round(score, 2), part.heading, part.anchor, _excerpt(part.text, wanted, document))


def terms(text: str, *, pairs: bool = False) -> list[str]:
    """The words of a text without their endings. `pairs` adds neighbors as one word, so `dm-verity` answers to dmverity."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    raw = _WORD.findall("".join(c for c in plain if not unicodedata.combining(c)))
    kept = [word for word in raw if word not in _STOP] or raw
    stems = [_stem(word) for word in kept]
    joined = [_stem(a + b) for a, b in pairwise(raw) if len(a + b) <= 24] if pairs else []
    return stems + joined


@lru_cache(maxsize=50_000)
def _stem(word: str) -> str:
    """The word without its ending, where enough is left. Wrong on purpose: only equal words have to stay equal."""
    if any(c.isdigit() for c in word):
        return word
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            return word[:-1] if word[-1] == word[-2] and word[-1] not in "ls" else word
    return word


def _trigrams(word: str) -> set[str]:
    padded = f"^{word}$"
    return {padded[at : at + 3] for at in range(len(padded) - 2)}


def _likeness(one: str, other: str) -> float:
    """How alike two words are, by the order of their letters."""
    if abs(len(one) - len(other)) > 3:
        return 0.0
    return SequenceMatcher(None, one, other, autojunk=False).ratio()


def _names(document: Document) -> list[str]:
    """What the page is called, in words without endings."""
    aliases = document.data.get("aliases")
    called = [document.title, document.source.rpartition("/")[2].removesuffix(".md")]
    called += [str(name) for name in aliases] if isinstance(aliases, list) else []
    return [" ".join(terms(name)) for name in called]


def _fits(asked: str, name: str) -> float:
    """How much a query is a name: 1 for the same, less for one within the other, little for a likeness."""
    if not name:
        return 0.0
    if asked == name:
        return 1.0
    shorter, longer = sorted((asked, name), key=len)
    if f" {shorter} " in f" {longer} ":
        return 0.4 + 0.5 * len(shorter) / len(longer)
    matcher = SequenceMatcher(None, asked[:80], name[:80], autojunk=False)
    ratio = matcher.ratio() if matcher.quick_ratio() > 0.7 else 0.0
    return ratio * 0.8 if ratio > 0.7 else 0.0


def _joined(*lists: Any) -> str:
    return " . ".join(str(item) for items in lists if isinstance(items, list) for item in items)


def _parts(text: str) -> list[_Part]:
    """A page cut at its headings; lines of code that look like one are left alone."""
    parts, lines, heading, anchor, fence = [], [], "", "", ""
    for line in [*text.split("\n"), "# end"]:
        mark = re.match(r" *(`{3,}|~{3,})", line)
        if mark and (not fence or mark[1].startswith(fence)):
            fence = "" if fence else mark[1]
        found = None if fence else re.match(r"#{1,6} +(.*?)(?: *\{ *#([\w-]+)[^}]*\})? *$", line)
        if not found:
            lines.append(line)
            continue
        if lines or heading:
            parts.append(_Part(heading, anchor, "\n".join(lines).strip()))
        heading, anchor, lines = found[1], found[2] or "", []
    return parts or [_Part("", "", "")]


def part_of(text: str, anchor: str) -> str | None:
    """The part of a page under the heading with this id, its smaller headings included; None when there is none."""
    lines = text.split("\n")
    out: list[str] = []
    level, fence = 0, ""
    for line in lines:
        mark = re.match(r" *(`{3,}|~{3,})", line)
        if mark and (not fence or mark[1].startswith(fence)):
            fence = "" if fence else mark[1]
        found = None if fence else re.match(r"(#{1,6}) +.*?(?:\{ *#([\w-]+)[^}]*\})? *$", line)
        if found and level and len(found[1]) <= level:
            break
        if found and not level and found[2] == anchor:
            level = len(found[1])
        if level:
            out.append(line)
    return "\n".join(out).strip() + "\n" if level else None


def _excerpt(text: str, wanted: dict[str, float], document: Document) -> str:
    """The stretch of the text that holds most of what was asked for; of code only where the prose holds nothing."""
    for source in (_CODE.sub(" ", text), text):
        bare = re.sub(r"\]\([^)]*\)(?:\{[^}]*\})?", "", re.sub(r"[`*\[]+|^[#>|-]+ |\|", "", source, flags=re.MULTILINE))
        words = bare.split()
        values = [max((wanted.get(term, 0.0) for term in terms(word)), default=0.0) for word in words]
        if any(values):
            break
    if not any(values):
        return document.description[:EXCERPT] or " ".join(words)[:EXCERPT]
    width = EXCERPT // 7
    sums = [sum(values[at : at + width]) for at in range(max(1, len(words) - width + 1))]
    start = max(0, sums.index(max(sums)) - (0 if len(words) <= width else 2))
    cut = " ".join(words[start : start + width])[:EXCERPT].strip()
    return ("… " if start else "") + cut + (" …" if start + width < len(words) else "")
