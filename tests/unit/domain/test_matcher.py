import time

import pytest

from mastowatch.domain.matcher import Matcher, compile_pattern
from mastowatch.errors import RuleError


class Exhausted:
    """A set that has run out of memory: it knows of no match, not even of the one that always is."""

    def Match(self, _text):  # noqa: N802 -- re2's own name
        return None


def matcher(*words, patterns=()):
    made = Matcher()
    features = {word: made.add_words([word]) for word in words}
    features.update((one, made.add_pattern(one, file="a.toml", key="status.pattern")) for one in patterns)
    made.compile()
    return made, features


def found(text, *words, patterns=()):
    made, features = matcher(*words, patterns=patterns)
    hits = made.scan(text)
    return {name for name, feature in features.items() if feature in hits}


def test_words_and_patterns_are_found_together():
    assert found("free spins at win77", "free spins", "casino", patterns=["win[0-9]+", "lose"]) == {
        "free spins",
        "win[0-9]+",
    }


def test_overlapping_words_are_all_found():
    assert found("online casino bonus", "casino", "online casino", "casino bonus") == {
        "casino",
        "online casino",
        "casino bonus",
    }


def test_one_word_in_two_rules_is_found_for_both():
    made = Matcher()
    first, second = made.add_words(["casino"]), made.add_words(["Casino", "poker"])
    made.compile()
    assert made.scan("casino") == {first: ("casino",), second: ("casino",)}


def test_words_of_rules_are_folded_as_texts_are():
    assert found("strasse", "Stra\u00dfe") == {"Stra\u00dfe"}


def test_patterns_do_not_mind_case():
    assert found("win77", patterns=["WIN[0-9]+"]) == {"WIN[0-9]+"}


def test_what_a_pattern_found_is_quoted_in_short():
    made, features = matcher(patterns=["x+"])
    assert made.scan("x" * 500)[features["x+"]] == ("x" * 40,)


@pytest.mark.parametrize("text", ["", " ", "\U0001f600"])
def test_there_is_nothing_in_nothing(text):
    assert found(text, "casino", patterns=["a"]) == set()


def test_an_empty_matcher_finds_nothing():
    assert found("casino") == set()


def test_a_set_that_runs_out_of_memory_is_noticed_and_its_patterns_are_tried_one_by_one():
    made, features = matcher(patterns=["w[a-z]n[0-9]+", "l[a-z]se"])
    made._sets = [type(one)(Exhausted(), one.members) for one in made._sets]
    assert len(made._sets) == 1
    assert set(made.scan("win77")) == {features["w[a-z]n[0-9]+"]}


def test_expensive_patterns_have_a_set_of_their_own_and_are_found():
    cheap, pattern = "w[a-z]n", "b[a-z]n[a-z]s.{0,40}d[a-z]p"
    made, _ = matcher(patterns=[cheap, pattern])
    assert len(made._sets) == 2
    assert found("bonus without depot", patterns=[cheap, pattern]) == {pattern}


def test_a_pattern_that_needs_a_string_is_in_no_set_and_is_tried_where_the_string_stands():
    patterns = ["win[0-9]+", "(?:lose|loss)es?"]
    made, features = matcher("winner", patterns=patterns)
    assert made._sets == []
    assert set(made.scan("win77 and losses")) == {features[one] for one in patterns}
    assert set(made.scan("winner")) == {features["winner"]}
    assert made.scan("win and win, lost") == {}


def test_a_pattern_made_to_explode_does_not():
    made, _ = matcher(patterns=["(a+)+$", "(a|aa)+$"])
    begun = time.thread_time()
    made.scan("a" * 20_000 + "b")
    assert time.thread_time() - begun < 1


@pytest.mark.parametrize(
    ("pattern", "hint"),
    [
        ("a(?=b)", "no look-ahead"),
        ("a(?!b)", r"\[not\]"),
        ("(?<!a)b", "no look-behind"),
        (r"(a)\1", "no back-references"),
        ("a++", "no possessive"),
        ("(?>a)", "no atomic groups"),
        (r"\u0041", "write the letter itself"),
        (r"a\Z", r"write \\z"),
        ("(?x)a b", "no verbose mode"),
        ("a{1001}", "at most 1000"),
        ("(a{30}){30}{30}", "RE2"),
        ("[a", "google/re2/wiki"),
        ("x{0,900}y{0,900}", "shorten its repeats"),
        ("a*", "make a part of it required"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_refused_with_file_key_and_hint(pattern, hint):
    with pytest.raises(RuleError, match=hint) as caught:
        compile_pattern(pattern, file="a.toml", key="status.pattern")
    assert (caught.value.file, caught.value.key) == ("a.toml", "status.pattern")
