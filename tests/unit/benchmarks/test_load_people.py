"""The people of the load test: made from their numbers, and found by the shipped rules as they should be."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from benchmarks.load.people import BLOCK, NEWCOMERS, SPAM_EACH, is_spam, kind_of, planted, resident
from benchmarks.load.server import BOT, Town
from mastowatch.adapters import mastodon_parsing as parsing
from mastowatch.jobs.context import load_rules
from tests.demo.__main__ import RULES_DIR
from tests.demo.judging import judge_all
from tests.demo.spam import KINDS
from tests.world import START

FIRST = 117_696_538_662_928_384
ACCOUNTS = BLOCK * len(KINDS)


def town() -> Town:
    found = Town(FIRST, FIRST)
    found.steps.append((ACCOUNTS, START))
    return found


def test_a_number_is_always_the_same_account():
    before = [resident(number) for number in range(30)]
    resident.cache_clear()
    assert [resident(number) for number in range(30)] == before


def test_the_rules_find_all_that_is_planted_and_nobody_else():
    here, now, looks = town(), datetime.fromtimestamp(START, UTC), {}
    for number in range(ACCOUNTS):
        if is_spam(number) or number % SPAM_EACH in NEWCOMERS:
            account = parsing.admin_account(here.admin_account(number), now)
            looks[number] = (account, parsing.statuses(here.posts(number)))
    found = judge_all(load_rules(RULES_DIR), looks, now)
    reported = {number for number, verdict in found.items() if verdict.level == "report"}
    assert reported == set(planted(ACCOUNTS))
    assert {kind_of(number) for number in reported} == set(KINDS)


def test_pages_are_cut_as_mastodon_cuts_them():
    here, now = town(), datetime.fromtimestamp(START, UTC)

    def ids(**query: str) -> list[int]:
        page = here.page({name: [value] for name, value in query.items()})
        return [int(one.id) - FIRST for one in parsing.admin_accounts(json.loads(page), now)]

    newest = ids(origin="remote", limit="200")
    assert len(newest) == 200
    assert newest == sorted(newest, reverse=True)
    below = ids(origin="remote", limit="200", max_id=str(FIRST + newest[-1]))
    assert max(below) == newest[-1] - 1 or (newest[-1] - 1) % 11 == 0
    assert ids(origin="remote", limit="200", min_id=str(FIRST + below[0])) == newest
    assert ids(origin="local", limit="3", min_id=str(FIRST - 1)) == [22, 11, 0]
    assert ids(origin="remote", limit="200", min_id=str(FIRST + newest[0])) == []


def test_a_post_is_found_by_its_id_and_a_report_by_its_account():
    here = town()
    shown = here.posts(17)
    assert here.post(shown[0]["id"]) == shown[0]
    assert here.post(str(FIRST - 5)) is None
    filed = here.report({"account_id": [str(FIRST + 17)], "comment": ["c"]})
    assert here.reported({"target_account_id": [str(FIRST + 17)]}) == [filed]
    assert filed["account"]["id"] == BOT
    assert here.report({"account_id": ["5"]}) is None
    assert here.state()["reported"] == {17: 1}
