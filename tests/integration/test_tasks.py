"""The tasks, called directly, over a real redis-server and the Mastodon in memory that is shipped."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from redis import Redis
from rq.job import Retry

from mastowatch.adapters import redis_campaigns, redis_store
from mastowatch.adapters.memory_mastodon import MemoryMastodon
from mastowatch.adapters.redis_actions import RedisAccountActions
from mastowatch.adapters.redis_audit import RedisAudit
from mastowatch.adapters.redis_handed_on import RedisHandedOn
from mastowatch.adapters.redis_posts import RedisRecentPosts
from mastowatch.adapters.redis_quotas import RedisHeld, RedisQuotas
from mastowatch.adapters.redis_rule_stats import RedisRuleStats
from mastowatch.adapters.redis_rule_switches import RedisRuleSwitches
from mastowatch.adapters.redis_stream_notes import RedisStreamNotes
from mastowatch.config import Settings
from mastowatch.errors import BudgetExhausted, MastodonNotFound, MastodonUnreachable
from mastowatch.jobs import context as contexts
from mastowatch.jobs import tasks
from mastowatch.jobs.context import Context
from mastowatch.jobs.filing import SETTLE_S
from mastowatch.jobs.queues import TASKS, Jobs
from mastowatch.ports.types import Account, Status
from mastowatch.reliable.serializer import JsonQueue

pytestmark = pytest.mark.redis
RULES = contexts.load_rules(Path(__file__).parents[2] / "etc" / "rules.d")
START = 1_767_268_800.0  # 2026-01-01 12:00 UTC
PAGE = 4
# The account, its posts, and the bot's reports on it, open and resolved.
BEFORE_REPORT = (None, None, None, None)


def account(number: int, **changes) -> Account:
    born = datetime.fromtimestamp(START, UTC) - timedelta(days=1)
    base = Account(str(number), f"a{number}@x.example", f"a{number}", "x.example", "", "", "", born, statuses=2)
    return replace(base, **changes)


def spam(account_id: str) -> tuple[Status, ...]:
    html = '<p>Claim your airdrop <a href="https://w.example/1">https://w.example/1</a></p>'
    at = datetime.fromtimestamp(START, UTC)
    return tuple(Status(f"{account_id}{n}", account_id, at, html, mentions=("b", "c")) for n in range(2))


class Server(MemoryMastodon):
    """The shipped Mastodon in memory, with pages of four; ``fail`` tells the next requests how to end."""

    def __init__(self, *accounts: Account) -> None:
        super().__init__(account(999_999), page_size=PAGE)
        self.fail: list[Exception | None] = []
        self.add(*accounts)

    def __call__(self, purpose):
        return self.for_purpose(purpose)

    def _ask(self) -> None:
        super()._ask()
        error = self.fail.pop(0) if self.fail else None
        if error:
            raise error


class World:
    def __init__(self, redis: Redis, server: Server, **settings) -> None:
        self.now = START
        self.redis = redis
        chosen = Settings(
            instance_base="https://m.example", **{"dry_run": False, "exempt_followed_locally": False, **settings}
        )
        self.context = Context(
            settings=chosen,
            rules=RULES,
            mastodon=server,
            jobs=Jobs(redis, chosen),
            claims=redis_store.RedisClaims(redis),
            cursors=redis_store.RedisCursors(redis),
            locks=redis_store.RedisLocks(redis),
            judged=redis_store.RedisJudged(redis),
            cases=redis_store.RedisCases(redis),
            switches=redis_store.RedisSwitches(redis),
            rule_switches=RedisRuleSwitches(redis),
            quotas=RedisQuotas(redis),
            held=RedisHeld(redis),
            actions=RedisAccountActions(redis),
            audit=RedisAudit(redis),
            tally=redis_store.RedisTally(redis),
            history=redis_store.RedisHistory(redis),
            posts=RedisRecentPosts(redis),
            rule_stats=RedisRuleStats(redis),
            campaigns=redis_campaigns.RedisCampaigns(redis),
            handed_on=RedisHandedOn(redis),
            stream_notes=RedisStreamNotes(redis),
            clock=lambda: self.now,
        )

    def run(self, task, *args):
        with contexts.use(self.context):
            return task(*args)

    def queued(self) -> set[str]:
        return {raw.decode().rpartition("-")[2] for raw in self.redis.lrange("rq:queue:default", 0, -1)}


def waiting(redis: Redis) -> list[str]:
    return [raw.decode() for raw in redis.lrange("rq:queue:default", 0, -1)]


def test_posts_of_a_batch_are_fetched_at_once_and_each_author_is_judged_once(redis):
    server = Server()
    ids = [one.id for number in (1, 2) for one in spam(spammer(server, number))]
    world = World(redis, server)
    world.context.me_id()
    server.requests = 0
    found = world.run(tasks.process_new_statuses, [*ids, "424242"])
    assert found == {"posts": 4, "accounts": 2, "filed": 2, "waiting": 0}
    assert {report.account_id for report in server.reports} == {"1", "2"}
    judged = 1 + 2 * 2  # the posts; each account and its posts
    assert server.requests - judged <= 3 * 2, "what is beside it belongs to filing"


def test_who_of_a_batch_can_not_be_judged_now_is_queued_alone(redis):
    server = Server()
    ids = [one.id for number in (1, 2) for one in spam(spammer(server, number))]
    world = World(redis, server)
    world.context.locks.acquire("account:2", "another worker", 60)
    assert world.run(tasks.process_new_statuses, ids)["waiting"] == 1
    assert [report.account_id for report in server.reports] == ["1"]
    assert waiting(redis) == ["analyze_and_maybe_report-2"]


def test_a_batch_waits_for_the_budget_and_for_the_end_of_the_panic_stop(redis):
    server = Server()
    (one, _) = spam(spammer(server))
    world = World(redis, server)
    server.fail = [BudgetExhausted("none left", START + 7)]
    assert world.run(tasks.process_new_statuses, [one.id]).intervals == [7]
    world.context.switches.set_panic_stop(on=True, by="me", now=START)
    assert isinstance(world.run(tasks.process_new_statuses, [one.id]), Retry)
    assert server.reports == []


@pytest.mark.parametrize("wrong", [[], "1", ["x"], ["01"], [["1"]], [None], ["1"] * 21, {"1": "1"}, None])
def test_a_batch_is_a_list_of_up_to_twenty_ids(wrong):
    with pytest.raises(ValueError, match="status_ids"):
        TASKS["process_new_statuses"].check({"status_ids": wrong})


def test_a_batch_is_queued_once_under_an_id_of_digits(redis):
    jobs = Jobs(redis, Settings())
    ids = [str(number) for number in range(20)]
    job = jobs.submit("process_new_statuses", {"status_ids": ids})
    assert re.fullmatch(r"process_new_statuses[-0-9]+", job.id)
    assert len(job.id) < 80
    assert job.kwargs == {"status_ids": ids}
    assert job.description == "process_new_statuses(20 from 0)"
    assert jobs.submit("process_new_statuses", {"status_ids": ids}) is None
    assert jobs.submit("process_new_statuses", {"status_ids": ids[:-1]}) is not None


@pytest.mark.parametrize(("queue", "purpose"), [("high", "webhook"), ("default", "judge")])
def test_what_comes_by_the_most_urgent_queue_has_a_share_of_its_own(redis, queue, purpose, monkeypatch):
    server = Server()
    one = spammer(server)
    world = World(redis, server)
    asked = []
    world.context = replace(world.context, mastodon=lambda purpose: asked.append(purpose) or server)
    job = JsonQueue(queue, connection=redis).enqueue(tasks.analyze_and_maybe_report, one)
    with contexts.use(world.context):
        job.perform()
    assert set(asked) == {purpose, "report"}


def spammer(server: Server, number: int = 1) -> str:
    server.add(account(number))
    server.post(*spam(str(number)))
    return str(number)


def test_a_planted_account_is_reported_once_however_often_it_is_judged(redis):
    server = Server()
    one = spammer(server)
    world = World(redis, server)
    assert world.run(tasks.analyze_and_maybe_report, one)["outcome"] == "filed"
    assert world.run(tasks.analyze_and_maybe_report, one)["outcome"] == "filed"
    assert len(server.reports) == 1
    assert server.reports[0].comment.endswith(f"[mw:{server.reports[0].marker}]")


def test_dry_run_files_nothing_and_claims_nothing(redis):
    server = Server()
    one = spammer(server)
    world = World(redis, server, dry_run=True)
    assert world.run(tasks.analyze_and_maybe_report, one)["outcome"] == "rehearsed"
    assert server.reports == []
    assert redis.keys("mastowatch:claim:*") == []


def test_a_lost_answer_is_looked_up_and_not_repeated(redis):
    server = Server()
    one = spammer(server)
    server.lose_next_answer()
    world = World(redis, server)
    with pytest.raises(MastodonUnreachable):
        world.run(tasks.analyze_and_maybe_report, one)
    assert world.run(tasks.analyze_and_maybe_report, one)["outcome"] == "filed"
    assert len(server.reports) == 1


def test_a_report_that_never_arrived_is_sent_again_only_when_it_can_no_longer_arrive(redis):
    server = Server()
    one = spammer(server)
    server.fail = [*BEFORE_REPORT, MastodonUnreachable("no answer")]
    world = World(redis, server)
    with pytest.raises(MastodonUnreachable):
        world.run(tasks.analyze_and_maybe_report, one)
    assert isinstance(world.run(tasks.analyze_and_maybe_report, one), Retry)
    assert server.reports == []
    world.now += world.context.settings.request_timeout + SETTLE_S
    assert world.run(tasks.analyze_and_maybe_report, one)["outcome"] == "filed"
    assert len(server.reports) == 1


def test_a_post_deleted_before_the_report_costs_the_posts_not_the_report(redis):
    server = Server()
    one = spammer(server)
    server.fail = [*BEFORE_REPORT, MastodonNotFound("a post is gone")]
    assert World(redis, server).run(tasks.analyze_and_maybe_report, one)["outcome"] == "filed"
    assert [report.status_ids for report in server.reports] == [()]


def test_an_account_that_vanished_is_no_error(redis):
    assert World(redis, Server()).run(tasks.analyze_and_maybe_report, "5") == {"outcome": "gone"}


def test_without_budget_a_job_puts_itself_back(redis):
    server = Server()
    one = spammer(server)
    server.fail = [BudgetExhausted("none left", START + 90)]
    result = World(redis, server).run(tasks.analyze_and_maybe_report, one)
    assert isinstance(result, Retry)
    assert result.intervals == [90]


def test_the_panic_stop_halts_work_and_unreadable_counts_as_on(redis):
    server = Server()
    one = spammer(server)
    world = World(redis, server)
    world.context.switches.set_panic_stop(on=True, by="me", now=START)
    assert isinstance(world.run(tasks.analyze_and_maybe_report, one), Retry)
    world.context.switches.set_panic_stop(on=False, by="me", now=START)
    redis.set("mastowatch:switch:panic_stop", "damaged")
    assert isinstance(world.run(tasks.analyze_and_maybe_report, one), Retry)
    unreachable = redis_store.RedisSwitches(Redis(port=1))
    world.context = replace(world.context, switches=unreachable)
    assert isinstance(world.run(tasks.analyze_and_maybe_report, one), Retry)
    assert server.requests == 0


def test_two_workers_never_judge_one_account_at_once(redis):
    server = Server()
    one = spammer(server)
    world = World(redis, server)
    world.context.locks.acquire(f"account:{one}", "another worker", 60)
    assert isinstance(world.run(tasks.analyze_and_maybe_report, one), Retry)
    assert server.reports == []


def test_staff_and_the_exempt_are_never_reported(redis):
    server = Server()
    one, two = spammer(server, 1), spammer(server, 2)
    server.add(account(1, staff=True))
    world = World(redis, server, exempt_domains="x.example")
    assert world.run(tasks.analyze_and_maybe_report, one)["outcome"] == "exempt"
    assert world.run(tasks.analyze_and_maybe_report, two)["outcome"] == "exempt"
    assert server.reports == []


def test_a_wave_larger_than_a_page_is_walked_without_a_gap(redis):
    server = Server(*(account(n) for n in range(1, 4)))
    world = World(redis, server, sweep_pages_per_poll=0)
    world.run(tasks.poll_admin_accounts)
    redis.delete("rq:queue:default")
    for number in range(4, 21):
        server.add(account(number))
    world.run(tasks.poll_admin_accounts)
    assert world.queued() >= {str(number) for number in range(4, 21)}


def test_a_429_in_the_middle_of_a_walk_loses_no_account(redis):
    server = Server(*(account(n) for n in range(1, 4)))
    world = World(redis, server, sweep_pages_per_poll=0)
    world.run(tasks.poll_admin_accounts)
    for number in range(4, 31):
        server.add(account(number))
    server.fail = [None, None, BudgetExhausted("429", START + 60)]
    assert "no budget" in world.run(tasks.poll_admin_accounts)["ended"]
    assert world.context.cursors.get("remote:head") == "7", "the walk goes on from where it was"
    for number in range(31, 40):
        server.add(account(number))
    assert world.run(tasks.poll_admin_accounts)["ended"] == "complete"
    assert world.queued() >= {str(number) for number in range(4, 40)}


def test_the_sweep_goes_on_from_its_cursor_until_it_has_seen_all(redis):
    server = Server(*(account(n) for n in range(1, 31)))
    for _ in range(8):
        World(redis, server, sweep_pages_per_poll=1).run(tasks.poll_admin_accounts)
    assert World(redis, server).queued() == {str(number) for number in range(1, 31)}


def test_an_unchanged_account_is_not_judged_twice(redis):
    server = Server()
    one = spammer(server)
    world = World(redis, server)
    world.run(tasks.analyze_and_maybe_report, one)
    assert world.run(tasks.poll_admin_accounts)["handed_on"] == 0
    server.add(account(1, statuses=3))
    assert world.run(tasks.poll_admin_accounts)["handed_on"] == 1


def test_queue_stats_are_recorded(redis):
    world = World(redis, Server())
    world.context.jobs.analyze("5")
    world.now += 7
    world.run(tasks.record_queue_stats)
    point = world.context.history.recent("default", 10)[0]
    assert point.depth == 1
    assert point.at == world.now


@pytest.mark.parametrize("wrong", [{}, {"account_id": "a/b"}, {"account_id": "1", "more": "2"}, {"account_id": True}])
def test_a_task_takes_ids_alone(redis, wrong):
    with pytest.raises(ValueError, match=r"account_id|more"):
        TASKS["analyze_and_maybe_report"].check(wrong)


def test_the_bot_asks_who_it_is_once_a_token(redis):
    server = Server()
    asked = []
    server.me = lambda: asked.append(1) or account(999_999)
    for number in (1, 2, 3):
        World(redis, server).run(tasks.analyze_and_maybe_report, spammer(server, number))
    assert len(asked) == 1


def test_the_bot_never_reports_itself(redis):
    server = Server()
    me = spammer(server, 999_999)
    assert World(redis, server).run(tasks.analyze_and_maybe_report, me)["outcome"] == "exempt"
    assert server.reports == []


class Killed(BaseException):
    """Stands for kill -9: nothing catches it."""


class KilledAt:
    """Claims that die at a step, before or after it was carried out."""

    def __init__(self, claims, step: str, *, after: bool) -> None:
        self.claims, self.step, self.after = claims, step, after

    def __getattr__(self, name: str):
        method = getattr(self.claims, name)

        def call(*args, **kwargs):
            if name == self.step and not self.after:
                raise Killed
            result = method(*args, **kwargs)
            if name == self.step:
                raise Killed
            return result

        return call


@pytest.mark.parametrize("step", ["plan", "send", "filed"])
@pytest.mark.parametrize("after", [False, True])
def test_a_death_at_any_step_of_filing_gives_exactly_one_report(redis, step, after):
    server = Server()
    one = spammer(server)
    world = World(redis, server)
    alive = world.context
    world.context = replace(alive, claims=KilledAt(alive.claims, step, after=after))
    with pytest.raises(Killed):
        world.run(tasks.analyze_and_maybe_report, one)
    redis.delete(f"mastowatch:lock:account:{one}")  # what its short life does by itself
    world.context = alive
    world.now += 120
    assert world.run(tasks.analyze_and_maybe_report, one)["outcome"] == "filed"
    assert len(server.reports) == 1


def test_two_workers_that_both_hold_the_plan_file_once(redis):
    server = Server()
    one = spammer(server)
    world = World(redis, server)
    plan = world.context.claims.plan(one, "aaaaaaaa", START)
    world.context.claims.steady_since(START)
    assert world.context.claims.send(plan, replace(plan, state="sent", owner="first"))
    assert world.context.claims.send(plan, replace(plan, state="sent", owner="second")) is None


def test_an_account_suspended_between_poll_and_report_ends_quietly(redis):
    server = Server()
    one = spammer(server)
    server.fail = [*BEFORE_REPORT, MastodonNotFound("suspended"), MastodonNotFound("suspended")]
    world = World(redis, server)
    assert world.run(tasks.analyze_and_maybe_report, one)["outcome"] == "gone"
    assert world.context.claims.get(one).state == "failed"
    assert server.reports == []


def test_a_report_without_budget_was_not_sent_and_need_not_settle(redis):
    server = Server()
    one = spammer(server)
    server.fail = [*BEFORE_REPORT, BudgetExhausted("none left", START + 10)]
    world = World(redis, server)
    assert isinstance(world.run(tasks.analyze_and_maybe_report, one), Retry)
    world.now += 10
    assert world.run(tasks.analyze_and_maybe_report, one)["outcome"] == "filed"
    assert len(server.reports) == 1


def test_a_poll_of_the_same_origin_waits_for_its_turn_and_a_dead_one_blocks_it_for_a_minute_at_most(redis):
    world = World(redis, Server(account(1)))
    world.context.locks.acquire("poll:remote", "another", 60)
    assert world.run(tasks.poll_admin_accounts)["ended"] == "another poll of this origin runs"
    assert world.run(tasks.poll_admin_accounts_local)["ended"] == "complete"


def test_a_panic_stop_in_the_middle_of_a_judgement_stops_before_the_report(redis):
    server = Server()
    one = spammer(server)
    world = World(redis, server)
    statuses = server.account_statuses

    def panic_then_answer(account_id):
        world.context.switches.set_panic_stop(on=True, by="me", now=START)
        return statuses(account_id)

    server.account_statuses = panic_then_answer
    assert isinstance(world.run(tasks.analyze_and_maybe_report, one), Retry)
    assert server.reports == []
    world.context.switches.set_panic_stop(on=False, by="me", now=START)
    server.account_statuses = statuses
    assert world.run(tasks.analyze_and_maybe_report, one)["outcome"] == "filed"


def test_a_new_post_has_its_author_judged_and_a_private_one_is_left_alone(redis):
    server = Server()
    one = spammer(server)
    secret = replace(spam(one)[0], id="77", visibility="private")
    server.post(secret)
    world = World(redis, server)
    assert world.run(tasks.process_new_status, "77") == {"outcome": "gone"}
    assert server.reports == []
    assert world.run(tasks.process_new_status, spam(one)[0].id)["outcome"] == "filed"
    assert len(server.reports) == 1


@pytest.mark.parametrize("change", [{"dry_run": False}, {"report_threshold": 6.0}, {"exempt_domains": "other.example"}])
def test_what_was_rehearsed_is_judged_again_when_the_settings_change(redis, change):
    server = Server()
    one = spammer(server)
    rehearsing = World(redis, server, dry_run=True)
    assert rehearsing.run(tasks.analyze_and_maybe_report, one)["outcome"] == "rehearsed"
    assert rehearsing.run(tasks.poll_admin_accounts)["handed_on"] == 0
    assert World(redis, server, **{"dry_run": True, **change}).run(tasks.poll_admin_accounts)["handed_on"] == 1


def test_a_claim_that_redis_lost_while_mastodon_answered_is_written_whole(redis):
    server = Server()
    one = spammer(server)
    world = World(redis, server)
    file_report = server.file_report

    def file_and_lose_redis(request):
        redis.flushdb()
        return file_report(request)

    server.file_report = file_and_lose_redis
    assert world.run(tasks.analyze_and_maybe_report, one)["outcome"] == "filed"
    assert world.run(tasks.analyze_and_maybe_report, one)["outcome"] == "filed"
    assert len(server.reports) == 1


@pytest.mark.parametrize("cursor", ["abc", "1" * 21, "-5"])
def test_a_damaged_cursor_is_taken_for_none(redis, cursor):
    server = Server(*(account(n) for n in range(1, 9)))
    world = World(redis, server)
    world.context.cursors.set("remote:head", cursor)
    world.context.cursors.set("remote:sweep", cursor)
    assert world.run(tasks.poll_admin_accounts)["ended"] == "complete"
    assert world.queued() == {str(number) for number in range(1, 9)}
