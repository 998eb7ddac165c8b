r"""Looks for all words and patterns of all rules at once: Aho-Corasick for words, RE2 sets for patterns.

Both are linear in the text, whatever the rules. Words are matched at word edges in every script; RE2's own
``\b`` and ``\w`` know ASCII alone, which is why words don't go through it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import re2
from ahocorasick_rs import AhoCorasick, MatchKind

from mastowatch.domain.text import fold
from mastowatch.errors import RuleError

# RE2 answers "no match" without a word when a set runs out of memory; the rules' examples would show it.
_SET_MEMORY = 64 << 20
# Instructions of a compiled pattern. ``common-word.{0,40}`` has over 100 and slows the whole set twentyfold.
_EXPENSIVE_FROM, PROGRAM_MAX = 100, 2000
_QUOTE_MAX = 40

_HINTS = (
    ("(?=", "RE2 has no look-ahead; put what must not match under [not]"),
    ("(?!", "RE2 has no look-ahead; put what must not match under [not]"),
    ("(?<", "RE2 has no look-behind; put what must not match under [not]"),
    ("\\u", "write the letter itself, or \\x{1F4B0}"),
    ("\\Z", "write \\z"),
    ("(?x", "RE2 has no verbose mode; write the pattern on one line"),
    ("repetition", "repeat at most 1000 times, and no *+ or ++"),
    ("escape", "RE2 has no back-references; see github.com/google/re2/wiki/Syntax"),
)


def _options() -> Any:  # noqa: ANN401 -- re2 ships no types
    options = re2.Options()
    options.max_mem = _SET_MEMORY
    options.log_errors = False
    options.case_sensitive = True  # texts are case-folded already; patterns are lower-cased at no cost to classes
    return options


class Matcher:
    """Words and patterns, each under a feature number; ``scan`` says which features a folded text has."""

    def __init__(self) -> None:
        self._words: list[str] = []
        self._word_features: list[list[int]] = []
        self._index: dict[str, int] = {}
        self._patterns: list[Any] = []
        self._pattern_features: list[int] = []
        self._sets: list[tuple[Any, list[int]]] = []
        self._features = 0
        self._automaton: AhoCorasick | None = None

    def add_words(self, words: Iterable[str]) -> int:
        """Return the feature "one of these words or phrases stands in the text"."""
        feature = self._next()
        for word in words:
            folded = " ".join(fold(word).split())
            if folded not in self._index:
                self._index[folded] = len(self._words)
                self._words.append(folded)
                self._word_features.append([])
            self._word_features[self._index[folded]].append(feature)
        return feature

    def add_pattern(self, pattern: str, *, file: str, key: str) -> int:
        """Return the feature "this pattern is found"; raises RuleError if RE2 refuses it or it costs too much."""
        try:
            compiled = re2.compile("(?i)" + pattern, options=_options())
        except re2.error as error:
            raise RuleError(
                file, key, f"RE2 refuses the pattern {pattern!r}: {_said(error)}", _hint(pattern, error)
            ) from error
        if compiled.programsize > PROGRAM_MAX:
            problem = f"the pattern costs {compiled.programsize} instructions, at most {PROGRAM_MAX} are allowed"
            raise RuleError(file, key, problem, "shorten its repeats, or list words instead")
        if compiled.search("") is not None:
            raise RuleError(
                file, key, f"the pattern {pattern!r} matches the empty text, so everything", "make a part required"
            )
        self._patterns.append(compiled)
        feature = self._next()
        self._pattern_features.append(feature)
        return feature

    def compile(self) -> None:
        """Build the automaton and the sets; the expensive patterns go into a set of their own."""
        if self._words:
            self._automaton = AhoCorasick(self._words, matchkind=MatchKind.Standard)
        for expensive in (False, True):
            members = [
                number for number, one in enumerate(self._patterns) if (one.programsize >= _EXPENSIVE_FROM) == expensive
            ]
            if members:
                self._sets.append((self._compile_set(members), members))

    def scan(self, folded: str) -> Mapping[int, tuple[str, ...]]:
        """Return the features of the text, each with what was found, for quoting."""
        found: dict[int, tuple[str, ...]] = {}
        if self._automaton is not None:
            self._scan_words(folded, found)
        for compiled, members in self._sets:
            for position in compiled.Match(folded) or ():
                number = members[position]
                hit = self._patterns[number].search(folded)
                found[self._pattern_features[number]] = (hit.group(0)[:_QUOTE_MAX],) if hit else ()
        return found

    def _scan_words(self, folded: str, found: dict[int, tuple[str, ...]]) -> None:
        assert self._automaton is not None  # noqa: S101 -- the caller has looked
        for number, start, end in self._automaton.find_matches_as_indexes(folded, overlapping=True):
            if (start and folded[start - 1].isalnum()) or (end < len(folded) and folded[end].isalnum()):
                continue
            word = self._words[number]
            for feature in self._word_features[number]:
                known = found.get(feature, ())
                if word not in known:
                    found[feature] = (*known, word)

    def _compile_set(self, members: list[int]) -> Any:  # noqa: ANN401 -- re2 ships no types
        one_set = re2.Set.SearchSet(_options())
        for number in members:
            one_set.Add(self._patterns[number].pattern)
        one_set.Compile()
        return one_set

    def _next(self) -> int:
        self._features += 1
        return self._features


def _said(error: Exception) -> str:
    said = error.args[0] if error.args else ""
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)


def _hint(pattern: str, error: Exception) -> str:
    said = _said(error)
    return next(
        (hint for sign, hint in _HINTS if sign in pattern or sign in said), "see github.com/google/re2/wiki/Syntax"
    )
