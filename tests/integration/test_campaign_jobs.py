"""Campaigns from job to job, over a real redis-server: the first accounts are found once enough others have come."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from redis import Redis

from mastowatch.domain.ruleset import RuleSet
from mastowatch.jobs import tasks
from mastowatch.ports.types import Status
from tests.integration.test_tasks import START, Server, World, account

pytestmark = pytest.mark.redis
RULE = {
    "id": "wave",
    "name": "Link wave",
    "description": "for a test",
    "mode": "report",
    "weight": 5.0,
    "account": {"age_max": "3d"},
    "status": {"links_min": 1},
    "campaign": {"same": "link_host", "accounts_min": 3, "within": "6h"},
    "examples": {
        "match": [{"age": "1d", "campaign_accounts": 3, "posts": ["https://a.example"]}],
        "no_match": [{"age": "1d", "campaign_accounts": 2, "posts": ["https://a.example"]}],
    },
}


class Wave(World):
    def __init__(self, redis: Redis, server: Server, **settings) -> None:
        super().__init__(redis, server, **settings)
        object.__setattr__(self.context, "rules", RuleSet.load([("wave.toml", RULE)]))

    def judge(self, one: str) -> str:
        return self.run(tasks.analyze_and_maybe_report, one)["outcome"]


def spread(server: Server, numbers: range) -> list[str]:
    for number in numbers:
        server.add(account(number, statuses=1))
        at = datetime.fromtimestamp(START, UTC)
        html = f'<p>{number} <a href="https://wallet.example/{number}">https://wallet.example/{number}</a></p>'
        server.post(Status(f"{number}0", str(number), at, html))
    return [str(number) for number in numbers]


def test_the_accounts_that_came_first_are_judged_again_once_the_campaign_is_large_enough(redis):
    server = Server()
    one, two, three, four = spread(server, range(1, 5))
    world = Wave(redis, server)
    assert [world.judge(one), world.judge(two)] == ["watched", "watched"]
    assert world.queued() == set()
    assert world.judge(three) == "filed"
    assert world.queued() == {one, two}
    assert [world.judge(one), world.judge(two)] == ["filed", "filed"]
    assert [report.account_id for report in server.reports] == [three, one, two]
    assert "link host wallet.example from 3 accounts in 6 h" in server.reports[0].comment
    redis.delete("rq:queue:default", *redis.keys("rq:job:*"))
    assert world.judge(four) == "filed"
    assert world.queued() == set(), "they are queued once"


def test_a_worker_that_dies_between_counting_and_queueing_has_it_done_by_the_next_attempt(redis, monkeypatch):
    server = Server()
    one, two, three = spread(server, range(1, 4))
    world = Wave(redis, server)
    world.judge(one), world.judge(two)
    with monkeypatch.context() as patch:
        patch.setattr(world.context.jobs, "analyze", lambda _: (_ for _ in ()).throw(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            world.judge(three)
    assert world.queued() == set()
    world.judge(three)
    assert world.queued() == {one, two}


def test_an_account_that_is_being_judged_when_the_campaign_is_found_is_judged_once_more(redis):
    server = Server()
    one, two, three = spread(server, range(1, 4))
    world = Wave(redis, server)
    world.judge(one)
    # The second one is under way: its job can't be queued again.
    assert world.context.jobs.analyze(two)
    world.judge(two)
    world.judge(three)
    jobs = {raw.decode() for raw in redis.lrange("rq:queue:default", 0, -1)}
    assert jobs == {"analyze_and_maybe_report-2", "analyze_and_maybe_report-1", "judge_again-2"}
    assert world.run(tasks.judge_again, two)["outcome"] == "filed"


def test_a_rehearsal_counts_as_well_and_files_nothing(redis):
    server = Server()
    ids = spread(server, range(1, 4))
    world = Wave(redis, server, dry_run=True)
    assert [world.judge(one) for one in ids] == ["watched", "watched", "rehearsed"]
    assert server.reports == []


def test_accounts_outside_the_rules_conditions_are_not_counted(redis):
    server = Server()
    for number in range(1, 6):
        spread(server, range(number, number + 1))
        server.add(account(number, created_at=datetime(2020, 1, 1, tzinfo=UTC), statuses=1))
    world = Wave(redis, server)
    assert {world.judge(str(number)) for number in range(1, 6)} == {"watched"}
    assert redis.keys("mastowatch:campaign:*") == []
    assert world.queued() == set()
