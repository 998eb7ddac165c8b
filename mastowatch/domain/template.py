"""The template of a text: what is left of a copy when links, mentions, numbers and signs have been changed.

Two posts of the same template were written once. Simhash and the like find nothing in texts of ten words; this does.
"""

from __future__ import annotations

from functools import lru_cache

from mastowatch.domain.edges import is_letter, is_unspaced

# Tokens. Shorter texts are said by many people: "Good morning, everybody!"
CAMPAIGN_MIN = 8
# Within one account a shorter one tells enough.
REPEAT_MIN = 3
# Letters of a script without spaces that count as one token: Japanese and Chinese words have about so many.
_UNSPACED_TOKEN = 3


@lru_cache(maxsize=256)
def template(folded: str) -> tuple[str, int]:
    """Return the template of a folded text, and how many tokens it has."""
    tokens = [token for word in folded.split() if (token := _token(word))]
    return " ".join(tokens), sum(map(_size, tokens))


def _token(word: str) -> str:
    """Return the letters of a word; "" for what is no word: a link, a mention, a number, an emoji."""
    if "://" in word or "@" in word or word.startswith("www."):
        return ""
    if word.isascii() and word.isalpha():
        return word
    return "".join(char for char in word if is_letter(char) and not char.isnumeric())


def _size(token: str) -> int:
    unspaced = 0 if token.isascii() else sum(map(is_unspaced, token))
    return unspaced // _UNSPACED_TOKEN + (unspaced < len(token) or unspaced < _UNSPACED_TOKEN)
