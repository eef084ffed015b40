"""A content security policy for each built page, as strict as that page allows.

A page may run its own site's scripts and the inline ones it was built with, by their hash. It may ask
no other host for anything. The policy is computed from the finished page, so it fits whatever generator
and theme made it, and a script that slips in later does not run.
"""

import base64
import hashlib
import re
from html.parser import HTMLParser

_FIRST = re.compile(r"<meta[^>]+charset[^>]*>", re.IGNORECASE)
_DATA = {"application/json", "application/ld+json", "text/plain"}


def with_policy(text: str) -> str:
    """The page with its policy behind the charset: it holds for what comes after it."""
    first = _FIRST.search(text)
    if not first:
        raise ValueError("a page without <meta charset> has no place for its policy")
    meta = f'<meta http-equiv="Content-Security-Policy" content="{policy(text)}">'
    return text[: first.end()] + meta + text[first.end() :]


def policy(text: str) -> str:
    """What this page needs, and nothing else."""
    found = _Inline()
    found.feed(text.replace("\r\n", "\n"))
    found.close()
    styles = [_hash(style) for style in found.styles]
    attributes = [_hash(style) for style in found.attributes]
    rules = {
        "default-src": ["'none'"],
        "script-src": ["'self'", *(_hash(script) for script in found.scripts)],
        "style-src": ["'self'", *styles, *(["'unsafe-hashes'", *attributes] if attributes else [])],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "worker-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
    }
    return "; ".join(f"{name} {' '.join(dict.fromkeys(values))}" for name, values in rules.items())


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


class _Inline(HTMLParser):
    """The scripts and styles that stand in a page itself."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.scripts: list[str] = []
        self.styles: list[str] = []
        self.attributes: list[str] = []
        self._into: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        have = dict(attrs)
        if have.get("style"):
            self.attributes.append(have["style"] or "")
        if tag == "script" and "src" not in have and have.get("type") not in _DATA:
            self._into = self.scripts
            self.scripts.append("")
        if tag == "style":
            self._into = self.styles
            self.styles.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._into = None

    def handle_data(self, data: str) -> None:
        if self._into is not None:
            self._into[-1] += data
