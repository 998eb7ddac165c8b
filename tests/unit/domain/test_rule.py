import re
from dataclasses import fields
from datetime import timedelta
from pathlib import Path

import pytest

from mastowatch.domain import examples, limits, rule
from mastowatch.domain.rule import AccountConditions, Campaign, StatusConditions, examine, parse
from mastowatch.errors import RuleError
from tests.rules import WORDS, document

YOUNG, LINKS = {"age_max": "7d"}, {"same": "link_host", "accounts_min": 3, "within": "6h"}
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
        ({"status": {"same_text_min": 1}}, "status.same_text_min", "from 2 to 40"),
        ({"status": {"replies_share_min": 80}}, "status.replies_share_min", "0.8"),
        ({"status": {"visibility": ["direct"]}}, "status.visibility", "unlisted"),
        ({"status": {"words_file": "none.txt"}}, "status.words_file", "lists/"),
        ({"account": {"hosts_file": 1}}, "account.hosts_file", "lists/"),
        ({"account": {"age_max": "99999w"}}, "account.age_max", "a century"),
        ({"any_of_min": 1}, "any_of_min", "no more than any_of names"),
        ({"any_of": ["a", "b"], "any_of_min": 3}, "any_of_min", "no more than any_of names"),
        ({"requires": "a"}, "requires", '["one", "two"]'),
        ({"requires": [f"r{n}" for n in range(51)]}, "requires", "at most 50"),
        ({"campaign": {}}, "campaign.same", 'same = "link_host"'),
        ({"account": YOUNG, "campaign": {**LINKS, "same": "links"}}, "campaign.same", "link_host"),
        ({"account": YOUNG, "campaign": {**LINKS, "accounts_min": 1}}, "campaign.accounts_min", "from 2 to 500"),
        ({"account": YOUNG, "campaign": {**LINKS, "within": "8d"}}, "campaign.within", "at most 7d"),
        (
            {"account": YOUNG, "campaign": {**LINKS, "same": "name", "hosts_except": ["a.b"]}},
            "campaign.hosts_except",
            "",
        ),
        ({"campaign": LINKS}, "campaign", "age_max"),
        ({"account": YOUNG, "status": None, "campaign": {**LINKS, "same": "media"}}, "campaign.same", "add [status]"),
    ],
)
def test_a_bad_rule_is_refused_with_file_key_and_hint(changes, key, hint):
    with pytest.raises(RuleError) as caught:
        parse("a.toml", document(**changes))
    assert (caught.value.file, caught.value.key) == ("a.toml", key)
    assert hint in caught.value.hint
    assert str(caught.value).startswith("a.toml")


def test_lists_add_to_what_stands_in_the_rule_and_to_its_digest():
    lists = {"words.txt": ("# of the trade", "roulette  # a wheel", "", "Casino"), "hosts.txt": ("WWW.Shop.example",)}
    status = {**WORDS, "words_file": "words.txt", "hosts_file": "hosts.txt"}
    found = parse("a.toml", document(status=status, account={"bio_words_file": "words.txt"}), lists)
    assert found.status == StatusConditions(words=("casino", "roulette", "Casino"), link_hosts=("shop.example",))
    assert found.account == AccountConditions(bio_words=("roulette", "Casino"))
    other = parse("a.toml", document(status=status), {**lists, "words.txt": ("poker",)})
    assert repr(other) != repr(parse("a.toml", document(status=status), lists))


def test_all_that_is_wrong_with_a_document_is_found():
    rule, faults = examine("a.toml", document(id="A", name="", weight=0, status={"foo": 1, "links_min": -1}, account=3))
    assert rule is None
    assert [one.key for one in faults] == ["id", "name", "weight", "account", "status.foo", "status.links_min"]


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


def test_the_reference_has_no_key_that_the_code_does_not_have():
    tables = [rule.RULE_KEYS, rule.ACCOUNT_KEYS, rule.STATUS_KEYS, rule.COUNTING_KEYS, rule.CAMPAIGN_KEYS]
    known = set().union(*tables, limits.LIMIT_KEYS, examples.EXAMPLE_KEYS, examples.POST_KEYS)
    listed = re.findall(r"^\| `([a-z_]+)` \|", REFERENCE.read_text(), re.MULTILINE)
    assert set(listed) == known
