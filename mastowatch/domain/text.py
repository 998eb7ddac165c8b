"""Turns a post's HTML into plain text, its links, and a folded text that look-alike letters can't hide in.

Mastodon's HTML: docs.joinmastodon.org/spec/activitypub/#sanitization. What its sanitizer lets through is read by
regular expressions, faster than by a parser; anything else goes to a parser and gives the same result.
Mentions and hashtags are anchors too (``class="mention"``, ``class="mention hashtag"``) and don't count as links.
"""

from __future__ import annotations

import html as entities
import re
from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple

from selectolax.lexbor import LexborHTMLParser

from mastowatch.domain.folding import fold, fold_with_lookalikes

__all__ = ["Text", "ascii_host", "fold", "host_of", "read_html"]

# No post that people read is longer; what is, is cut, so that one post can't hold a worker.
HTML_MAX = 200_000  # bytes, about; of HTML as Mastodon makes it
PARSED_MAX = 40_000  # of any other HTML: the parser's time grows with the square of the nesting
TEXT_MAX = 20_000  # characters
LINKS_MAX = 100
URL_MAX, HOST_MAX = 2048, 253  # characters; the latter is DNS' own limit
_PLAIN_HOST = re.compile(rf"https?://([a-z0-9.-]{{1,{HOST_MAX}}})(?:[/?#]|\Z)")

_INLINE = "span|a|strong|b|em|i|u|s|del|code|ruby|rt|rp"
_BLOCK = "p|br|li|ul|ol|pre|blockquote"
# Tags as Mastodon writes them. Possessive throughout (++, *+, ?+): no input makes them go back and try again.
_ATTRIBUTES = r'(?>\s++[a-zA-Z][a-zA-Z0-9-]*+(?:="[^"<>]*+")?+)*+\s*+/?+'
_TAG = re.compile(rf"/?+(?:({_BLOCK})|(?:{_INLINE}))(?![a-z]){_ATTRIBUTES}")
_LINK = re.compile(
    r'a(?![^>]*\sclass="(?:[^">]*\s)?(?:mention|hashtag)[\s"])[^>]*?\shref="([hH][tT][tT][pP][sS]?://[^"]*)"'
)
# What stands in the place of tags without attributes, and of the few that Mastodon writes all the time.
_KNOWN_TAGS = {
    **{f"{slash}{name}": "" for slash in ("", "/") for name in _INLINE.split("|")},
    **{f"{slash}{name}": "\n" for slash in ("", "/") for name in _BLOCK.split("|")},
    **dict.fromkeys(("br/", "br /"), "\n"),
    **{f'span class="{name}"': "" for name in ("invisible", "ellipsis", "h-card")},
    'span class="h-card" translate="no"': "",
}
# Links, mentions and hashtags as Mastodon writes them; with the first group it is a link.
_KNOWN_ANCHOR = re.compile(
    r'a href="(?:(https?://[^"<>]*+)"(?: rel="[^"<>]*+")?(?: translate="no")?(?: target="_blank")?'
    r'|[^"<>]*+" class="(?:u-url mention|mention hashtag)"(?: rel="tag")?)'
)
# A line ends where these begin or end; in what a parser reads, as in what the expressions above read.
_BREAK = re.compile(rf"<(?=/?(?:{_BLOCK}|div|tr|h[1-6])\b)", re.IGNORECASE)
_UNREAD = ["script", "style", "template", "head", "title", "noscript", "iframe", "textarea", "select"]
_WEB = re.compile("https?://", re.IGNORECASE)
_BARE_LINK = re.compile(r"https?://[^\s<>\"]+", re.IGNORECASE)
# Browsers take a backslash for a slash, and so must we, or a host hides behind one.
_HOST = re.compile(r"https?:[/\\]{2,}(?:[^/\\?#@]*@)*(\[[^\]]*\]|[^/\\?#:@\s]+)", re.IGNORECASE)


class Text(NamedTuple):  # made in a third of the time that a frozen dataclass takes
    """A text as rules see it. ``links`` are URLs, ``hosts`` their hosts as ``ascii_host`` gives them.

    ``lookalikes`` are the plain forms of words written in disguise.
    """

    plain: str
    folded: str
    links: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    lookalikes: tuple[str, ...] = ()


def read_html(html: str | None, *more: str) -> Text:
    """Return the text of ``html`` with ``more`` plain texts after it; never fails, whatever the input."""
    plain, links = _read(html[:HTML_MAX]) if html else ("", [])
    if any(more):
        plain = "\n".join(filter(None, (plain, *more)))
    plain = _clean(plain[:TEXT_MAX])
    if not links and "://" in plain:
        # Not everybody's server makes links of what is one, and people can copy it all the same.
        links = _BARE_LINK.findall(plain)[:LINKS_MAX]
    folded, lookalikes = fold_with_lookalikes(plain)
    folded = folded[:TEXT_MAX]  # some letters fold to eighteen
    return Text(plain, folded, tuple(links), _hosts(links) if links else (), lookalikes)


def host_of(url: str) -> str:
    """Return the host of ``url`` as ``ascii_host`` gives it, or "" where there is none."""
    plain = _PLAIN_HOST.match(url)
    if plain:  # as nearly all are written
        return plain[1].removeprefix("www.").rstrip(".")
    found = _HOST.match(_clean(url[:URL_MAX]))
    # A longer name can't be looked up, and takes long to fold.
    return ascii_host(found[1]) if found and len(found[1]) <= HOST_MAX else ""


def ascii_host(host: str) -> str:
    """Return ``host`` in small letters and punycode, without ``www.`` and a dot at its end: one form to compare."""
    if not host.isascii():
        host = fold(host)
        with suppress(UnicodeError):  # no name that can be looked up: compared as it is written
            host = host.encode("idna").decode()
    return host.lower().removeprefix("www.").rstrip(".")


def _hosts(links: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, map(host_of, links))))


def _clean(text: str) -> str:
    """Replace lone surrogates, which no encoder, parser or matcher takes, and NUL."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            text = text.encode("utf-8", "replace").decode()
    return text.replace("\0", " ") if "\0" in text else text


def _read(html: str) -> tuple[str, list[str]]:
    if "<" not in html:
        return entities.unescape(html), []
    first, *pieces = html.split("<")
    texts, links = [first], list[str]()
    for piece in pieces:
        tag, closed, text = piece.partition(">")
        instead = _KNOWN_TAGS.get(tag)
        if instead is None:
            instead = _tag(tag, links)
        if instead is None or not closed:
            return _parse(html)
        texts.append(instead + text)
    return entities.unescape("".join(texts)).strip(), links


def _tag(tag: str, links: list[str]) -> str | None:
    """Return what stands in the place of a tag, "" or a line's end, and note its link; None for another."""
    known = _KNOWN_ANCHOR.fullmatch(tag)
    if known is None:
        any_tag = _TAG.fullmatch(tag)
        if any_tag is None:
            return None
        if any_tag[1] is not None:
            return "\n"
        known = _LINK.match(tag)
    if known is not None and known[1] is not None and len(links) < LINKS_MAX:
        links.append(entities.unescape(known[1]))
    return ""


def _parse(html: str) -> tuple[str, list[str]]:
    """Read any HTML at all. Breaks are put in beforehand, so that the parser's own, fast text can be used."""
    tree = LexborHTMLParser(_BREAK.sub("\n<", _clean(html[:PARSED_MAX])))
    tree.strip_tags(_UNREAD)
    if tree.body is None:
        return "", []
    anchors = (one.attributes.get("href") or "" for one in tree.css("a:not(.mention):not(.hashtag)"))
    return tree.body.text().strip(), [href for href in anchors if _WEB.match(href)][:LINKS_MAX]
