"""What tests of rules are made of: a small rule that is whole, and a way to judge an example by it."""

from collections.abc import Collection
from typing import Any

from mastowatch.domain import examples
from mastowatch.domain.rule import parse
from mastowatch.domain.ruleset import RuleSet
from mastowatch.domain.verdict import Verdict
from mastowatch.ports.types import Account, Status

WORDS = {"words": ["casino"]}
# For processes, which read files.
AIRDROP = """
id = "airdrop"
name = "Airdrop"
description = "For the tests."
mode = "report"
weight = 5
[account]
age_max = "7d"
[status]
words = ["airdrop"]
[[examples.match]]
age = "1d"
posts = ["airdrop"]
[[examples.no_match]]
posts = ["hello"]
"""


def document(**changes: Any) -> dict[str, Any]:
    """Return the TOML document of a rule against the word casino, with ``changes``; None takes a key away."""
    base = {
        "id": "one",
        "name": "One",
        "description": "for a test",
        "mode": "report",
        "weight": 5.0,
        "status": dict(WORDS),
        "examples": {"match": [{"posts": ["casino"], "repeat": 20}], "no_match": [{"posts": ["garden"]}]},
    }
    return {key: value for key, value in {**base, **changes}.items() if value is not None}


def ruleset(*documents: dict[str, Any]) -> RuleSet:
    """Return the set of ``documents``, whose examples needn't hold."""
    return RuleSet.compile([parse(f"{number}.toml", one) for number, one in enumerate(documents)])


def seen(**example: Any) -> tuple[Account, tuple[Status, ...]]:
    """Return the account and posts of an example."""
    return examples.build(example, file="test", table="example")


def judged(rules: RuleSet, *, shadowed: Collection[str] = (), **example: Any) -> Verdict:
    """Return the verdict on an example, watched from 2 and reported from 5."""
    account, statuses = seen(**example)
    others = tuple(f"other{number}" for number in range(1, example.get("campaign_accounts", 1)))
    campaigns = dict.fromkeys(rules.sightings(account, statuses, examples.NOW), others)
    return rules.judge(account, statuses, examples.NOW, watch_at=2, report_at=5, campaigns=campaigns, shadowed=shadowed)
