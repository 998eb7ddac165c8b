"""Finds strings of which one must stand in every text that a pattern matches: ``win[0-9]+`` needs ``win``.

They are looked for together with the words of all rules, and a pattern is run only where one of its own was found.
Whatever is not surely understood has no literals, and is run on every text. The idea is RE2's FilteredRE2.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

from mastowatch.errors import MastoWatchError

# More strings, or shorter ones, find too much; longer ones only take room.
STRINGS_MAX, LENGTH_MIN, LENGTH_MAX = 24, 3, 40
_DEPTH_MAX = 50

# In a folded text, to match one of these in either case is to match it in small letters.
_PLAIN = frozenset(string.ascii_letters + string.digits + " !\"#%&',-/:;<=>@_`~")
_ESCAPED = frozenset(string.punctuation)
_ANY_ESCAPE, _EDGE_ESCAPE = frozenset("dDwWsS"), frozenset("bBAz")
_REPEAT = re.compile(r"([?*+]|\{([0-9]+)(,[0-9]*)?\})\??")
_CLASS = re.compile(r"\[\^?+\]?+(?:\\[dDwWsS\\\].\[^-]|\[:[a-z]+:\]|[^\]\\\[])*\]")
_SIMPLE_CLASS = re.compile(r"\[([a-zA-Z0-9 !.,:;]{1,4})\]")

Strings = frozenset[str]


class _NotUnderstood(MastoWatchError):
    """Never leaves this module."""


@dataclass(frozen=True, slots=True)
class _Info:
    """``exact``: all that is matched, if that is a few strings. ``needed``: one of them stands in all that is."""

    exact: Strings | None = None
    needed: Strings | None = None

    @property
    def best(self) -> Strings | None:
        """The strings to look for, if there are any good ones."""
        return _better(self.needed, _usable(self.exact))


_NOTHING, _ANYTHING = _Info(exact=frozenset({""})), _Info()


def needed(pattern: str) -> Strings:
    """Return strings in small letters, one of which stands in every folded text that matches; empty: not known."""
    reader = _Reader(pattern)
    try:
        found = reader.alternatives()
    except _NotUnderstood:
        return frozenset()
    return (found.best or frozenset()) if reader.at_end else frozenset()


def _usable(strings: Strings | None) -> Strings | None:
    return strings if strings and min(map(len, strings)) >= LENGTH_MIN else None


def _better(one: Strings | None, other: Strings | None) -> Strings | None:
    """Return the ones that are found more rarely: whose shortest is longer, and then the fewer."""
    if one is None or other is None:
        return one or other
    return max(one, other, key=lambda strings: (min(map(len, strings)), -len(strings)))


def _joined(run: Strings, exact: Strings | None) -> Strings | None:
    """Return what stands there after both, if that is still a few strings."""
    joined = frozenset(map("".join, product(run, exact or ())))
    return joined if joined and len(joined) <= STRINGS_MAX and max(map(len, joined)) <= LENGTH_MAX else None


def _either(first: _Info, second: _Info) -> _Info:
    if first.exact is not None and second.exact is not None and len(first.exact | second.exact) <= STRINGS_MAX:
        return _Info(first.exact | second.exact)
    one, other = first.best, second.best
    both = one | other if one is not None and other is not None else None
    return _Info(None, both if both is not None and len(both) <= STRINGS_MAX else None)


def _repeated(info: _Info, sign: str, least: int, *, once: bool) -> _Info:
    if once:
        return info
    if sign == "?":
        return _either(info, _NOTHING)
    return _Info(None, info.best) if least else _ANYTHING


class _Reader:
    def __init__(self, pattern: str) -> None:
        self._text, self._at, self._depth = pattern, 0, 0

    @property
    def at_end(self) -> bool:
        return self._at == len(self._text)

    def alternatives(self) -> _Info:
        self._depth += 1
        if self._depth > _DEPTH_MAX:
            raise _NotUnderstood
        found = self._sequence()
        while self._take("|"):
            found = _either(found, self._sequence())
        self._depth -= 1
        return found

    def _sequence(self) -> _Info:
        whole, run = True, frozenset({""})
        best: Strings | None = None
        while not self.at_end and self._text[self._at] not in "|)":
            info = self._quantified()
            best = _better(best, info.needed)
            joined = _joined(run, info.exact)
            if joined is None:
                whole, best = False, _better(best, _usable(run))
            run = joined or info.exact or frozenset({""})
        return _Info(run, best) if whole else _Info(None, _better(best, _usable(run)))

    def _quantified(self) -> _Info:
        info = self._atom()
        repeat = _REPEAT.match(self._text, self._at)
        if repeat is None:
            return info
        self._at = repeat.end()
        sign, count, more = repeat[1], repeat[2], repeat[3]
        least = int(count) if count else int(sign == "+")
        return _repeated(info, sign, least, once=count == "1" and more is None)

    def _atom(self) -> _Info:
        char = self._text[self._at]
        readers: dict[str, Callable[[], _Info]] = {"(": self._group, "[": self._class, "\\": self._escape}
        if char in readers:
            return readers[char]()
        self._at += 1
        if char in "^$":
            return _NOTHING
        if char == "." or not char.isascii():
            return _ANYTHING
        if char not in _PLAIN:
            raise _NotUnderstood
        return _Info(frozenset({char.lower()}))

    def _group(self) -> _Info:
        self._at += 1
        if self._take("?") and not self._take(":"):
            raise _NotUnderstood  # flags change the meaning of what follows
        found = self.alternatives()
        if not self._take(")"):
            raise _NotUnderstood
        return found

    def _class(self) -> _Info:
        simple = _SIMPLE_CLASS.match(self._text, self._at)
        whole = _CLASS.match(self._text, self._at)
        if whole is None:
            raise _NotUnderstood
        self._at = whole.end()
        return _Info(frozenset(simple[1].lower())) if simple else _ANYTHING

    def _escape(self) -> _Info:
        char = self._text[self._at + 1 : self._at + 2]
        self._at += 2
        if char in _EDGE_ESCAPE:
            return _NOTHING
        if char in _ANY_ESCAPE:
            return _ANYTHING
        if char in _ESCAPED:
            return _Info(frozenset({char}))
        raise _NotUnderstood

    def _take(self, sign: str) -> bool:
        taken = self._text.startswith(sign, self._at)
        self._at += len(sign) * taken
        return taken
