"""Rule files as nobody would write them: whatever stands there, it is a rule or an error that names the file."""

from __future__ import annotations

import tomllib
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mastowatch.adapters.rule_files import read_lists, read_what_can_be
from mastowatch.domain import examples, rule
from mastowatch.domain.limits import LIMIT_KEYS
from mastowatch.domain.ruleset import RuleSet
from mastowatch.errors import RuleError, RuleErrors
from tests.rules import document

TABLES = {
    "account": rule.ACCOUNT_KEYS,
    "status": {**rule.STATUS_KEYS, **rule.COUNTING_KEYS},
    "campaign": rule.CAMPAIGN_KEYS,
    "limits": LIMIT_KEYS,
}
LISTS = {"words.txt": ("casino", "# no", "x,", ""), "hosts.txt": ("a.example", "nothing"), "empty.txt": ("# nothing",)}
TEXTS = st.sampled_from(
    [
        "6h",
        "0h",
        "999999w",
        "link_host",
        "name",
        "words.txt",
        "hosts.txt",
        "one",
        "(a+)+$",
        "[",
        "a{1001}",
        "\0",
        "\u202e",
        "",
    ]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**4000, -(2**70)])
    | st.floats()
    | TEXTS
    | st.text(max_size=8)
    | st.sampled_from([date(2026, 1, 1), time(1), datetime(2026, 1, 1)])  # noqa: DTZ001 -- TOML has such
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def tables(keys) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(sorted(keys)) | st.text(max_size=3), VALUES, max_size=5)


POSTS = st.lists(tables(examples.POST_KEYS) | VALUES, max_size=4)
EXAMPLES = st.lists(
    st.builds(lambda given, posts: {**given, "posts": posts}, tables(examples.EXAMPLE_KEYS), POSTS) | VALUES, max_size=3
)
DOCUMENTS = st.builds(
    lambda base, inner, samples, more: {**base, **inner, **samples, **more},
    st.sampled_from([{}, document(), document(id="two", requires=["one"], status=None)]),
    st.fixed_dictionaries({}, optional={name: tables(keys) | VALUES for name, keys in TABLES.items()}),
    st.fixed_dictionaries(
        {},
        optional={"examples": st.fixed_dictionaries({}, optional={"match": EXAMPLES, "no_match": EXAMPLES}) | VALUES},
    ),
    st.dictionaries(st.sampled_from(sorted(rule.RULE_KEYS)) | st.text(max_size=4), VALUES, max_size=3),
)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(DOCUMENTS, min_size=1, max_size=3))
def test_any_structure_is_a_rule_or_an_error_that_names_its_file(documents):
    files = [(f"{number}.toml", one) for number, one in enumerate(documents)]
    faults = faults_of(files, LISTS)
    assert {one.file for one in faults} <= {name for name, _ in files} | {f"lists/{name}" for name in LISTS}
    assert all(one.problem and len(str(one)) < 2000 for one in faults)


def faults_of(documents, lists, unread=()) -> list[RuleError]:
    try:
        RuleSet.load(documents, lists, unread)
    except RuleErrors as group:
        return list(group.faults)
    return []


def loaded(directory: Path) -> list[RuleError]:
    documents, errors = read_what_can_be(directory)
    lists, more = read_lists(directory)
    return faults_of(documents, lists, [*errors, *more])


BYTES = st.binary(max_size=60) | st.lists(
    st.sampled_from(
        [
            b"id",
            b" = ",
            b'"one"',
            b"'",
            b"[status]",
            b"[[examples.match]]",
            b"\n",
            b"[",
            b"]",
            b"{",
            b"}",
            b"1e999",
            b"inf",
            b"-0x1",
            b"2026-01-01",
            b"25:00:00",
            b'"\\ud800"',
            b'"\\u0000"',
            b".",
            b"#",
            b"\xff",
            b"words_file",
            b",",
            b'"""',
        ]
    ),
    max_size=25,
).map(b"".join)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=BYTES, entries=BYTES)
def test_any_bytes_at_all_are_a_rule_or_an_error_that_names_their_file(tmp_path, content, entries):
    (tmp_path / "lists").mkdir(exist_ok=True)
    (tmp_path / "lists" / "words.txt").write_bytes(entries)
    (tmp_path / "a.toml").write_bytes(content)
    assert {one.file for one in loaded(tmp_path)} <= {"a.toml", "lists/words.txt"}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("x = " + "[" * 20_000, "is nested too deeply"),
        ("x = " + "{a=" * 10_000, "is nested too deeply"),
        ("weight = " + "9" * 5000, "is not TOML"),
        ("weight = 0x" + "f" * 50_000, "weight: this int is not a number from 0"),
        ('id = "one"\n' * 2, "is not TOML"),
        ('[[examples.match]]\nrepeat = 999999999\nposts = ["x"]', "weight: is missing"),
    ],
)
def test_files_made_to_hurt_are_refused_with_a_word(tmp_path, content, told):
    (tmp_path / "a.toml").write_text(content)
    faults = loaded(tmp_path)
    assert any(told in str(one) for one in faults), faults


@pytest.mark.parametrize(
    "example",
    [
        {"repeat": 999_999_999, "posts": ["x"]},
        {"posts": [{"mentions": 999_999_999}]},
        {"age": "999999w"},
        {"campaign_accounts": 999_999_999},
        {"posts": ["x"] * 201},
    ],
)
def test_examples_made_to_hurt_are_refused_with_a_word(example):
    (fault,) = faults_of([("a.toml", document(examples={"match": [example], "no_match": [{}]}))], {})
    assert fault.key == "examples.match[1]"


def test_the_shipped_rules_with_a_letter_less_are_told_of_in_words(tmp_path):
    whole = (Path(__file__).parents[3] / "etc" / "rules.d" / "casino-words.toml").read_text()
    for cut in range(0, len(whole), 37):
        (tmp_path / "a.toml").write_text(whole[:cut] + whole[cut + 1 :])
        assert {one.file for one in loaded(tmp_path)} <= {"a.toml"}
    assert tomllib.loads(whole)
