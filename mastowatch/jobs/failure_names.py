"""Names failures so that those with one cause have one name: a class, and what it says without numbers and ids."""

from __future__ import annotations

import re

_NAMED = re.compile(r"([A-Za-z_][\w.]*)(?:: (.*))?", re.DOTALL)
# What differs from one failure to the next: UUIDs, hexadecimal numbers with a digit in them, numbers, times, addresses.
_VARYING = re.compile(
    r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"
    r"|\b0x[0-9a-fA-F]+\b"
    r"|\b(?=[a-fA-F]*[0-9])[0-9a-fA-F]{4,}\b"
    r"|[0-9]+(?:[.,:][0-9]+)*"
)


def named(line: str) -> tuple[str, str]:
    """Return the class of an error, or "", and what it says, out of the line that names it; numbers and ids are N."""
    found = _NAMED.fullmatch(line)
    error, message = (found[1], found[2] or "") if found else ("", line)
    return error, _VARYING.sub("N", message)


def brief(line: str) -> str:
    """Return the line that names an error without the module of its class."""
    found = _NAMED.fullmatch(line)
    return line[found[1].rfind(".") + 1 :] if found and found[2] is not None else line


def whole_name(error: str, message: str) -> str:
    """Return a failure's name in one piece, as it is asked for."""
    return ": ".join(part for part in (error, message) if part)
