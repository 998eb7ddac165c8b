"""Which strings a pattern can't do without; held against RE2 itself, which must never find what they rule out."""

from __future__ import annotations

import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from mastowatch.domain.folding import fold
from mastowatch.domain.literals import LENGTH_MAX, LENGTH_MIN, STRINGS_MAX, needed


@pytest.mark.parametrize(
    ("pattern", "strings"),
    [
        ("win[0-9]+", {"win"}),
        ("WIN", {"win"}),
        ("claim.{0,40}wallet", {"wallet"}),
        ("(?:alpha|beta)[.!]", {"alpha.", "alpha!", "beta.", "beta!"}),
        ("abcde(?:s|es)? fgh", {"abcde fgh", "abcdes fgh", "abcdees fgh"}),
        (r"\bfree \$\$\$", {"free $$$"}),
        ("(abc)*def", {"def"}),
        ("x?yzz", {"yzz", "xyzz"}),
        ("(?:longer)+ no", {"longer"}),
        ("(abc|d[0-9]efg)", {"abc", "efg"}),
        ("тест[0-9]abc", {"abc"}),
        ("(abcd){2,3}", {"abcd"}),
        ("(abcd){1}e", {"abcde"}),
    ],
)
def test_strings_that_must_be_there_are_found(pattern, strings):
    assert needed(pattern) == strings


@pytest.mark.parametrize(
    "pattern",
    [
        *(
            "[a-z]+",
            "ab",
            "a|bcd",
            "(abc)?",
            "(abc)*",
            "(abc){0,2}",
            "(abc){0}",
            "(a+)+$",
            "...",
            "abc|",
            "[[:alpha:]]abc(",
        ),
        *(
            "(?i)abc",
            "(?P<x>abc)",
            r"\x41bcd",
            r"\Qabc\E",
            r"\pLabc",
            "abc{,5}",
            "[^]abc",
            "кот",
            "(" * 60 + "abc" + ")" * 60,
        ),
    ],
)
def test_what_is_not_surely_understood_has_none(pattern):
    assert needed(pattern) == set()


ATOMS = st.sampled_from(
    [
        "a",
        "b",
        "C",
        "7",
        " ",
        ".",
        "ab",
        "abc",
        "bca",
        "[ab]",
        "[^a]",
        "[0-9]",
        "[a-c]",
        r"\d",
        r"\b",
        r"\.",
        "^",
        "$",
        "é",
        "@",
        "-",
    ]
)


def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    sequences = st.lists(inner, min_size=1, max_size=4).map("".join)
    groups = st.lists(sequences, min_size=1, max_size=3).map(lambda some: f"(?:{'|'.join(some)})")
    repeats = st.sampled_from(["?", "*", "+", "{2}", "{1}", "{0,2}", "{1,}", "+?", "??"])
    return sequences | groups | st.tuples(groups, repeats).map("".join)


@settings(max_examples=300, deadline=None)
@given(st.recursive(ATOMS, grown, max_leaves=12), st.text("abcABC7 .é@-", max_size=20))
def test_where_none_of_them_stands_re2_finds_nothing(pattern, text):
    strings, folded = needed(pattern), fold(text)
    assert len(strings) <= STRINGS_MAX
    assert all(LENGTH_MIN <= len(one) <= LENGTH_MAX and one == one.lower() for one in strings)
    if re2.compile("(?i)" + pattern).search(folded):
        assert not strings or any(one in folded for one in strings)


@given(st.text(st.characters(codec="utf-8"), max_size=30) | st.text("ab()[]{}|?*+\\^$.-:1,", max_size=20))
def test_no_pattern_at_all_is_too_odd_to_be_looked_at(pattern):
    needed(pattern)
