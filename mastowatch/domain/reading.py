"""Reads the values of a rule's tables strictly: what is wrong is a RuleError that names file, key and a way out."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

from mastowatch.domain.edges import is_letter, is_mark, is_unspaced
from mastowatch.domain.folding import fold
from mastowatch.domain.text import ascii_host
from mastowatch.errors import RuleError

_DURATION = re.compile(r"([1-9][0-9]{0,5})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Reader:
    """One table of a document. ``table`` is its dotted path, "" for the document itself."""

    def __init__(self, file: str, table: str, values: object) -> None:
        self.file, self.table = file, table
        if not isinstance(values, Mapping):
            raise RuleError(file, table, "must be a table", f"write [{table}] on a line of its own")
        self.values: Mapping[str, Any] = values

    def fail(self, key: str, problem: str, hint: str = "") -> RuleError:
        """Return the error to raise about ``key``."""
        return RuleError(self.file, f"{self.table}.{key}" if self.table else key, problem, hint)

    def refuse_unknown(self, known: Iterable[str]) -> None:
        """Raise for the first key that is not known, with the one that was probably meant."""
        names = list(known)
        for key in self.values:
            if key not in names:
                close = difflib.get_close_matches(key, names, n=1)
                hint = f"did you mean {close[0]}?" if close else f"one of {', '.join(names)}"
                raise self.fail(key, "is not a key of this table", hint)

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def read(self, keys: Keys) -> dict[str, Any]:
        """Return all values, each converted as ``keys`` says; refuses unknown keys."""
        self.refuse_unknown(keys)
        return {key: keys[key][0](self, key, value) for key, value in self.values.items()}

    def text(self, key: str, *, longest: int) -> str:
        """Return the text under ``key`` on one line, at most ``longest`` characters."""
        value = self.values.get(key)
        if not isinstance(value, str) or not value.strip():
            raise self.fail(key, "is missing" if value is None else "must be a text", f'write {key} = "..."')
        line = " ".join(value.split())
        if len(line) > longest:
            raise self.fail(key, f"has {len(line)} characters", f"at most {longest}")
        return line

    def choice(self, key: str, choices: tuple[str, ...], default: str) -> Any:  # noqa: ANN401 -- a Literal
        """Return the value under ``key``, which must be one of ``choices``."""
        value = self.values.get(key, default)
        if value not in choices:
            raise self.fail(key, f"{value!r} is not allowed", f"one of {', '.join(choices)}")
        return value


# A converter takes (reader, key, value as TOML has it) and returns what a rule holds, or raises RuleError.
Converter = Callable[[Reader, str, Any], Any]
# What a table may hold: key to its converter and what it means, for the reference.
Keys = Mapping[str, tuple[Converter, str]]


def whole(reader: Reader, key: str, value: object) -> int:
    """Return a count."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 10**9:
        raise reader.fail(key, f"{value!r} is not a whole number from 0", f"write {key} = 3")
    return value


def number(reader: Reader, key: str, value: object) -> float:
    """Return a number from 0."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 10**6:
        raise reader.fail(key, f"{value!r} is not a number from 0", f"write {key} = 2.5")
    return float(value)


def yes(reader: Reader, key: str, value: object) -> bool:
    """Return a truth."""
    if not isinstance(value, bool):
        raise reader.fail(key, f"{value!r} is neither true nor false", f"write {key} = true")
    return value


def duration(reader: Reader, key: str, value: object) -> timedelta:
    """Return a duration like "30m"."""
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise reader.fail(key, f"{value!r} is not a duration", 'write "30m", "6h", "7d" or "2w"')
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def texts(reader: Reader, key: str, value: object) -> tuple[str, ...]:
    """Return a list of texts, none empty."""
    if not isinstance(value, list) or not value or not all(isinstance(one, str) and one.strip() for one in value):
        raise reader.fail(key, "must be a list of texts, none of them empty", f'write {key} = ["one", "two"]')
    return tuple(one.strip() for one in value)


def languages(reader: Reader, key: str, value: object) -> tuple[str, ...]:
    """Return languages like "en", in small letters."""
    return tuple(one.lower() for one in texts(reader, key, value))


def words(reader: Reader, key: str, value: object) -> tuple[str, ...]:
    """Return words and phrases; refuses those that would match nothing or, worse, everything."""
    found = texts(reader, key, value)
    for word in found:
        folded = fold(word)
        if not folded or not is_letter(folded[0]) or is_mark(folded[0]) or not is_letter(folded[-1]):
            problem = f"the word {word!r} begins or ends with punctuation"
            raise reader.fail(key, problem, "take the punctuation away, or use a pattern")
        if len(folded) == 1 and not is_unspaced(folded):
            raise reader.fail(key, f"the word {word!r} is a single letter", "write a longer word")
    return found


def hosts(reader: Reader, key: str, value: object) -> tuple[str, ...]:
    """Return host names as links are compared with."""
    found = tuple(ascii_host(host).strip(".") for host in texts(reader, key, value))
    for host in found:
        if "." not in host or not re.fullmatch(r"[a-z0-9._-]+", host):
            raise reader.fail(key, f"{host!r} is not a host name", 'write "example.org", without https:// and path')
    return found


def pattern(reader: Reader, key: str, value: object) -> str:
    """Return an RE2 pattern, not yet compiled."""
    if not isinstance(value, str) or not value:
        raise reader.fail(key, "must be a text with an RE2 pattern", f"write {key} = '...' with single quotes")
    return value
