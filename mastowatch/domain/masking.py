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
_URL = re.compile(
    r"(?i)\b(?:[a-z][a-z0-9+.-]*:[/\\]{2,}(?:[^\s/\\?#@]*@)*|(?=[^\s/\\?#@]+\.\w+[/?]))"
    r"(\[[0-9a-f:.]*\]|[^\s/\\?#@:,;]+)(?::\d+)?[/\\?#]?[^\s,;]*"
)
_ADDRESS = re.compile(r"[^\s@,;]+[@\uff20\ufe6b][^\s@,;]+")
_HANDLE = re.compile(r"(?<![\w.+-])[@\uff20\ufe6b]\w[\w.-]*(?:[@\uff20\ufe6b][\w.-]*)?")
_IPV4 = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w])")
_IPV6 = re.compile(r"(?<![\w:.])[0-9a-fA-F:]*:[0-9a-fA-F:]*:[0-9a-fA-F:.]*")
_NUMBER = re.compile(r"(?<![\w.+])(\+?)\(?\d[\d\s()./\u2010-\u2015-]{4,}\d(?!\w)")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def one_line(text: str) -> str:
    """Return ``text`` on one line, without control characters and others that can't be seen or that turn text round."""
    spaced = "".join(_visible(char) for char in text) if not text.isascii() or not text.isprintable() else text
    return " ".join(spaced.split())


def mask(text: str) -> str:
    """Return ``text`` on one line, without e-mail and IP addresses, telephone numbers, handles, and paths of links.

    Of a text that nobody would quote whole only the beginning is read, so that none can hold a worker.
    """
    shown = _URL.sub(lambda found: found[1], one_line(text[:_READ_MAX]))
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
