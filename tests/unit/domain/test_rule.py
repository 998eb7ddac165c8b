from dataclasses import fields
from datetime import timedelta
from pathlib import Path

import pytest

from mastowatch.domain import examples, limits, rule
from mastowatch.domain.rule import AccountConditions, Campaign, StatusConditions, parse
from mastowatch.errors import RuleError
from tests.rules import WORDS, document

REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "rules.md"


def test_a_rule_is_read_whole():
    found = parse(
        "a.toml",
        document(
            account={"age_max": "7d", "statuses_per_day_min": 20},
            status={
                **WORDS,
                "count_min": 3,
                "within": "6h",
                "link_hosts": ["https.example", "www.B\u00fccher.example"],
            },
            rule_ids=["2", 3],
            scope="remote",
            forward=True,
            category="violation",
            **{"not": {"account": {"bot": True}, "status": {"words": ["museum"]}}},
        ),
    )
    assert found.account == AccountConditions(age_max=timedelta(days=7), statuses_per_day_min=20.0)
    assert found.status == StatusConditions(words=("casino",), link_hosts=("https.example", "xn--bcher-kva.example"))
    assert (found.count_min, found.within) == (3, timedelta(hours=6))
    assert (found.rule_ids, found.scope, found.forward, found.category) == (("2", "3"), "remote", True, "violation")
    assert (found.not_account, found.not_status) == (AccountConditions(bot=True), StatusConditions(words=("museum",)))


def test_a_rule_without_mode_is_in_the_shadow_and_needs_no_examples():
    assert parse("a.toml", document(mode=None, examples=None)).mode == "shadow"


@pytest.mark.parametrize(
    ("changes", "key", "hint"),
    [
        ({"statsu": {}}, "statsu", "did you mean status?"),
        ({"status": {"wrods": ["x"]}}, "status.wrods", "did you mean words?"),
        ({"account": {"agemax": "1d"}}, "account.agemax", "did you mean age_max?"),
        ({"account": {"zzz": 1}}, "account.zzz", "one of age_max"),
        ({"not": {"stats": {}}}, "not.stats", "did you mean status?"),
        ({"not": {"status": {"count_min": 2}}}, "not.status.count_min", ""),
        ({"not": {"account": {}}}, "not.account", "add a condition"),
        ({"examples": {"matches": []}}, "examples.matches", "did you mean match?"),
        ({"examples": {"match": {}}}, "examples.match", "[[examples.match]]"),
        ({"examples": {"match": [{}]}}, "examples.no_match", 'set mode = "shadow"'),
        ({"examples": None}, "examples.match", 'set mode = "shadow"'),
        ({"status": "casino"}, "status", "[status]"),
        ({"status": {**WORDS, "within": "6 hours", "count_min": 2}}, "status.within", '"6h"'),
        ({"status": {**WORDS, "within": "6h"}}, "status.within", "count_min = 2"),
        ({"status": {**WORDS, "count_min": 0}}, "status.count_min", "from 1 to 40"),
        ({"status": {**WORDS, "count_min": 41}}, "status.count_min", "from 1 to 40"),
        ({"status": {"links_min": "3"}}, "status.links_min", "links_min = 3"),
        ({"status": {"links_min": True}}, "status.links_min", "links_min = 3"),
        ({"status": {"reply": "yes"}}, "status.reply", "reply = true"),
        ({"status": {"words": "casino"}}, "status.words", '["one", "two"]'),
        ({"status": {"words": []}}, "status.words", '["one", "two"]'),
        ({"status": {"words": ["casino,"]}}, "status.words", "take the punctuation away"),
        ({"status": {"words": ["casino", " "]}}, "status.words", "write words"),
        ({"status": {"words": ["\u200b"]}}, "status.words", "take the punctuation away"),
        ({"status": {"words": ["a"]}}, "status.words", "longer word"),
        ({"status": {"pattern": ""}}, "status.pattern", "single quotes"),
        ({"status": {"link_hosts": ["https://a.example/x"]}}, "status.link_hosts", "without https://"),
        ({"status": {"link_hosts": ["localhost"]}}, "status.link_hosts", "without https://"),
        ({"status": None}, "", "add [account] or [status]"),
        ({"status": {}}, "", "add [account] or [status]"),
        ({"status": None, "account": {"bot": True}, "not": {"status": WORDS}}, "not.status", "add [status]"),
        ({"account": {"age_min": "7d", "age_max": "1d"}}, "account.age_min", "exchange"),
        ({"weight": None}, "weight", "weight = 2.0"),
        ({"weight": 0}, "weight", "above 0"),
        ({"weight": float("nan")}, "weight", "weight = 2.5"),
        ({"mode": "on"}, "mode", "one of off, shadow, report"),
        ({"id": "Has Space"}, "id", "small letters, digits and hyphens"),
        ({"id": None}, "id", 'id = "..."'),
        ({"name": "x" * 81}, "name", "at most 80"),
        ({"rule_ids": ["first"]}, "rule_ids", 'rule_ids = ["1"]'),
        ({"forward": 1}, "forward", "forward = true"),
    ],
)
def test_a_bad_rule_is_refused_with_file_key_and_hint(changes, key, hint):
    with pytest.raises(RuleError) as caught:
        parse("a.toml", document(**changes))
    assert (caught.value.file, caught.value.key) == ("a.toml", key)
    assert hint in caught.value.hint
    assert str(caught.value).startswith("a.toml")


@pytest.mark.parametrize("word", ["पैसा", "赌", "カジノ", "c3po", "don't click", "\u0421asino"])
def test_words_of_every_script_are_taken(word):
    assert parse("a.toml", document(status={"words": [word]})).status.words == (word,)


@pytest.mark.parametrize(
    ("keys", "table"),
    [
        (rule.ACCOUNT_KEYS, AccountConditions),
        (rule.STATUS_KEYS, StatusConditions),
        (rule.CAMPAIGN_KEYS, Campaign),
    ],
)
def test_the_tables_of_keys_and_the_conditions_are_the_same(keys, table):
    assert sorted(key for key in keys if not key.endswith("_file")) == sorted(field.name for field in fields(table))


def test_the_reference_says_of_every_key_what_the_code_says():
    reference = REFERENCE.read_text()
    described = [
        rule.ACCOUNT_KEYS,
        rule.STATUS_KEYS,
        rule.COUNTING_KEYS,
        rule.CAMPAIGN_KEYS,
        limits.LIMIT_KEYS,
        examples.EXAMPLE_KEYS,
        examples.POST_KEYS,
    ]
    rows = {**rule.RULE_KEYS}
    missing = [key for key, meaning in rows.items() if f"| `{key}` | {meaning} |" not in reference]
    missing += [
        key for keys in described for key, (_, told) in keys.items() if f"| `{key}` | {told} |" not in reference
    ]
    assert missing == []
