r"""Looks for all words and patterns of all rules at once: Aho-Corasick for words, RE2 sets for patterns.

Both are linear in the text, whatever the rules. Words are matched at word edges in every script; RE2's own
``\b`` and ``\w`` know ASCII alone, which is why words don't go through it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import re2
from ahocorasick_rs import AhoCorasick, MatchKind

from mastowatch.domain import literals
from mastowatch.domain.edges import at_edges
from mastowatch.domain.folding import fold
from mastowatch.errors import RuleError

# Feature number to what was found.
Features = Mapping[int, tuple[str, ...]]

_SET_MEMORY = 64 << 20  # bytes
# Instructions of a compiled pattern. ``common-word.{0,40}`` has over 100 and slows the whole set twentyfold.
_EXPENSIVE_FROM, PROGRAM_MAX = 100, 2000
_QUOTE_MAX = 40  # characters
_EITHER_CASE = "(?i)"

_SYNTAX = "see github.com/google/re2/wiki/Syntax"
# What stands in the pattern or in RE2's complaint, and what to do about it; the first that fits is given.
_HINTS = (
    ("(?=", "RE2 has no look-ahead; put what must not match under [not]"),
    ("(?!", "RE2 has no look-ahead; put what must not match under [not]"),
    ("(?<=", "RE2 has no look-behind; put what must not match under [not]"),
    ("(?<!", "RE2 has no look-behind; put what must not match under [not]"),
    ("(?>", "RE2 has no atomic groups and needs none; write (?: instead"),
    ("\\u", "write the letter itself, or \\x{1F4B0}"),
    ("\\U", "write the letter itself, or \\x{1F4B0}"),
    ("\\Z", "write \\z"),
    ("(?x", "RE2 has no verbose mode; write the pattern on one line"),
    ("repetition size", "repeat at most 1000 times"),
    ("repetition operator", "RE2 has no possessive repeats (*+ ++ ?+) and needs none; leave the second + away"),
    ("too large", "shorten its repeats, or list words instead"),
    ("escape", f"RE2 has no back-references; {_SYNTAX}"),
)


@dataclass(frozen=True, slots=True)
class _Set:
    """Patterns that are looked for together; ``members`` are their numbers, and one more matches always."""

    compiled: Any
    members: tuple[int, ...]


class Matcher:
    """Words and patterns, each under a feature number; ``scan`` says which features a folded text has.

    Add all, ``compile`` once, then ``scan`` as often as needed. A matcher with ``faults`` must not be used.
    """

    def __init__(self) -> None:
        self.faults: list[RuleError] = []
        self._words: list[str] = []
        self._word_features: list[list[int]] = []
        self._index: dict[str, int] = {}
        self._literals: dict[int, list[int]] = {}
        self._patterns: list[Any] = []
        self._pattern_features: list[int] = []
        self._sets: list[_Set] = []
        self._features = 0
        self._automaton: AhoCorasick | None = None

    def add_words(self, words: Iterable[str]) -> int:
        """Return the feature "one of these words or phrases stands in the text"."""
        feature = self._next()
        for word in map(fold, words):
            self._word_features[self._number(word)].append(feature)
        return feature

    def add_pattern(self, pattern: str, *, file: str, key: str) -> int:
        """Return the feature "this pattern is found"; notes a fault if RE2 refuses it or it costs too much."""
        feature = self._next()
        try:
            compiled = compile_pattern(pattern, file=file, key=key)
        except RuleError as error:
            self.faults.append(error)
        else:
            self._patterns.append(compiled)
            self._pattern_features.append(feature)
        return feature

    def compile(self) -> None:
        """Build the automaton and the sets.

        A pattern that can't match without one of a few strings is tried where one of them stands. The others go into
        sets, the expensive ones into one of their own.
        """
        without = []
        for number, one in enumerate(self._patterns):
            strings = literals.needed(one.pattern.removeprefix(_EITHER_CASE))
            for string in strings:
                self._literals.setdefault(self._number(string), []).append(number)
            if not strings:
                without.append(number)
        if self._words:
            self._automaton = AhoCorasick(self._words, matchkind=MatchKind.Standard)
        for expensive in (False, True):
            members = [
                number for number in without if (self._patterns[number].programsize >= _EXPENSIVE_FROM) == expensive
            ]
            if members:
                self._sets.append(self._compile_set(members))

    def scan(self, folded: str) -> Features:
        """Return the features of the text, each with what was found, for quoting."""
        return self.scan_all([folded])[0]

    def scan_all(self, texts: Sequence[str]) -> list[Features]:
        """Return the features of each text.

        All are looked through for words first, then for patterns: the processor keeps one engine's tables at hand.
        """
        found: list[dict[int, tuple[str, ...]]] = [{} for _ in texts]
        if self._automaton is not None:
            look = self._automaton.find_matches_as_indexes
            for folded, features in zip(texts, found, strict=True):
                matches = look(folded, overlapping=True)
                if matches:
                    self._note_words(matches, folded, features)
        if self._sets:
            for folded, features in zip(texts, found, strict=True):
                if folded:
                    self._scan_patterns(folded, features)
        return list(found)

    def _note_words(
        self, matches: Iterable[tuple[int, int, int]], folded: str, found: dict[int, tuple[str, ...]]
    ) -> None:
        tried: set[int] = set()
        for number, start, end in matches:
            for pattern in self._literals.get(number, ()):
                if pattern not in tried:
                    tried.add(pattern)
                    self._look_for(pattern, folded, found)
            if self._word_features[number] and at_edges(folded, start, end):
                word = self._words[number]
                for feature in self._word_features[number]:
                    known = found.get(feature, ())
                    if word not in known:
                        found[feature] = (*known, word)

    def _scan_patterns(self, folded: str, found: dict[int, tuple[str, ...]]) -> None:
        encoded = folded.encode()
        for one_set in self._sets:
            positions = one_set.compiled.Match(encoded) or ()
            if len(one_set.members) not in positions:
                # Even what matches always is missing: the set has run out of memory. One by one, then.
                positions = range(len(one_set.members))
            for position in positions:
                if position < len(one_set.members):
                    self._look_for(one_set.members[position], folded, found)

    def _look_for(self, number: int, folded: str, found: dict[int, tuple[str, ...]]) -> None:
        hit = self._patterns[number].search(folded)
        if hit:
            found[self._pattern_features[number]] = (hit.group(0)[:_QUOTE_MAX],)

    def _compile_set(self, members: list[int]) -> _Set:
        compiled = re2.Set.SearchSet(_options())
        for number in members:
            compiled.Add(self._patterns[number].pattern)
        compiled.Add("")
        compiled.Compile()
        return _Set(compiled, tuple(members))

    def _number(self, word: str) -> int:
        """Return the number of a word of the automaton."""
        if word not in self._index:
            self._index[word] = len(self._words)
            self._words.append(word)
            self._word_features.append([])
        return self._index[word]

    def _next(self) -> int:
        self._features += 1
        return self._features


def compile_pattern(pattern: str, *, file: str, key: str) -> Any:  # noqa: ANN401 -- re2 ships no types
    """Return the pattern compiled; raises RuleError, with a hint, for what RE2 refuses and what costs too much."""
    try:
        compiled = re2.compile(_EITHER_CASE + pattern, options=_options())
    except re2.error as error:
        problem = f"RE2 refuses the pattern {pattern!r}: {_said(error)}"
        raise RuleError(file, key, problem, _hint(pattern, error)) from error
    if compiled.programsize > PROGRAM_MAX:
        problem = f"the pattern costs {compiled.programsize} instructions, at most {PROGRAM_MAX} are allowed"
        raise RuleError(file, key, problem, "shorten its repeats, or list words instead")
    if compiled.search("") is not None:
        problem = f"the pattern {pattern!r} matches the empty text, and so everything"
        raise RuleError(file, key, problem, "make a part of it required")
    return compiled


def _options() -> Any:  # noqa: ANN401 -- re2 ships no types
    options = re2.Options()
    options.max_mem = _SET_MEMORY
    options.log_errors = False
    return options


def _said(error: Exception) -> str:
    said = error.args[0] if error.args else ""
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)


def _hint(pattern: str, error: Exception) -> str:
    return next((hint for sign, hint in _HINTS if sign in pattern or sign in _said(error)), _SYNTAX)
