"""Where a word begins and ends, in every script.

Scripts that put no space between words (Chinese, Japanese, Thai, ...), and Korean, which hangs particles on them,
have an edge at every letter. A vowel sign or another mark belongs to the letter before it.
"""

from __future__ import annotations

import re
import unicodedata

# Scripts that put no spaces between words, for a class of a regular expression.
UNSPACED = (
    "\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u1100-\u11ff\u3040-\u318f\u31f0-\u31ff\u3400-\u9fff"
    "\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)
_UNSPACED = re.compile(f"[{UNSPACED}]")


def is_letter(char: str) -> bool:
    """Tell whether ``char`` is part of a word: a letter, a digit, or a mark on one."""
    return char.isalnum() or is_mark(char)


def is_mark(char: str) -> bool:
    """Tell whether ``char`` is written on the letter before it."""
    return not char.isascii() and unicodedata.category(char)[0] == "M"


def is_unspaced(char: str) -> bool:
    """Tell whether ``char`` is of a script that puts no spaces between words."""
    return _UNSPACED.match(char) is not None


def at_edges(text: str, start: int, end: int) -> bool:
    """Tell whether ``text[start:end]``, not empty, begins and ends where a word does."""
    if start and _joined(text[start - 1], text[start]):
        return False
    return end == len(text) or not _joined(text[end - 1], text[end])


def _joined(left: str, right: str) -> bool:
    """Tell whether two neighbours belong to one word."""
    if left.isascii() and right.isascii():
        return left.isalnum() and right.isalnum()
    if is_mark(right):
        return is_letter(left)
    return is_letter(left) and is_letter(right) and not is_unspaced(left) and not is_unspaced(right)
