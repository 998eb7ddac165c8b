"""Reads the values of a rule's tables strictly: what is wrong is a RuleError that names file, key and a way out."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import timedelta
from typing import Any

from mastowatch.domain.edges import is_letter, is_mark, is_unspaced
from mastowatch.domain.folding import fold
from mastowatch.domain.text import ascii_host
from mastowatch.errors import RuleError

_DURATION = re.compile(r"([1-9][0-9]{0,5})([smhdw])")
# Longer than any account is old, and short enough to reckon with.
_DURATION_MAX = timedelta(days=36_500)
SHOWN_MAX = 80  # characters of a wrong value in a message
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


# Lists that rules name, by file name: their lines, of which the first is number 1.
Lists = Mapping[str, tuple[str, ...]]
NO_LISTS: Lists = {}
LISTS_DIR = "lists"


class Reader:
    """One table of a document. ``table`` is its dotted path, "" for the document itself.

    What is wrong is collected in ``faults``, shared by all tables of a document, so that all of it is told at once.
    """

    def __init__(
        self,
        file: str,
        table: str,
        values: object,
        faults: list[RuleError] | None = None,
        lists: Lists = NO_LISTS,
    ) -> None:
        self.file, self.table, self.lists = file, table, lists
        self.faults = [] if faults is None else faults
        self.values: Mapping[str, Any] = {}
        if isinstance(values, Mapping):
            self.values = values
        else:
            self.faults.append(RuleError(file, table, "must be a table", f"write [{table}] on a line of its own"))

    def below(self, key: str) -> Reader:
        """Return the table under ``key``, an empty one where there is none."""
        table = f"{self.table}.{key}" if self.table else key
        return Reader(self.file, table, self.values.get(key, {}), self.faults, self.lists)

    def fail(self, key: str, problem: str, hint: str = "") -> RuleError:
        """Return the error to raise about ``key``."""
        return RuleError(self.file, f"{self.table}.{key}" if self.table else key, problem, hint)

    def refuse(self, key: str, problem: str, hint: str = "") -> None:
        """Note the error about ``key`` and go on."""
        self.faults.append(self.fail(key, problem, hint))

    def refuse_unknown(self, known: Collection[str]) -> None:
        """Refuse each key that is not known, with the one that was probably meant."""
        for key in self.values:
            if key not in known:
                close = difflib.get_close_matches(key, known, n=1)
                self.refuse(key, "is not a key of this table", f"did you mean {close[0]}?" if close else _one_of(known))

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def read(self, keys: Keys) -> dict[str, Any]:
        """Return all values, each converted as ``keys`` says; refuses unknown keys."""
        self.refuse_unknown(keys)
        return self._converted([(key, keys[key][0], value) for key, value in self.values.items() if key in keys])

    def every(self, converters: Mapping[str, Converter]) -> dict[str, Any]:
        """Return a value for each of ``converters``, which get None for a key that is not there."""
        return self._converted([(key, convert, self.values.get(key)) for key, convert in converters.items()])

    def _converted(self, values: Iterable[tuple[str, Converter, Any]]) -> dict[str, Any]:
        converted = {}
        for key, convert, value in values:
            try:
                converted[key] = convert(self, key, value)
            except RuleError as error:
                self.faults.append(error)
        return converted


# A converter takes (reader, key, value as TOML has it) and returns what a rule holds, or raises RuleError.
Converter = Callable[[Reader, str, Any], Any]
# What a table may hold: key to its converter and what it means, for the reference.
Keys = Mapping[str, tuple[Converter, str]]


def shown(value: object) -> str:
    """Return a value for a message: short, and never too large to be written."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of thousands of digits
        return f"this {type(value).__name__}"
    return text if len(text) <= SHOWN_MAX else f"{text[: SHOWN_MAX - 3]}..."


def _one_of(choices: Iterable[str]) -> str:
    return f"one of {', '.join(choices)}"


def line(longest: int) -> Converter:
    """Return a converter for a text on one line that must be there."""

    def convert(reader: Reader, key: str, value: object) -> str:
        if not isinstance(value, str) or not value.strip():
            raise reader.fail(key, "is missing" if value is None else "must be a text", f'write {key} = "..."')
        text = " ".join(value.split())
        if len(text) > longest:
            raise reader.fail(key, f"has {len(text)} characters", f"at most {longest}")
        return text

    return convert


def choice(*choices: str, default: str | None = None) -> Converter:
    """Return a converter for one of some texts."""

    def convert(reader: Reader, key: str, value: object) -> str:
        if value is None and default is not None:
            return default
        if not isinstance(value, str) or value not in choices:
            raise reader.fail(
                key, "is missing" if value is None else f"{shown(value)} is not allowed", _one_of(choices)
            )
        return value

    return convert


def between(least: int, most: int) -> Converter:
    """Return a converter for a count within bounds."""

    def convert(reader: Reader, key: str, value: object) -> int:
        count = whole(reader, key, value)
        if not least <= count <= most:
            raise reader.fail(key, f"{count} can't be counted", f"from {least} to {most}")
        return count

    return convert


def share(reader: Reader, key: str, value: object) -> float:
    """Return a part of a whole."""
    part = number(reader, key, value)
    if not 0 < part <= 1:
        raise reader.fail(key, f"{part} is no share", "write 0.8 for eight of ten")
    return part


def whole(reader: Reader, key: str, value: object) -> int:
    """Return a count."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 10**9:
        raise reader.fail(key, f"{shown(value)} is not a whole number from 0", f"write {key} = 3")
    return value


def number(reader: Reader, key: str, value: object) -> float:
    """Return a number from 0."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 10**6:
        raise reader.fail(key, f"{shown(value)} is not a number from 0", f"write {key} = 2.5")
    return float(value)


def yes(reader: Reader, key: str, value: object) -> bool:
    """Return a truth."""
    if not isinstance(value, bool):
        raise reader.fail(key, f"{shown(value)} is neither true nor false", f"write {key} = true")
    return value


def duration(reader: Reader, key: str, value: object) -> timedelta:
    """Return a duration like "30m"."""
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise reader.fail(key, f"{shown(value)} is not a duration", 'write "30m", "6h", "7d" or "2w"')
    length = timedelta(**{_UNITS[found[2]]: int(found[1])})
    if length > _DURATION_MAX:
        raise reader.fail(key, f"{value} is too long", "at most 36500d, a century")
    return length


def texts(reader: Reader, key: str, value: object) -> tuple[str, ...]:
    """Return a list of texts, none empty."""
    if not isinstance(value, list) or not value or not all(isinstance(one, str) and one.strip() for one in value):
        raise reader.fail(key, "must be a list of texts, none of them empty", f'write {key} = ["one", "two"]')
    return tuple(one.strip() for one in value)


def names(reader: Reader, key: str, value: object) -> tuple[str, ...]:
    """Return a list of texts, each once; an empty one where there is none."""
    return tuple(dict.fromkeys(texts(reader, key, value))) if value is not None else ()


def visibilities(reader: Reader, key: str, value: object) -> tuple[str, ...]:
    """Return which posts are meant; others are never seen."""
    found = texts(reader, key, value)
    if not set(found) <= {"public", "unlisted"}:
        raise reader.fail(key, f"{shown(value)} is not allowed", 'write ["public"] or ["unlisted"]')
    return found


def languages(reader: Reader, key: str, value: object) -> tuple[str, ...]:
    """Return languages like "en", in small letters."""
    return tuple(one.lower() for one in texts(reader, key, value))


def words(reader: Reader, key: str, value: object) -> tuple[str, ...]:
    """Return words and phrases; refuses those that would match nothing or, worse, everything."""
    found = texts(reader, key, value)
    _refuse_each(reader, key, found, word_fault)
    return found


def hosts(reader: Reader, key: str, value: object) -> tuple[str, ...]:
    """Return host names as links are compared with."""
    found = tuple(map(_host, texts(reader, key, value)))
    _refuse_each(reader, key, found, host_fault)
    return found


def word_file(reader: Reader, key: str, value: object) -> tuple[str, ...]:
    """Return the words of the list that ``value`` names."""
    return _listed(reader, key, value, word_fault, str.strip)


def host_file(reader: Reader, key: str, value: object) -> tuple[str, ...]:
    """Return the hosts of the list that ``value`` names."""
    return _listed(reader, key, value, host_fault, _host)


# What is wrong and what to do about it; None where all is well.
Fault = tuple[str, str] | None


def word_fault(word: str) -> Fault:
    """Say what is wrong with a word."""
    folded = fold(word)
    if not folded or not is_letter(folded[0]) or is_mark(folded[0]) or not is_letter(folded[-1]):
        problem = f"the word {shown(word)} begins or ends with punctuation"
        return problem, "take the punctuation away, or use a pattern"
    if len(folded) == 1 and not is_unspaced(folded):
        return f"the word {shown(word)} is a single letter", "write a longer word"
    return None


def host_fault(host: str) -> Fault:
    """Say what is wrong with a host name."""
    if "." not in host or not re.fullmatch(r"[a-z0-9._-]+", host):
        return f"{shown(host)} is not a host name", 'write "example.org", without https:// and path'
    return None


def _host(written: str) -> str:
    return ascii_host(written.strip()).strip(".")


def _refuse_each(reader: Reader, key: str, values: Iterable[str], fault: Callable[[str], Fault]) -> None:
    for value in values:
        wrong = fault(value)
        if wrong:
            reader.refuse(key, *wrong)


def _listed(
    reader: Reader, key: str, value: object, fault: Callable[[str], Fault], clean: Callable[[str], str]
) -> tuple[str, ...]:
    """Return the lines of a list file without comments; what is wrong is told of the list, with the line."""
    if not isinstance(value, str) or value not in reader.lists:
        close = difflib.get_close_matches(value, reader.lists, n=1) if isinstance(value, str) else []
        hint = f"did you mean {close[0]}?" if close else f"put one line each into {LISTS_DIR}/NAME beside the rules"
        raise reader.fail(key, f"{shown(value)} is not the name of a file in {LISTS_DIR}/", hint)
    found: dict[str, None] = {}
    file = f"{LISTS_DIR}/{value}"
    for number, raw in enumerate(reader.lists[value], start=1):
        entry = clean(raw.partition("#")[0])
        wrong = fault(entry) if entry else None
        if wrong:
            reader.faults.append(RuleError(file, f"line {number}", *wrong))
        elif entry:
            found[entry] = None
    if not found:
        raise reader.fail(key, f"{file} has no entries", "add one, or take the key away")
    return tuple(found)


def pattern(reader: Reader, key: str, value: object) -> str:
    """Return an RE2 pattern, not yet compiled."""
    if not isinstance(value, str) or not value:
        raise reader.fail(key, "must be a text with an RE2 pattern", f"write {key} = '...' with single quotes")
    return value
