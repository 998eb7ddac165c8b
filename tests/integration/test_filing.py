"""One open case an account: what is filed, what is added to it, and what opens another; over a real redis-server."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from rq.job import Retry

from mastowatch.adapters.memory_mastodon import MemoryMastodon
from mastowatch.config import Settings
from mastowatch.domain.policy import Decision
from mastowatch.errors import BudgetExhausted, Deferred, MastodonAuthError, MastodonUnreachable
from mastowatch.jobs import filing
from mastowatch.jobs.filing import Judgement
from tests.filing_history import PROFILE, RULES, START, World

pytestmark = pytest.mark.redis


@pytest.fixture
def world(redis, tmp_path) -> World:
    made = World(redis, tmp_path)
    made.post("airdrop", START - timedelta(hours=1))
    return made


def test_a_new_rule_is_added_to_the_open_case_and_files_nothing(world):
    assert world.judge()["report_id"] == "1"
    world.later(hours=1)
    newer = world.post("casino")
    assert world.judge()["outcome"] == "filed"
    assert len(world.server.reports) == 1
    case = world.case
    assert (case.report_id, case.generation, case.reported, case.later) == ("1", 1, ("airdrop",), ("casino",))
    assert case.why == "report 1 is open; added to its case: rule casino; 1 newer post"
    assert newer in case.status_ids


def test_evidence_that_is_gone_stays_in_the_open_case(world):
    world.judge()
    world.server.posts.clear()
    world.post("casino")
    world.judge()
    assert [(reason.rule_id, reason.past) for reason in world.case.reasons] == [("casino", False), ("airdrop", True)]
    assert world.case.score == 5.0
    assert world.case.status_ids == ("101", "102")


def test_a_later_verdict_below_the_threshold_does_not_lose_the_report(world):
    world.judge()
    world.server.posts.clear()
    assert world.judge()["report_id"] == "1"
    assert (world.case.outcome, world.case.report_id, world.case.level) == ("filed", "1", "none")


@pytest.mark.parametrize(
    ("settings", "outcome"), [({"dry_run": True}, "rehearsed"), ({"exempt_accounts": "a@x.example"}, "exempt")]
)
def test_an_account_that_is_spared_from_now_on_keeps_its_report_in_its_case(world, settings, outcome):
    world.judge()
    world.context = replace(world.context, settings=Settings(**{**world.context.settings.model_dump(), **settings}))
    world.judge()
    assert (world.case.outcome, world.case.report_id, world.case.reported) == (outcome, "1", ("airdrop",))
    assert world.case.why.startswith("report 1 was filed before; now: ")


def test_a_case_names_the_posts_of_its_report_and_the_newest_that_came_later(world):
    world.judge()
    for number in range(100):
        world.later(minutes=1)
        world.post("airdrop")
        if number % 10 == 9:
            world.judge()
    assert len(world.case.status_ids) == 60
    assert {"101", "201"} <= set(world.case.status_ids)


def test_a_resolved_report_is_not_followed_by_another_without_news(world):
    world.judge()
    world.server.resolve("1")
    world.later(days=1)
    assert world.judge()["report_id"] == "1"
    world.post("airdrop", START - timedelta(minutes=30))  # older than the report: it was there to be seen
    world.judge()
    assert len(world.server.reports) == 1


def test_after_a_report_was_resolved_newer_posts_open_another(world):
    world.judge()
    world.server.resolve("1")
    world.later(hours=1)
    newer = world.post("airdrop")
    assert world.judge()["report_id"] == "2"
    first, second = world.server.reports
    assert first.marker != second.marker
    assert second.status_ids[0] == newer, "what is new comes first"
    assert "Reported before (report 1, resolved). New since: 1 newer post." in second.comment
    assert (world.case.generation, world.case.report_id, world.claim.generation) == (2, "2", 2)
    assert world.judge()["report_id"] == "2"
    assert len(world.server.reports) == 2


def test_after_a_report_was_resolved_a_new_rule_opens_another(redis, tmp_path):
    world = World(redis, tmp_path, rules=[*RULES, PROFILE])
    world.post("airdrop", START - timedelta(hours=1))
    world.judge()
    world.server.add(replace(world.server.accounts["7"], note_html="<p>pills</p>"))
    world.judge()
    assert len(world.server.reports) == 1, "the report is open"
    assert world.case.later == ("profile",)
    world.server.resolve("1")
    world.judge()
    assert [report.comment.count("[profile]") for report in world.server.reports] == [0, 1]


def test_a_report_that_was_opened_again_is_the_open_case(world):
    world.judge()
    world.server.resolve("1")
    world.later(hours=1)
    world.post("casino")
    world.judge()
    world.server.resolve("2")
    world.server._resolved.pop(1)
    world.later(hours=1)
    world.post("lottery")
    assert world.judge()["report_id"] == "1"
    assert len(world.server.reports) == 2


def test_what_is_new_is_told_where_redis_knows_nothing(world):
    """The comment names the rules, and Mastodon the time and the posts."""
    world.judge()
    world.server.resolve("1")
    for key in world.redis.scan_iter("mastowatch:c*"):
        world.redis.delete(key)
    assert world.judge()["report_id"] == "1"
    assert (world.claim.rules, world.claim.reported_at) == (("airdrop",), START.timestamp())
    world.redis.delete("mastowatch:claim:7")
    world.later(hours=1)
    world.post("casino")
    assert world.judge()["report_id"] == "2"


def test_reports_that_the_bots_people_wrote_by_hand_are_left_out(world):
    by_hand = filing.ReportRequest("7", "Please look at this, too", "")
    world.server.file_report(by_hand)
    assert world.judge()["report_id"] == "2"


def test_a_claim_of_a_version_that_knew_one_report_an_account_is_completed(world):
    world.judge()
    mine = {"marker": world.claim.marker, "state": "filed", "changed_at": "1.0", "owner": "x", "report_id": "1"}
    world.redis.delete("mastowatch:claim:7")
    world.redis.hset("mastowatch:claim:7", mapping=mine)
    assert world.judge()["report_id"] == "1"
    assert (world.claim.rules, world.claim.generation, world.claim.reported_at) == (("airdrop",), 1, START.timestamp())
    assert len(world.server.reports) == 1


class Watched:
    """Passes calls on to a Mastodon, and notes their names."""

    def __init__(self, server: MemoryMastodon, asked: list[str]) -> None:
        self._server, self._asked = server, asked

    def __getattr__(self, name: str):
        self._asked.append(name)
        return getattr(self._server, name)


def test_what_is_asked_of_mastodon_for_a_report(world):
    asked: list[str] = []
    purposes = []

    def mastodon(purpose):
        purposes.append(purpose)
        return Watched(world.server, asked)

    world.context = replace(world.context, mastodon=mastodon)

    def asks() -> list[str]:
        asked.clear()
        world.judge()
        return [name for name in asked if "report" in name]

    assert asks() == ["own_reports", "file_report"]
    assert asks() == [], "nothing is new"
    world.later(hours=1)
    world.post("casino")
    assert asks() == ["report"], "is it still open?"
    world.server.resolve("1")
    assert asks() == ["report", "own_reports", "file_report"]
    assert purposes.count("report") == 2 + 1 + 3, "what is asked for a report may use up the whole budget"


def test_the_permit_is_asked_once_a_report_and_not_for_one_that_is_there(world):
    asked = []
    judgement = _judgement(world)
    filing.file(world.context, judgement, permit=asked.append)
    filing.file(world.context, judgement, permit=asked.append)
    world.redis.delete("mastowatch:claim:7")
    filing.file(world.context, judgement, permit=asked.append)
    assert asked == [world.server.reports[0].marker]


def test_a_report_that_is_not_permitted_is_not_sent_and_asked_for_under_the_same_marker(world):
    asked = []

    def refuse(marker: str) -> None:
        asked.append(marker)
        raise Deferred("the breaker is full", world.now.timestamp() + 60)

    for _ in range(2):
        with pytest.raises(Deferred):
            filing.file(world.context, _judgement(world), permit=refuse)
    assert world.server.reports == []
    assert world.claim.state == "planned"
    filing.file(world.context, _judgement(world), permit=asked.append)
    assert asked == [world.server.reports[0].marker] * 3


@pytest.mark.parametrize("error", [BudgetExhausted("429", 0.0), MastodonAuthError("403")])
def test_a_refusal_that_filed_nothing_is_tried_again_at_once(world, error):
    file_report = world.server.file_report

    def refuse(request):
        world.server.file_report = file_report
        raise error

    world.server.file_report = refuse
    with pytest.raises(type(error)):
        filing.file(world.context, _judgement(world))
    assert world.claim.state == "failed"
    assert filing.file(world.context, _judgement(world)).outcome == "filed"
    assert len(world.server.reports) == 1


def test_a_worker_that_stood_still_before_it_sent_sends_nothing(world):
    send = world.context.claims.send

    def send_and_stand_still(*args):
        found = send(*args)
        world.later(minutes=10)
        return found

    world.context.claims.send = send_and_stand_still
    assert isinstance(world.judge(), Retry)
    assert world.server.reports == []
    world.context.claims.send = send
    assert world.judge()["outcome"] == "filed"
    assert len(world.server.reports) == 1


def test_a_lost_answer_to_the_next_report_is_found_under_its_marker(world):
    world.judge()
    world.server.resolve("1")
    world.later(hours=1)
    world.post("casino")
    world.server.lose_next_answer()
    with pytest.raises(MastodonUnreachable):
        world.judge()
    assert (world.claim.state, world.claim.generation) == ("sent", 2)
    assert world.judge()["report_id"] == "2"
    assert world.claim.rules == ("airdrop", "casino")
    assert len(world.server.reports) == 2


def test_a_report_that_vanished_with_its_claim_left_is_filed_anew_only_with_news(world):
    world.judge()
    world.server.reports.clear()
    assert world.judge()["report_id"] == "1", "nothing is new: nobody looks"
    world.later(hours=1)
    world.post("casino")
    world.judge()
    assert len(world.server.reports) == 1
    assert world.claim.generation == 2


def _judgement(world: World) -> Judgement:
    account = world.server.accounts["7"]
    posts = world.server.account_statuses("7")
    verdict = world.context.rules.judge(account, posts, world.now, watch_at=2, report_at=5)
    return Judgement(account, posts, verdict, Decision("report", "the score reached the threshold for a report"))
