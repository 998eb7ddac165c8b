from dataclasses import replace

import pytest

from mastowatch.domain.policy import decide
from mastowatch.domain.verdict import Verdict, level_of
from tests.rules import seen

REMOTE, LOCAL = seen(username="Bob", domain="Spam.Example")[0], seen(username="Bob")[0]


def decided(account=REMOTE, level="report", *, me_id="9", accounts=(), domains=(), dry_run=False):
    return decide(
        Verdict(5.0, 0.0, level),
        account,
        me_id=me_id,
        exempt_accounts=frozenset(accounts),
        exempt_domains=frozenset(domains),
        dry_run=dry_run,
    )


@pytest.mark.parametrize(("level", "action"), [("none", "none"), ("watch", "watch"), ("report", "report")])
def test_the_level_leads_to_the_action(level, action):
    assert decided(level=level).action == action


def test_a_dry_run_rehearses():
    assert decided(dry_run=True).action == "rehearse"


@pytest.mark.parametrize(
    ("account", "options", "why"),
    [
        (REMOTE, {"me_id": "1"}, "the bot itself"),
        (replace(REMOTE, staff=True), {}, "staff"),
        (replace(REMOTE, suspended=True), {}, "suspended"),
        (REMOTE, {"accounts": ["bob@spam.example"]}, "EXEMPT_ACCOUNTS"),
        (REMOTE, {"accounts": ["@BOB@spam.example"]}, "EXEMPT_ACCOUNTS"),
        (LOCAL, {"accounts": ["Bob"]}, "EXEMPT_ACCOUNTS"),
        (LOCAL, {"accounts": ["bob@this.example"]}, "EXEMPT_ACCOUNTS"),
        (REMOTE, {"domains": ["spam.example"]}, "EXEMPT_DOMAINS"),
        (REMOTE, {"domains": ["example"]}, "EXEMPT_DOMAINS"),
        (LOCAL, {"domains": ["this.example"]}, "EXEMPT_DOMAINS"),
    ],
)
@pytest.mark.parametrize("level", ["watch", "report"])
def test_who_is_spared_is_spared_at_every_level_and_told_why(account, options, why, level):
    decision = decided(account, level, **options)
    assert decision.action == "exempt"
    assert why in decision.why


@pytest.mark.parametrize(
    ("account", "options"),
    [
        (REMOTE, {"accounts": ["bob"]}),
        (REMOTE, {"accounts": ["bob@other.example"]}),
        (REMOTE, {"domains": ["m.example", "", "."]}),
        (REMOTE, {"domains": ["x.spam.example"]}),
    ],
)
def test_a_namesake_is_not_spared(account, options):
    assert decided(account, **options).action == "report"


@pytest.mark.parametrize(("score", "level"), [(1.9, "none"), (2, "watch"), (4.9, "watch"), (5, "report")])
def test_a_threshold_is_reached_when_it_is_equalled(score, level):
    assert level_of(score, watch_at=2, report_at=5) == level
