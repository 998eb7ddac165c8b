"""Folds a text to the one form that words and patterns are matched against.

Small letters, one width, one line; invisible characters and stacked marks are gone. A word in which letters of
two scripts are mixed to look like a plain one is folded to that plain one. Real Cyrillic, Greek, Danish or
phonetic words stay as they are, and can be matched in their own letters.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import pairwise

from mastowatch.domain.edges import UNSPACED
from mastowatch.domain.lookalikes import CYRILLIC, FOREIGN, LATIN, ORNAMENTAL, ORNAMENTAL_COMPANY

# Zero-width and bidirectional controls, soft hyphens, variation selectors: invisible, and used to split words.
_INVISIBLE = dict.fromkeys(
    (
        *(0x00AD, 0x034F, 0x061C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180E, 0x3164, 0xFEFF, 0xFFA0),
        *range(0x200B, 0x2010),
        *range(0x202A, 0x202F),
        *range(0x2060, 0x2070),
        *range(0xFE00, 0xFE10),
        *range(0xE0000, 0xE0200),
    )
)
# Marks that are left after NFKC belong to no letter of an alphabet: strokes through and piles above ("zalgo").
_STACKED = {**_INVISIBLE, **dict.fromkeys((*range(0x0300, 0x0370), 0x0488, 0x0489, *range(0x20D0, 0x2100)))}
# Hyphens and slashes part words: "it-отдел" is two, in two languages. So do letters
# of scripts without spaces: Japanese puts none around a foreign word.
_PART = re.compile(rf"[^\s\-/{UNSPACED}]+")
_PUNCTUATION = ".,;:!?\"'()[]{}<>#@*_~\u2026\u201c\u201d\u201e\u00ab\u00bb\u2018\u2019"
# Shorter words mix scripts by accident: "5г", "xо".
LOOKALIKE_MIN = 4


def fold(text: str) -> str:
    """Return ``text`` folded; folding twice changes nothing more."""
    return fold_with_lookalikes(text)[0]


def fold_with_lookalikes(text: str) -> tuple[str, tuple[str, ...]]:
    """Return the folded text, and the plain form of each word that was written in disguise."""
    words = text.lower().split()
    if text.isascii():
        return " ".join(words), ()
    found: dict[str, None] = {}
    folded = " ".join([word if word.isascii() else _fold_word(word, found) for word in words])
    # A word of nothing but what can't be seen leaves a gap behind.
    return " ".join(folded.split()) if "  " in folded else folded.strip(), tuple(found)


def _fold_word(word: str, found: dict[str, None]) -> str:
    folded, disguised = _known_word(word) if len(word) <= _KNOWN_LENGTH else _folded_word(word)
    found.update(disguised)
    return folded


def _folded_word(word: str) -> tuple[str, dict[str, None]]:
    normal, found = _normal(word), dict[str, None]()
    if not normal.isascii():
        normal = _PART.sub(lambda part: _plain(part.group(), found), normal)
    return " ".join(normal.split()), found  # NFKC takes some signs apart into spaces


# Any language repeats its words. Bounded in number and, by the length, in memory: some 3 MB.
_KNOWN_LENGTH = 40
_known_word = lru_cache(maxsize=8192)(_folded_word)


def _normal(word: str) -> str:
    """Return ``word`` in NFKC, small letters, without what can't be seen.

    Case-folding can take letters apart, and NFKC can make capitals (from ™): each is done on both sides.
    """
    seen = unicodedata.normalize("NFKC", word.translate(_INVISIBLE)).casefold()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", seen).casefold().translate(_STACKED))


def _plain(word: str, found: dict[str, None]) -> str:
    """Return the plain word behind ``word`` and note it in ``found``, or ``word`` itself if it is no disguise."""
    if word.isascii() or not _may_be_disguised(word):
        return word
    latin = word.translate(LATIN)
    if latin.isascii():
        return _noted(latin, found, disguised=not _ornamental(word) and _interleaved(word, opens=True))
    cyrillic = word.translate(CYRILLIC)
    if not any("a" <= char <= "z" for char in cyrillic):
        return _noted(cyrillic, found, disguised=_interleaved(word, opens=False))
    return word


def _may_be_disguised(word: str) -> bool:
    """Tell whether ASCII letters stand beside foreign ones, or small capitals make up the word."""
    latin = any("a" <= char <= "z" for char in word)
    return (latin and any(char in FOREIGN for char in word)) or _ornamental(word)


def _ornamental(word: str) -> bool:
    """Tell whether it is written in small capitals; one of them alone is phonetic spelling.

    People adorn songs and names so: it is read as plain, but is no disguise.
    """
    letters = {char for char in word if char.isalpha()}
    return len(letters & ORNAMENTAL) > 1 and letters <= ORNAMENTAL_COMPANY


def _interleaved(word: str, *, opens: bool) -> bool:
    """Tell a disguise from a loan word with an ending of its own, like "PDFка": that changes script only once.

    With ``opens``, a word that begins with the foreign letter counts too: no ending stands in front.
    """
    scripts = ["a" <= char <= "z" for char in word if char.isalpha()]
    changes = sum(before != after for before, after in pairwise(scripts))
    return changes > 1 or (opens and changes == 1 and not scripts[0])


def _noted(folded: str, found: dict[str, None], *, disguised: bool) -> str:
    bare = folded.strip(_PUNCTUATION)
    if disguised and len(bare) >= LOOKALIKE_MIN and bare.isalpha():
        found[bare] = None
    return folded
