"""Turns a post's HTML into plain text, its links, and a folded text that look-alike letters can't hide in.

Mastodon's HTML: docs.joinmastodon.org/spec/activitypub/#sanitization. Mentions and hashtags are anchors too
(``class="mention"``, ``class="mention hashtag"``) and don't count as links.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from selectolax.lexbor import LexborHTMLParser, LexborNode

from mastowatch.domain.lookalikes import LATIN, ORNAMENTAL

# No post that people read is longer; what is, is cut, so that one post can't hold a worker.
HTML_MAX = 200_000
TEXT_MAX = 20_000
LINKS_MAX = 100

# Zero-width and bidirectional controls, soft hyphens, variation selectors: invisible, and used to split words.
_INVISIBLE = dict.fromkeys(
    (
        *(0x00AD, 0x034F, 0x061C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180E, 0x3164, 0xFEFF, 0xFFA0),
        *range(0x200B, 0x2010),
        *range(0x202A, 0x202F),
        *range(0x2060, 0x2070),
        *range(0xFE00, 0xFE10),
        *range(0xE0000, 0xE0080),
    )
)
# Words are folded one by one. Hyphens and slashes part them: "it-отдел" is two words in two languages.
_WORD = re.compile(r"[^\s\-/]+")
_PUNCTUATION = ".,;:!?\"'()[]{}<>#@*_~"
LOOKALIKE_MIN = 4  # shorter words mix scripts by accident: "5г", "xо"
_BREAKS = frozenset({"p", "br", "li", "ul", "ol", "blockquote", "pre", "h1", "h2", "h3", "h4", "h5", "h6", "div"})
_SKIPPED = frozenset({"script", "style", "template", "head", "title"})


@dataclass(frozen=True, slots=True)
class Text:
    """A text as rules see it. ``links`` are URLs, ``hosts`` their lower-case hosts without ``www.``."""

    plain: str
    folded: str
    links: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    lookalikes: tuple[str, ...] = ()


def read_html(html: str | None, *more: str) -> Text:
    """Return the text of ``html`` with ``more`` plain texts after it; never fails, whatever the input."""
    plain, links = _parse(_clean(html or ""))
    joined = "\n".join(part for part in (plain, *(_clean(extra) for extra in more)) if part)[:TEXT_MAX]
    hosts = tuple(dict.fromkeys(host for host in map(host_of, links) if host))
    folded, lookalikes = fold_with_lookalikes(joined)
    return Text(joined, folded, tuple(links), hosts, lookalikes)


def host_of(url: str) -> str:
    """Return the host of ``url`` in lower case without ``www.``, or "" where there is none."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return ""
    return host.removeprefix("www.").rstrip(".")


def fold(text: str) -> str:
    """Return ``text`` with case, width, invisible characters and look-alike letters folded away.

    Only words that mix scripts (or are written in ornamental letters) are folded to Latin: real Cyrillic and
    Greek words stay as they are and can be matched in their own script.
    """
    return fold_with_lookalikes(text)[0]


def fold_with_lookalikes(text: str) -> tuple[str, tuple[str, ...]]:
    """Return the folded text, and the folded form of each word in which letters of two scripts were mixed."""
    if text.isascii():
        return text.lower(), ()
    normal = unicodedata.normalize("NFKC", text.translate(_INVISIBLE)).translate(_INVISIBLE).casefold()
    if normal.isascii():
        return normal, ()
    found: dict[str, None] = {}
    return _WORD.sub(lambda match: _fold_word(match.group(), found), normal), tuple(found)


def _fold_word(word: str, found: dict[str, None]) -> str:
    """Fold a word to Latin if it mixes Latin with look-alikes of another script, or is ornamental."""
    if word.isascii() or not _is_disguised(word):
        return word
    folded = unicodedata.normalize("NFKD", word).translate(LATIN)
    folded = "".join(char for char in folded if not unicodedata.combining(char))
    if not folded.isascii():
        return word
    bare = folded.strip(_PUNCTUATION)
    if len(bare) >= LOOKALIKE_MIN and bare.isalpha():
        found[bare] = None
    return folded


def _is_disguised(word: str) -> bool:
    """Tell whether ASCII letters stand beside foreign letters that look like them, or small capitals are used."""
    if any(char in ORNAMENTAL for char in word):
        return True
    latin = any("a" <= char <= "z" for char in word)
    return latin and any(ord(char) in LATIN for char in word)


def _clean(text: str) -> str:
    """Cut to a bearable length and replace lone surrogates, which no encoder or matcher takes."""
    return text[:HTML_MAX].encode("utf-8", "replace").decode("utf-8").replace("\0", " ")


def _parse(html: str) -> tuple[str, list[str]]:
    if "<" not in html and "&" not in html:
        return html, []
    body = LexborHTMLParser(html).body
    if body is None:
        return "", []
    parts: list[str] = []
    links: list[str] = []
    _walk(body, parts, links)
    return "".join(parts).strip(), links


def _walk(root: LexborNode, parts: list[str], links: list[str]) -> None:
    """Go through the nodes in order, without recursion: hostile HTML nests deeper than Python's stack."""
    for node in root.traverse(include_text=True):
        tag = node.tag
        if tag == "-text":
            parent = node.parent
            if parent is None or parent.tag not in _SKIPPED:
                parts.append(node.text_content or "")
        elif tag in _BREAKS:
            parts.append("\n")
        elif tag == "a" and len(links) < LINKS_MAX:
            _note_link(node, links)


def _note_link(node: LexborNode, links: list[str]) -> None:
    href = node.attributes.get("href") or ""
    classes: Sequence[str] = (node.attributes.get("class") or "").split()
    if href.startswith(("http://", "https://")) and "mention" not in classes and "hashtag" not in classes:
        links.append(href)
