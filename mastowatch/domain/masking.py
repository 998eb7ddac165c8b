"""Takes out of a quotation what is about people: addresses, numbers to call, handles, and the paths of links.

A report may be forwarded, word for word, to the admins of another server, and evidence is kept in Redis. Words and
hosts are what a moderator needs; the rest is in the posts that are attached.
"""

from __future__ import annotations

import re
import unicodedata
from ipaddress import ip_address

# Joiners that emoji and some scripts need; all other invisible characters, bidi controls among them, go.
_KEPT = "\u200c\u200d"
_READ_MAX = 500
_TOKEN = re.compile(r"[^\s,;]+")
# Browsers take any number of slashes, and Mastodon's own links have two.
_LINK = re.compile(r"[hH][tT][tT][pP][sS]?:/*|(?:[a-zA-Z][a-zA-Z0-9+.-]*:)?//+")
_PATH = re.compile(r"[/?#]")
_ADDRESS = re.compile(r"[^\s@,;]+[@\uff20\ufe6b][^\s@,;]+")
_HANDLE = re.compile(r"(?<![\w.+-])[@\uff20\ufe6b]\w[\w.-]*(?:[@\uff20\ufe6b][\w.-]*)?")
_IPV4 = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?!\d)")
_IPV6 = re.compile(r"(?<![\w:.])[0-9a-fA-F:]*:[0-9a-fA-F:]*:[0-9a-fA-F:.]*")
# One that is glued to a letter is to be called as well: Chinese has no spaces, and "WhatsApp+49..." needs none. Latin
# letters and digits without a plus make a user name.
_NUMBER = re.compile(r"(?:(\+)|(?<![A-Za-z0-9_]))\(?\d[\d\s()./\u2010-\u2015-]{4,}\d(?!\d)")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def one_line(text: str) -> str:
    """Return ``text`` on one line, without control characters and others that can't be seen or that turn text round."""
    spaced = "".join(_visible(char) for char in text) if not text.isascii() or not text.isprintable() else text
    return " ".join(spaced.split())


def mask(text: str) -> str:
    """Return ``text`` on one line, without e-mail and IP addresses, telephone numbers, handles, and paths of links.

    Of a text that nobody would quote whole only the beginning is read, so that none can hold a worker.
    """
    shown = one_line(text[:_READ_MAX])
    if shown.replace(" ", "").isalpha():
        return shown  # most words
    shown = _TOKEN.sub(lambda found: _host(found[0]), shown)
    shown = _HANDLE.sub("(handle)", shown)
    shown = _ADDRESS.sub("(address)", shown)
    shown = _IPV4.sub("(IP address)", shown)
    shown = _IPV6.sub(_without_ip, shown)
    return _NUMBER.sub(_without_number, shown)


def _visible(char: str) -> str:
    category = unicodedata.category(char)
    if category in ("Cc", "Zl", "Zp", "Zs"):
        return " "
    if category == "Cs":
        return "\ufffd"
    return "" if category == "Cf" and char not in _KEPT else char


def _host(token: str) -> str:
    """Return the host of a link, with or without its scheme, as browsers read it; any other token as it is."""
    written = token.replace("\\", "/")
    link = _LINK.search(written)
    before, rest = (written[: link.start()], written[link.end() :]) if link else ("", written.lstrip("/?#"))
    place = _PATH.split(rest, maxsplit=1)[0].rpartition("@")[2]
    host = place[: place.find("]") + 1] if place.startswith("[") else place.partition(":")[0]
    if link is None and ("." not in host or _PATH.search(written) is None):
        return token
    return ("" if _PATH.search(before) or "@" in before else before) + host


def _without_ip(found: re.Match[str]) -> str:
    whole = found[0].rstrip(".")
    text = whole if whole.endswith("::") else whole.rstrip(":")
    try:
        ip_address(text)
    except ValueError:
        return found[0]
    return f"(IP address){found[0][len(text) :]}" if any(char.isalnum() for char in text) else found[0]


def _without_number(found: re.Match[str]) -> str:
    """Leave counts and dates; what has so many digits is to be called."""
    digits = sum(char.isdigit() for char in found[0])
    if digits < (7 if found[1] else 9) or _DATE.fullmatch(found[0]):
        return found[0]
    return "(number)"
