"""The scheduler on a real redis-server, step by step: times are passed in, so nothing here waits for a clock."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from redis import Redis
from redis.exceptions import ResponseError
from rq import SimpleWorker
from rq.job import Job, Retry
from rq.rate_limit import RateLimit
from rq.registry import FailedJobRegistry, FinishedJobRegistry
from rq.serializers import JSONSerializer

from mastowatch.reliable import scheduler as module
from mastowatch.reliable.lock import OwnedLock
from mastowatch.reliable.scheduler import LAST_TICK, SKIPPED, Recurring, ReliableScheduler
from mastowatch.reliable.serializer import JsonJob, JsonQueue
from tests.redis_server import private_redis

pytestmark = pytest.mark.redis

PLANNED = "rq:scheduler:scheduled_jobs"
QUEUE = "rq:queue:default"
RECORD = "rq:job:tick"


def fail() -> None:
    raise RuntimeError("no")


def recurring(every_s: int = 30, job_id: str = "tick", **changes: object) -> Recurring:
    fields = {"queue": "default", "timeout_s": 60, "result_ttl_s": 600, "description": job_id} | changes
    return Recurring(id=job_id, func=fail, every_s=every_s, **fields)


@pytest.fixture
def a_worker(redis: Redis) -> Callable[[], None]:
    """Run what waits, in this process: what a worker writes into records matters here, not how it survives."""
    worker = SimpleWorker([JsonQueue("default", connection=redis)], connection=redis, serializer=JSONSerializer)
    worker._install_signal_handlers = lambda: None  # they would stay, in the process that runs the tests
    return lambda: worker.work(burst=True, logging_level="CRITICAL") and None


def scheduler_of(redis: Redis, *jobs: Recurring, queues: tuple[str, ...] = ("default",)) -> ReliableScheduler:
    return ReliableScheduler(redis, jobs or [recurring()], queues)


def run_out(redis: Redis) -> list[str]:
    """Do what workers do, in no time: take all that waits and mark it finished."""
    ids = [raw.decode() for raw in redis.lrange(QUEUE, 0, -1)]
    redis.delete(QUEUE)
    for job_id in ids:
        redis.hset(f"rq:job:{job_id}", "status", "finished")
    return ids


@pytest.fixture
def quiet_redis() -> Iterator[Redis]:
    """A Redis that nobody else speaks to: what is counted there is ours, whatever an earlier test has left running."""
    with private_redis() as url, Redis.from_url(url) as client:
        yield client


@contextmanager
def commands_of(redis: Redis) -> Iterator[dict[str, int]]:
    """Count what the block sends to Redis: ``calls`` as the network sees them, not those inside of scripts."""
    redis.config_resetstat()
    counted: dict[str, int] = {}
    yield counted
    stats = redis.info("commandstats")
    inside = ("evalsha", "eval", "script", "multi", "exec")
    counted["calls"] = sum(stats[f"cmdstat_{name}"]["calls"] for name in inside if f"cmdstat_{name}" in stats)
    counted["all"] = sum(one["calls"] for one in stats.values())


class TestTicks:
    def test_queue_once_plan_whole_intervals_and_skip_while_the_last_run_waits(self, redis: Redis):
        scheduler = scheduler_of(redis)
        assert scheduler.step(1000.0) == 1
        assert scheduler.next_due() == 1030
        assert redis.smembers("rq:queues") == {QUEUE.encode()}
        assert scheduler.step(1030.5) == 0
        assert redis.hget(SKIPPED, "tick") == b"1"
        assert redis.llen(QUEUE) == 1
        assert scheduler.next_due() == 1060
        run_out(redis)
        assert scheduler.step(1330.0) == 1, "one run after a pause, not a burst"
        assert scheduler.next_due() == 1360
        assert float(redis.hget(LAST_TICK, "tick")) == 1330.0

    def test_keep_to_whole_intervals_however_late_each_step_is(self, redis: Redis):
        scheduler = scheduler_of(redis, recurring(every_s=7))
        scheduler.step(1000.0)
        for number in range(1, 50):
            run_out(redis)
            assert scheduler.step(1000 + 7 * number + 0.49) == 1
            assert scheduler.next_due() == 1000 + 7 * (number + 1)

    def test_go_on_after_a_clock_that_was_ahead(self, redis: Redis):
        scheduler = scheduler_of(redis)
        scheduler.step(10_000.0)
        run_out(redis)
        for one in (scheduler, scheduler_of(redis)):
            redis.delete("rq:scheduler_lock")
            one.step(5_000.0)
            assert scheduler.next_due() <= 5_031

    def test_are_one_and_not_two_where_the_planned_time_is_no_whole_second(self, redis: Redis):
        scheduler = scheduler_of(redis)
        scheduler.step(1000.0)
        run_out(redis)
        redis.zadd(PLANNED, {"tick": 1030.7})
        assert scheduler.step(1060.6) == 1
        run_out(redis)
        assert scheduler.step(1060.65) == 0
        assert scheduler.next_due() == 1090

    @pytest.mark.parametrize("score", ["-inf", "inf", "-5", "1e300"])
    def test_go_on_from_a_planned_time_that_is_nonsense(self, redis: Redis, score):
        scheduler = scheduler_of(redis)
        scheduler.step(1000.0)
        run_out(redis)
        redis.execute_command("ZADD", PLANNED, score, "tick")
        assert scheduler.step(1001.0) == 1
        assert 1001 < scheduler.next_due() <= 1031

    def test_are_one_when_the_answer_was_lost_and_the_command_is_sent_again(self, redis: Redis):
        scheduler = scheduler_of(redis)
        scheduler.step(1000.0)
        run_out(redis)
        (one,) = scheduler.recurring
        assert scheduler._queue_one(one, 1030.0, 1030.1) == 1
        run_out(redis)  # a worker was quicker than the second try
        assert scheduler._queue_one(one, 1030.0, 1030.1) == 0
        assert redis.llen(QUEUE) == 0
        assert redis.hgetall(SKIPPED) == {}

    def test_go_on_after_redis_forgot_the_scripts(self, redis: Redis):
        scheduler = scheduler_of(redis)
        scheduler.step(1000.0)
        run_out(redis)
        redis.script_flush()
        assert scheduler.step(1030.0) == 1

    def test_cost_few_commands_while_nothing_is_due(self, quiet_redis: Redis):
        redis = quiet_redis
        scheduler = scheduler_of(redis, recurring(), recurring(job_id="tock"), queues=("high", "default", "low"))
        scheduler.step(1000.0)
        with commands_of(redis) as counted:
            for number in range(10):
                scheduler.step(1001.0 + number / 2)
        assert counted["calls"] <= 2 * 10
        assert counted["all"] <= 10 * 10, "what the scripts do inside of Redis"


class TestLastRun:
    """No second run of a job while the last one waits, is delayed, or runs, whatever its record says."""

    def skips(self, redis: Redis, scheduler: ReliableScheduler, now: float) -> bool:
        before = redis.llen(QUEUE), int(redis.hget(SKIPPED, "tick") or 0)
        queued = scheduler.step(now)
        return (queued, redis.llen(QUEUE), int(redis.hget(SKIPPED, "tick") or 0)) == (0, before[0], before[1] + 1)

    def test_that_is_in_a_workers_hand_is_not_doubled(self, redis: Redis):
        scheduler = scheduler_of(redis)
        scheduler.step(1000.0)
        redis.sadd("rq:takers", "w")
        redis.lmove(QUEUE, "rq:taken:w", "LEFT", "LEFT")
        for status in ("queued", "started", "canceled"):
            redis.hset(RECORD, "status", status)
            assert self.skips(redis, scheduler, scheduler.next_due()), status

    def test_that_goes_on_although_its_record_was_canceled_is_not_doubled(self, redis: Redis):
        scheduler = scheduler_of(redis)
        scheduler.step(1000.0)
        redis.delete(QUEUE)
        redis.hset(RECORD, "status", "canceled")  # what rq's Job.cancel does to a job that runs
        redis.zadd("rq:executions:tick", {"e": 1060})
        assert self.skips(redis, scheduler, 1030.0)
        assert scheduler.step(1061.0) == 1, "an execution that has run out holds nothing up"

    def test_whose_dependents_are_still_to_be_queued_keeps_its_record(self, redis: Redis):
        scheduler = scheduler_of(redis)
        scheduler.step(1000.0)
        run_out(redis)
        redis.hset(RECORD, "followup", "finished")
        redis.rpush("rq:followups:default", "tick")
        assert self.skips(redis, scheduler, 1030.0)
        assert redis.hget(RECORD, "followup") == b"finished"

    def test_that_waits_for_a_second_attempt_is_not_doubled(self, redis: Redis):
        scheduler = scheduler_of(redis)
        scheduler.step(1000.0)
        redis.delete(QUEUE)
        redis.hset(RECORD, "status", "scheduled")
        redis.zadd("rq:scheduled:default", {"tick": 1100})
        assert self.skips(redis, scheduler, 1030.0)
        scheduler.step(1100.0)
        assert redis.lrange(QUEUE, 0, -1) == [b"tick"]
        assert redis.zcard("rq:scheduled:default") == 0

    @pytest.mark.parametrize("status", ["queued", "started"])
    def test_that_nobody_has_holds_the_job_up_for_a_minute_and_not_for_ever(self, redis: Redis, status):
        scheduler = scheduler_of(redis)
        scheduler.step(1000.0)
        redis.delete(QUEUE)  # by hand, or by a Redis that forgot it
        redis.hset(RECORD, "status", status)
        assert [scheduler.step(now) for now in (1030.0, 1060.0, 1090.0)] == [0, 0, 1]
        assert redis.hget(SKIPPED, "tick") == b"2"
        assert redis.lrange(QUEUE, 0, -1) == [b"tick"]
        assert redis.hgetall("rq:scheduler:orphans") == {}

    def test_that_nobody_has_is_waited_for_as_long_after_a_clock_that_was_ahead(self, redis: Redis):
        scheduler = scheduler_of(redis)
        scheduler.step(1000.0)
        redis.delete(QUEUE)
        redis.hset("rq:scheduler:orphans", "tick", 9e9)
        assert [scheduler.step(now) for now in (1030.0, 1060.0, 1090.0)] == [0, 0, 1]

    def test_that_was_seen_again_is_not_given_up(self, redis: Redis):
        scheduler = scheduler_of(redis)
        scheduler.step(1000.0)
        redis.delete(QUEUE)
        scheduler.step(1030.0)
        redis.rpush(QUEUE, "tick")  # a dead worker's job was brought back
        for now in (1060.0, 1090.0, 1120.0, 1150.0):
            assert self.skips(redis, scheduler, now)

    @pytest.mark.parametrize("kind", ["failed", "finished", "canceled"])
    def test_that_has_ended_is_in_no_list_of_ended_jobs_any_more(self, redis: Redis, kind):
        scheduler = scheduler_of(redis)
        scheduler.step(1000.0)
        run_out(redis)
        redis.zadd(f"rq:{kind}:default", {"tick": 9e9, "other": 9e9})
        redis.hset(RECORD, mapping={"status": kind, "ended_at": "2026-01-01T00:00:00.000000Z"})
        redis.expire(RECORD, 60)
        assert scheduler.step(1030.0) == 1
        assert redis.zrange(f"rq:{kind}:default", 0, -1) == [b"other"]
        assert redis.ttl(RECORD) == -1

    def test_in_another_queue_of_an_older_version_is_not_doubled_and_is_cleaned_up_there(self, redis: Redis):
        scheduler_of(redis, recurring(queue="low")).step(1000.0)
        redis.delete("rq:scheduler_lock")
        scheduler = scheduler_of(redis, recurring(queue="default"))
        assert self.skips(redis, scheduler, 1030.0)
        redis.delete("rq:queue:low")
        redis.hset(RECORD, "status", "failed")
        redis.zadd("rq:failed:low", {"tick": 9e9})
        assert scheduler.step(1060.0) == 1
        assert redis.zcard("rq:failed:low") == 0
        assert redis.hget(RECORD, "origin") == b"default"


class TestRecords:
    @pytest.mark.parametrize(
        "damage",
        [
            {"description": b"\xff\xfe"},
            {"created_at": "yesterday"},
            {"timeout": "soon"},
            {"retries_left": "x"},
            {"data": b"\x80\x04garbage"},
            {"meta": b"\x80\x04garbage"},
            {"status": "odd"},
            {"status": b"\xff"},
            {"origin": b"\xff"},
        ],
    )
    def test_that_are_damaged_end_no_scheduler_and_are_written_anew(self, redis: Redis, damage):
        scheduler_of(redis).step(1000.0)
        run_out(redis)
        redis.hset(RECORD, mapping=damage)
        redis.delete("rq:scheduler_lock")
        assert scheduler_of(redis).step(1030.0) == 1
        job = JsonJob.fetch("tick", connection=redis)
        assert (job.origin, job.timeout, job.get_status(), job.func_name) == (
            "default", 60, "queued", f"{__name__}.fail",
        )  # fmt: skip

    def test_that_were_deleted_by_hand_are_written_anew_in_time(self, redis: Redis):
        scheduler = scheduler_of(redis)
        scheduler.step(1000.0)
        run_out(redis)
        redis.delete(RECORD)
        assert scheduler.step(1030.0) == 1
        assert scheduler.next_due() == 1060
        assert JsonJob.fetch("tick", connection=redis).get_status() == "queued"

    def test_of_a_wrong_type_are_replaced(self, redis: Redis):
        scheduler = scheduler_of(redis)
        scheduler.step(1000.0)
        run_out(redis)
        redis.delete(RECORD)
        redis.set(RECORD, "x")
        assert scheduler.step(1030.0) == 1
        assert redis.hget(RECORD, "status") == b"queued"

    def test_say_what_the_code_says_now_and_keep_no_result_for_ever(self, redis: Redis):
        stock = module.Scheduler(connection=redis, job_class=JsonJob, queue_class=JsonQueue)
        stock.schedule(
            module.datetime.fromtimestamp(990, module.UTC),
            fail,
            id="tick",
            interval=30,
            timeout=60,
            queue_name="default",
        )
        assert redis.hget(RECORD, "result_ttl") == b"-1"
        scheduler_of(redis, recurring(kwargs={"a": 1}, result_ttl_s=77)).step(1000.0)
        job = JsonJob.fetch("tick", connection=redis)
        assert (job.result_ttl, job.kwargs, job.meta, job.description) == (77, {"a": 1}, {"interval": 30}, "tick")

    def test_are_there_before_the_first_run_for_those_who_list_what_is_planned(self, redis: Redis):
        scheduler = scheduler_of(redis)
        assert scheduler.assert_schedules(1000.0) == ["tick"]
        assert redis.hget(RECORD, "status") == b"scheduled"
        assert [job.id for job in scheduler.get_jobs()] == ["tick"]

    def test_are_there_again_as_soon_as_a_scheduler_leads(self, redis: Redis):
        scheduler_of(redis).step(1000.0)
        run_out(redis)
        redis.delete(RECORD, "rq:scheduler_lock")
        assert scheduler_of(redis).step(1010.0) == 0
        assert redis.hget(RECORD, "status") == b"scheduled"

    def test_of_results_are_bounded_in_number_and_time(self, redis: Redis, a_worker: Callable[[], None]):
        scheduler = scheduler_of(redis, recurring(), Recurring("good", time.time, "default", 30, 60, 600, "good"))
        for number in range(12):
            scheduler.step(1000.0 + 30 * number)
            a_worker()
        for job_id, registry in (("tick", FailedJobRegistry), ("good", FinishedJobRegistry)):
            job = JsonJob.fetch(job_id, connection=redis)
            assert job.get_status() == ("failed" if job_id == "tick" else "finished")
            assert redis.xlen(f"rq:results:{job_id}") == 10, "of twelve"
            assert 0 < redis.ttl(f"rq:results:{job_id}") <= 600
            assert 0 < redis.ttl(f"rq:job:{job_id}") <= 600
            assert registry("default", connection=redis).get_job_ids(cleanup=False) == [job_id]


class TestPlan:
    def test_is_asserted_at_the_start_and_leaves_what_is_not_ours_alone(self, redis: Redis):
        scheduler = scheduler_of(redis)
        scheduler.step(1000.0)
        redis.delete(PLANNED, RECORD)
        redis.zadd(PLANNED, {"foreign": 5})
        assert scheduler.assert_schedules(1100.0) == ["tick"]
        assert redis.zscore(PLANNED, "foreign") == 5
        scheduler.step(1200.0)
        assert redis.zscore(PLANNED, "foreign") == 5

    def test_is_missed_at_the_very_next_step(self, redis: Redis):
        scheduler = scheduler_of(redis, recurring(), recurring(job_id="tock"))
        scheduler.step(1000.0)
        run_out(redis)
        redis.zrem(PLANNED, "tock")
        assert scheduler.step(1000.5) == 1
        assert redis.lrange(QUEUE, 0, -1) == [b"tock"]
        redis.flushdb()
        assert scheduler.step(1001.0) == 2

    def test_keeps_its_times_over_a_restart(self, redis: Redis):
        scheduler_of(redis).step(1000.0)
        redis.delete("rq:scheduler_lock")
        again = scheduler_of(redis)
        assert again.assert_schedules(1010.0) == []
        assert again.step(1010.0) == 0
        assert again.next_due() == 1030

    def test_follows_an_interval_that_was_shortened_or_lengthened(self, redis: Redis):
        scheduler_of(redis, recurring(every_s=300)).step(1000.0)
        run_out(redis)
        redis.delete("rq:scheduler_lock")
        shorter = scheduler_of(redis, recurring(every_s=10))
        assert shorter.step(1001.0) == 1
        assert shorter.next_due() == 1011
        run_out(redis)
        redis.delete("rq:scheduler_lock")
        longer = scheduler_of(redis, recurring(every_s=300))
        assert longer.step(1011.0) == 1
        assert longer.next_due() == 1311

    def test_made_anew_queues_no_job_twice_in_a_race(self, redis: Redis):
        """POST /jobs/scheduled/reschedule comes from another process, at any moment."""
        leader, other = scheduler_of(redis, recurring(every_s=1)), scheduler_of(redis, recurring(every_s=1))
        ended = threading.Event()
        failures: list[Exception] = []

        def reschedule() -> None:
            try:
                while not ended.is_set():
                    other.assert_schedules(time.time(), afresh=True)
            except Exception as error:  # noqa: BLE001 -- told to the test
                failures.append(error)

        thread = threading.Thread(target=reschedule)
        thread.start()
        try:
            longest = 0
            for number in range(600):
                leader.step(time.time())
                longest = max(longest, redis.llen(QUEUE))
                if number % 3 == 0:
                    run_out(redis)
        finally:
            ended.set()
            thread.join()
        assert failures == []
        assert longest == 1

    def test_is_not_for_two_jobs_of_one_name_nor_for_an_interval_of_nothing(self, redis: Redis):
        with pytest.raises(ValueError, match="tick"):
            scheduler_of(redis, recurring(), recurring())
        with pytest.raises(ValueError, match="every_s"):
            scheduler_of(redis, recurring(every_s=0))

    def test_is_not_served_by_the_lossy_loop_of_rq_scheduler(self, redis: Redis):
        with pytest.raises(NotImplementedError, match="step"):
            scheduler_of(redis).run()


class TestPause:
    def test_lets_ticks_pass_planned_on_and_uncounted_until_it_ends(self, redis: Redis):
        scheduler = scheduler_of(redis, recurring(), recurring(job_id="tock"))
        scheduler.pause("tick")
        for now in (1000.0, 1030.0, 1060.0):
            assert scheduler.step(now) == 1
            assert run_out(redis) == ["tock"]
            assert redis.zscore(PLANNED, "tick") == now + 30
        assert redis.hgetall(SKIPPED) == {}
        scheduler.resume("tick")
        assert scheduler.step(1061.0) == 0, "from the next tick on"
        assert scheduler.step(1090.0) == 2

    def test_outlives_restarts_and_a_plan_made_anew(self, redis: Redis):
        scheduler_of(redis).pause("tick")
        again = scheduler_of(redis)
        again.assert_schedules(1000.0, afresh=True)
        assert again.step(1000.0) == 0
        redis.delete(PLANNED)
        assert again.step(1001.0) == 0
        assert again.next_due() == 1031

    def test_leaves_a_run_that_waits_where_it_is(self, redis: Redis):
        scheduler = scheduler_of(redis)
        scheduler.step(1000.0)
        scheduler.pause("tick")
        scheduler.step(1030.0)
        assert redis.lrange(QUEUE, 0, -1) == [b"tick"]

    def test_may_be_asked_for_twice(self, redis: Redis):
        scheduler = scheduler_of(redis)
        for act in (scheduler.pause, scheduler.pause, scheduler.resume, scheduler.resume):
            act("tick")
        assert scheduler.step(1000.0) == 1

    def test_refuses_a_job_that_is_not_ours_and_names_ours(self, redis: Redis):
        scheduler = scheduler_of(redis)
        for act in (scheduler.pause, scheduler.resume):
            with pytest.raises(LookupError, match=r"'foreign'.*tick"):
                act("foreign")
        assert redis.dbsize() == 0


class TestLead:
    def test_goes_to_the_standby_when_the_first_lets_go(self, redis: Redis):
        first, second = scheduler_of(redis), scheduler_of(redis)
        first.step(1000.0)
        second.step(1000.0)
        assert (first.leading, second.leading) == (True, False)
        first.leave()
        second.step(1001.0)
        assert second.leading
        assert redis.keys("rq:scheduler_instance:*") == [second.key.encode()]

    def test_goes_to_the_standby_when_the_lock_runs_out(self, redis: Redis):
        first, second = scheduler_of(redis), scheduler_of(redis)
        first.step(1000.0)
        began = time.monotonic()
        left_s = redis.pttl("rq:scheduler_lock") / 1000
        assert 0 < left_s <= 3.0, "a standby looks twice a second and must lead within five"
        looks_in_vain = -1
        while not second.leading:
            looks_in_vain += not redis.exists("rq:scheduler_lock")
            second.step(1000.0)
            time.sleep(0.05)
        assert looks_in_vain < 1, "it leads from the first look on at which nobody does"
        assert time.monotonic() - began > left_s - 0.1, "and not before"

    def test_that_was_lost_unnoticed_changes_nothing(self, redis: Redis, monkeypatch):
        """The leader was stopped right after it had asked for the lock, and goes on where it was, with its old time."""
        first, second = scheduler_of(redis), scheduler_of(redis)
        first.step(1000.0)
        run_out(redis)
        redis.delete("rq:scheduler_lock")
        assert second.step(1100.0) == 1
        run_out(redis)
        before = redis.zrange(PLANNED, 0, -1, withscores=True)
        for now in (1030.0, 1060.0, 1200.0):
            monkeypatch.setattr(first._lock, "hold", lambda: True)
            assert first.step(now) == 0
            assert redis.zrange(PLANNED, 0, -1, withscores=True) == before
        assert redis.llen(QUEUE) == 0
        assert not first.leading

    def test_is_not_taken_with_a_time_that_is_long_past(self, redis: Redis, monkeypatch):
        """The process was stopped between reading the clock and getting the lock."""
        scheduler = scheduler_of(redis, recurring(every_s=1))
        scheduler.step(1000.0)
        run_out(redis)
        hold = scheduler._lock.hold

        def slowly() -> bool:
            time.sleep(1.2)
            return hold()

        monkeypatch.setattr(scheduler._lock, "hold", slowly)
        assert scheduler.step(1000.9) == 1
        assert scheduler.next_due() == 1003

    def test_is_not_barred_by_a_lock_that_would_never_run_out(self, redis: Redis):
        redis.set("rq:scheduler_lock", "left by hand")
        scheduler = scheduler_of(redis)
        scheduler.step(1000.0)
        assert not scheduler.leading
        assert 0 < redis.pttl("rq:scheduler_lock") <= module.LOCK_S * 1000

    def test_is_left_alone_by_a_release_that_comes_too_late(self, redis: Redis):
        first, second = (OwnedLock(redis, "lock", name, 5.0) for name in ("first", "second"))
        assert (first.hold(), second.hold()) == (True, False)
        redis.delete("lock")
        assert (second.hold(), first.hold()) == (True, False)
        first.release()
        assert redis.get("lock") == b"second"

    def test_shows_in_a_registration_that_runs_out(self, redis: Redis):
        scheduler = scheduler_of(redis)
        for now in (1000.0, 1030.0, 990.0):
            redis.delete(scheduler.key)
            scheduler.step(now)
            assert 0 < redis.ttl(scheduler.key) <= 60


def delayed(redis: Redis, due: float = 2000, queue: str = "default", **options: object) -> Job:
    job = JsonQueue(queue, connection=redis).enqueue(fail, **options)
    redis.delete(f"rq:queue:{queue}")
    redis.hset(job.key, "status", "scheduled")
    redis.zadd(f"rq:scheduled:{queue}", {job.id: due})
    return job


class TestDelayed:
    def test_come_back_to_their_queue_in_time(self, redis: Redis):
        job = delayed(redis)
        scheduler = scheduler_of(redis, recurring(queue="low"))
        scheduler.step(1999.0)
        assert redis.llen(QUEUE) == 0
        assert scheduler.step(2000.0) == 1
        assert redis.lrange(QUEUE, 0, -1) == [job.id.encode()]
        assert JsonJob.fetch(job.id, connection=redis).get_status() == "queued"
        assert json.loads(redis.hget(job.key, "meta") or b"{}") == {}

    def test_come_back_many_in_one_call(self, quiet_redis: Redis):
        redis = quiet_redis
        jobs = [delayed(redis, due=1000 + number) for number in range(1200)]
        scheduler = scheduler_of(redis, recurring(queue="low"))
        scheduler.step(900.0)
        with commands_of(redis) as counted:
            assert scheduler.step(2500.0) == 1200
        assert counted["calls"] <= 8, "three of them for the 1,200"
        assert redis.lrange(QUEUE, 0, -1) == [job.id.encode() for job in jobs], "in the order of their times"

    def test_come_back_once_whoever_else_releases_them(self, redis: Redis):
        delayed(redis)
        first, second = scheduler_of(redis, recurring(queue="low")), scheduler_of(redis, recurring(queue="low"))
        assert [one._release_delayed(2000.0) for one in (first, second)] == [1, 0]
        assert redis.llen(QUEUE) == 1

    @pytest.mark.parametrize("status", ["canceled", "finished", "queued", None])
    def test_that_are_over_or_gone_are_dropped(self, redis: Redis, status):
        job = delayed(redis)
        redis.hset(job.key, "status", status) if status else redis.delete(job.key)
        scheduler_of(redis, recurring(queue="low")).step(2000.0)
        assert redis.zcard("rq:scheduled:default") == redis.llen(QUEUE) == 0

    def test_are_not_held_up_by_one_that_is_damaged(self, redis: Redis):
        redis.zadd("rq:scheduled:default", {b"\xff\xfe": 1, "string": 2})
        redis.set("rq:job:string", "x")
        good = delayed(redis)
        scheduler_of(redis, recurring(queue="low")).step(2000.0)
        assert redis.lrange(QUEUE, 0, -1) == [good.id.encode()]
        assert redis.zcard("rq:scheduled:default") == 0

    def test_of_a_queue_that_is_not_ours_are_left_to_whoever_serves_it(self, redis: Redis):
        job = delayed(redis, queue="theirs")
        scheduler_of(redis).step(2000.0)
        assert redis.zscore("rq:scheduled:theirs", job.id) == 2000
        assert redis.llen("rq:queue:theirs") == 0

    def test_of_a_recurring_jobs_queue_come_back_even_if_it_was_not_named(self, redis: Redis):
        job = delayed(redis, queue="extra")
        scheduler_of(redis, recurring(queue="extra")).step(2000.0)
        assert job.id.encode() in redis.lrange("rq:queue:extra", 0, -1)

    def test_go_to_the_front_where_rq_would_put_them_there(self, redis: Redis):
        plain = delayed(redis, due=1)
        front = delayed(redis, due=2)
        redis.hset(front.key, "enqueue_at_front", 1)
        retry = delayed(redis, due=3, retry=Retry(max=3, interval=10, enqueue_at_front=True))
        redis.hset(retry.key, "ended_at", "2026-01-01T00:00:00.000000Z")
        unrun = delayed(redis, due=4, retry=Retry(max=3, interval=10, enqueue_at_front=True))
        scheduler_of(redis, recurring(queue="low")).step(2000.0)
        order = [retry, front, plain, unrun]
        assert redis.lrange(QUEUE, 0, -1) == [job.id.encode() for job in order]

    def test_with_a_rate_limit_keep_to_it(self, redis: Redis):
        queue = JsonQueue("default", connection=redis)
        jobs = [queue.enqueue(fail, rate_limit=RateLimit("one at a time", 1)) for _ in range(2)]
        redis.delete(QUEUE, "rq:rl:one at a time:allowed", "rq:rl:one at a time:rate_limited")
        for job in jobs:
            redis.hset(job.key, "status", "scheduled")
            redis.zadd("rq:scheduled:default", {job.id: 2000 + jobs.index(job)})
        scheduler_of(redis, recurring(queue="low")).step(2001.0)
        assert redis.lrange(QUEUE, 0, -1) == [jobs[0].id.encode()]
        assert [job.get_status(refresh=True) for job in jobs] == ["queued", "rate_limited"]

    def test_live_no_longer_on_their_queue_than_their_ttl(self, redis: Redis):
        job = delayed(redis, ttl=50)
        redis.persist(job.key)
        scheduler_of(redis, recurring(queue="low")).step(2000.0)
        assert 0 < redis.ttl(job.key) <= 50


class TestTrouble:
    def test_a_foreign_id_that_is_no_text_ends_no_scheduler(self, redis: Redis):
        redis.zadd(PLANNED, {b"\xff\xfe": 1})
        assert scheduler_of(redis).step(1000.0) == 1
        assert redis.zscore(PLANNED, b"\xff\xfe") == 1

    def test_a_queue_key_of_a_wrong_type_leaves_no_record_that_lies(self, redis: Redis):
        redis.set(QUEUE, "x")
        scheduler = scheduler_of(redis)
        with pytest.raises(ResponseError):
            scheduler.step(1000.0)
        assert redis.hget(RECORD, "status") == b"scheduled"
        redis.delete(QUEUE)
        assert scheduler.step(1030.0) == 1

    def test_full_memory_takes_nothing_and_loses_nothing(self, redis: Redis):
        scheduler = scheduler_of(redis)
        scheduler.step(1000.0)
        run_out(redis)
        job = delayed(redis, due=1030)
        redis.config_set("maxmemory", 1)
        try:
            for now in (1030.0, 1060.0):
                with pytest.raises(ResponseError):
                    scheduler.step(now)
        finally:
            redis.config_set("maxmemory", 0)
        assert scheduler.step(1090.5) == 2
        assert redis.lrange(QUEUE, 0, -1) == [b"tick", job.id.encode()]
        assert scheduler.next_due() == 1120
