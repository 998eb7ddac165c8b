"""All that people may do, on a real redis-server: what each leaves in Redis and in the audit, and what it refuses."""

from __future__ import annotations

import time

import pytest
from redis import Redis
from rq.job import Job, JobStatus, Retry
from rq.rate_limit import RateLimit
from rq.results import Result

from mastowatch.config import Loaded, Settings
from mastowatch.jobs import bulk
from mastowatch.jobs import context as contexts
from mastowatch.jobs.actions import Actions
from mastowatch.jobs.context import View
from mastowatch.jobs.listing import JobFilter
from mastowatch.jobs.recurrence import recurring_rows
from mastowatch.jobs.refusals import BadParameter, Unknown, WrongState
from mastowatch.jobs.scheduler import get_scheduler, recurring_jobs
from mastowatch.jobs.switches import read_switches
from mastowatch.reliable.facts import queue_facts
from mastowatch.reliable.serializer import JsonJob, JsonQueue
from tests.engine import attempts, end_all, fail, leftovers, note, notes, start, wait
from tests.left_jobs import LeftJob, leave

pytestmark = pytest.mark.redis

BY = "alice on the dashboard"
TASK = "mastowatch.jobs.tasks.record_queue_stats"
STATS = "record_queue_stats"
WAITING = ("queued", "scheduled", "deferred", "ready_to_enqueue", "rate_limited")
ENDED = ("finished", "failed", "stopped", "canceled")


@pytest.fixture
def view(redis: Redis) -> View:
    return contexts.view(Loaded(Settings(), {}), redis)


@pytest.fixture
def actions(view: View) -> Actions:
    return Actions(view, BY)


@pytest.fixture(autouse=True)
def no_worker_stays():
    yield
    end_all()


def put(redis: Redis, job_id: str = "one", queue: str = "default", **options: object) -> Job:
    return JsonQueue(queue, connection=redis).enqueue(TASK, job_id=job_id, **options)


def put_in(redis: Redis, status: str, job_id: str = "one", queue: str = "default") -> Job:
    """Leave a job in Redis as RQ leaves one of that status."""
    job = put(redis, job_id, queue)
    if status == "queued":
        return job
    redis.lrem(f"rq:queue:{queue}", 0, job_id)
    job.set_status(JobStatus(status))
    now = int(time.time())
    where = {
        "stopped": (f"rq:failed:{queue}", job_id, now + 60),
        "ready_to_enqueue": (f"rq:ready:{queue}", job_id, now),
        "rate_limited": ("rq:rl:all:rate_limited", job_id, now),
    }
    key, member, score = where.get(status, (f"rq:{status}:{queue}", job_id, now + 60))
    redis.zadd(key, {member: score})
    if status == "rate_limited":
        redis.sadd("rq:rl-keys", "all")
        redis.hset(f"rq:job:{job_id}", "rate_limit_key", "all")
    return job


def queued(redis: Redis, queue: str = "default") -> list[str]:
    return [raw.decode() for raw in redis.lrange(f"rq:queue:{queue}", 0, -1)]


def trail(view: View) -> list[tuple[str, str]]:
    """Return what people have done, newest first: (what, to what). All by whom this test acts for."""
    entries = [one for one in view.audit.recent(100) if one.event == "action"]
    assert {one.by for one in entries} <= {BY}
    return [(one.outcome, one.why) for one in entries]


def keys_about(redis: Redis, job_id: str) -> list[bytes]:
    """Return the keys that name the job, and the lists and sets that have it."""
    found = [key for key in redis.keys(f"*{job_id}*") if not key.startswith(b"mastowatch:")]
    for key in redis.keys("rq:*"):
        kind = redis.type(key)
        members = {
            b"list": lambda key=key: redis.lrange(key, 0, -1),
            b"zset": lambda key=key: redis.zrange(key, 0, -1),
            b"set": lambda key=key: redis.smembers(key),
        }.get(kind, tuple)()
        found += [key for one in members if job_id.encode() in one]
    return found


class TestDelete:
    @pytest.mark.parametrize("status", [*WAITING, *ENDED])
    def test_leaves_nothing_of_a_job_in_any_list(self, redis: Redis, view: View, actions: Actions, status):
        job = put_in(redis, status)
        put(redis, "other")
        Result.create_failure(job, 600, exc_string="Traceback")
        redis.sadd("rq:job:one:dependents", "x")
        redis.sadd("rq:job::one:dependencies", "y")
        actions.delete("one")
        assert keys_about(redis, "one") == []
        assert queued(redis) == ["other"]
        assert trail(view) == [("deleted", "job one")]

    def test_leaves_nothing_in_a_group_or_a_rate_limit(self, redis: Redis, actions: Actions):
        put(redis)
        redis.hset("rq:job:one", "group_id", "wave")
        redis.sadd("rq:group:wave", "one")
        put(redis, "two", rate_limit=RateLimit("api", 1))
        put(redis, "held", rate_limit=RateLimit("api", 1))
        for job_id in ("one", "two", "held"):
            actions.delete(job_id)
            assert keys_about(redis, job_id) == []

    def test_refuses_a_running_job_and_lets_it_end(self, redis, view: View, actions: Actions, redis_server: str):
        job = JsonQueue("default", connection=redis).enqueue(note, redis_server, "x", 1.0, job_id="one")
        process = start(redis_server, ["default"], max_jobs=1)
        wait(lambda: notes(redis) == ["begin x"])
        with pytest.raises(WrongState, match="cancel it first"):
            actions.delete("one")
        process.join(60)
        assert job.get_status(refresh=True) == "finished"
        assert trail(view) == []

    def test_takes_what_says_that_it_runs_and_nobody_has(self, redis: Redis, actions: Actions):
        put_in(redis, "started")
        redis.zadd("rq:executions:one", {"run": 1})
        redis.zadd("rq:wip:default", {"one:run": 1})
        redis.hset("rq:execution:one:run", "id", "run")
        actions.delete("one")
        assert [key for key in keys_about(redis, "one") if key != b"rq:started:default"] == []

    def test_refuses_a_recurring_job_whatever_it_does(self, redis: Redis, view: View, actions: Actions):
        scheduler = get_scheduler(redis, view.settings)
        scheduler.assert_schedules(time.time())
        with pytest.raises(WrongState, match="recurs"):
            actions.delete(STATS)
        scheduler.step(time.time())
        with pytest.raises(WrongState, match="recurs"):
            actions.delete(STATS)
        assert queued(redis, "high").count(STATS) == 1

    def test_waits_until_what_follows_an_end_is_done(self, redis: Redis, actions: Actions):
        put_in(redis, "finished")
        redis.hset("rq:job:one", "followup", "finished")
        with pytest.raises(WrongState, match="follow"):
            actions.delete("one")

    @pytest.mark.parametrize("job_id", ["nope", "a:b", "", "one\n"])
    def test_knows_no_other(self, actions: Actions, job_id):
        with pytest.raises(Unknown):
            actions.delete(job_id)


class TestCancel:
    def test_really_stops_what_runs(self, redis: Redis, view: View, actions: Actions, redis_server: str):
        queue = JsonQueue("default", connection=redis)
        job = queue.enqueue(note, redis_server, "x", 60.0, job_id="one", retry=Retry(3))
        after = queue.enqueue(note, redis_server, "y")
        start(redis_server, ["default"])
        wait(lambda: notes(redis) == ["begin x"])
        assert actions.cancel("one") == "stopping"
        wait(lambda: job.get_status(refresh=True) == "stopped")
        wait(lambda: after.get_status(refresh=True) == "finished")
        assert notes(redis) == ["begin x", "begin y", "end y"]
        assert [kind for kind, _ in attempts(redis, "one")] == ["FAILED"]
        assert trail(view) == [("told to stop", "job one")]

    def test_says_what_it_did_to_what_waits(self, redis: Redis, view: View, actions: Actions):
        put(redis)
        assert actions.cancel("one") == "canceled"
        actions.requeue("one")
        assert trail(view) == [("queued again", "job one"), ("canceled", "job one")]


class TestRunNow:
    def test_brings_what_waits_to_the_front(self, redis: Redis, view: View, actions: Actions):
        for job_id in ("a", "b", "c"):
            put(redis, job_id)
        actions.run_now("c")
        assert queued(redis) == ["c", "a", "b"]
        assert trail(view) == [("run now", "job c")]

    def test_brings_what_is_delayed_to_the_front(self, redis: Redis, actions: Actions):
        put(redis, "a")
        put_in(redis, "scheduled")
        actions.run_now("one")
        assert queued(redis) == ["one", "a"]
        assert redis.zcard("rq:scheduled:default") == 0
        job = JsonJob.fetch("one", connection=redis)
        assert (job.get_status(), abs(job.enqueued_at.timestamp() - time.time()) < 60) == ("queued", True)

    def test_keeps_to_a_rate_limit(self, redis: Redis, actions: Actions):
        put(redis, "first", rate_limit=RateLimit("api", 1))
        put_in(redis, "scheduled")
        redis.hset("rq:job:one", mapping={"rate_limit_key": "api", "rate_limit_concurrency": 1})
        actions.run_now("one")
        assert queued(redis) == ["first"]
        assert redis.hget("rq:job:one", "status") == b"rate_limited"

    @pytest.mark.parametrize(("status", "why"), [("deferred", "other jobs"), ("rate_limited", "rate limit")])
    def test_refuses_what_waits_for_others(self, redis: Redis, actions: Actions, status, why):
        put_in(redis, status)
        with pytest.raises(WrongState, match=why):
            actions.run_now("one")
        assert queued(redis) == []

    @pytest.mark.parametrize("status", ENDED)
    def test_refuses_what_has_ended(self, redis: Redis, actions: Actions, status):
        put_in(redis, status)
        with pytest.raises(WrongState, match=status):
            actions.run_now("one")

    def test_leaves_what_is_being_taken(self, redis: Redis, actions: Actions):
        put(redis)
        redis.lmove("rq:queue:default", "rq:taken:w", "LEFT", "LEFT")
        with pytest.raises(WrongState):
            actions.run_now("one")
        assert queued(redis) == []

    def test_gives_a_recurring_job_one_run_beside_its_plan(self, redis: Redis, view: View, actions: Actions):
        scheduler = get_scheduler(redis, view.settings)
        scheduler.step(time.time())
        planned = redis.zscore("rq:scheduler:scheduled_jobs", STATS)
        redis.delete("rq:queue:high")
        redis.hset(f"rq:job:{STATS}", "status", "finished")
        actions.run_now(STATS)
        assert queued(redis, "high") == [STATS]
        assert redis.zscore("rq:scheduler:scheduled_jobs", STATS) == planned
        put(redis, "before", "high")
        actions.run_now(STATS)  # it waits: not twice, but sooner
        assert queued(redis, "high") == [STATS, "before"]
        with pytest.raises(WrongState, match="still waits or runs"):
            actions.run_recurring(STATS)
        assert trail(view)[0] == ("run now", f"job {STATS}")
        assert trail(view)[1] == ("run now", f"recurring job {STATS}")

    def test_runs_a_recurring_job_that_is_paused_or_was_never_planned(self, redis: Redis, actions: Actions):
        actions.pause_recurring(STATS)
        assert actions.run_recurring(STATS) == STATS
        assert queued(redis, "high") == [STATS]
        assert redis.zcard("rq:scheduler:scheduled_jobs") == 0

    def test_a_tick_that_meets_the_run_leaves_it_out(self, redis: Redis, view: View, actions: Actions):
        now = time.time()
        scheduler = get_scheduler(redis, view.settings)
        scheduler.assert_schedules(now)
        actions.run_recurring(STATS)
        scheduler.step(now + 61)
        assert queued(redis, "high").count(STATS) == 1

    def test_knows_no_other_recurring_job(self, actions: Actions):
        for act in (actions.run_recurring, actions.pause_recurring, actions.resume_recurring):
            with pytest.raises(Unknown, match=STATS):
                act("analyze_and_maybe_report")


class TestBulk:
    def test_counts_before_it_does(self, redis: Redis, view: View, actions: Actions):
        for number in range(5):
            put_in(redis, "failed", f"f{number}")
        put(redis)
        counted = actions.bulk("requeue", JobFilter(status="failed"), dry_run=True)
        assert (counted.matched, counted.done, counted.skipped, counted.left) == (5, 0, 0, False)
        assert queued(redis) == ["one"]
        assert trail(view) == []
        done = actions.bulk("requeue", JobFilter(status="failed"), dry_run=False)
        assert (done.matched, done.done, done.skipped, done.left) == (5, 5, 0, False)
        assert sorted(queued(redis)) == ["f0", "f1", "f2", "f3", "f4", "one"]
        assert trail(view) == [("queued again in bulk", "5 jobs with status failed")]

    def test_deletes_more_than_one_step_can(self, redis: Redis, actions: Actions):
        for number in range(bulk._PART * 2 + 7):
            put(redis, f"j{number}")
        done = actions.bulk("delete", JobFilter(queue="default"), dry_run=False)
        assert (done.matched, done.done, done.left) == (207, 207, False)
        assert redis.keys("rq:job:*") == []

    def test_skips_what_it_may_not_touch(self, redis: Redis, view: View, actions: Actions):
        get_scheduler(redis, view.settings).step(time.time())
        recurring = sum(len(queued(redis, queue)) for queue in ("high", "default", "low"))
        put(redis)
        done = actions.bulk("delete", JobFilter(status="queued"), dry_run=False)
        assert (done.matched, done.done, done.skipped) == (recurring + 1, 1, recurring)

    def test_skips_what_moved_after_it_was_found(self, redis: Redis, actions: Actions, monkeypatch):
        put_in(redis, "failed", "a")
        put_in(redis, "failed", "b")
        found = bulk.matching_ids

        def then_a_worker_was_quicker(*args, **options):
            answer = found(*args, **options)
            actions.requeue("a")
            return answer

        monkeypatch.setattr(bulk, "matching_ids", then_a_worker_was_quicker)
        done = actions.bulk("requeue", JobFilter(status="failed"), dry_run=False)
        assert (done.matched, done.done, done.skipped) == (2, 1, 1)
        assert queued(redis) == ["a", "b"]

    def test_is_bounded_and_goes_on_where_it_is_asked_again(self, redis: Redis, actions: Actions, monkeypatch):
        monkeypatch.setattr(bulk, "JOBS_MAX", 10)
        monkeypatch.setattr(bulk, "SCAN_PART", 10)
        for number in range(25):
            put_in(redis, "failed", f"f{number}")
        wanted, cursor, left = JobFilter(status="failed"), None, True
        done = 0
        for _ in range(10):
            answer = actions.bulk("delete", wanted, dry_run=False, cursor=cursor)
            done, cursor, left = done + answer.done, answer.next_cursor, answer.left
            if not left:
                break
        assert (done, left, redis.zcard("rq:failed:default")) == (25, False, 0)

    def test_gets_past_what_it_can_not_change(self, redis: Redis, view: View, actions: Actions, monkeypatch):
        monkeypatch.setattr(bulk, "SCAN_MAX", 3)
        monkeypatch.setattr(bulk, "SCAN_PART", 3)
        for number in range(9):
            put_in(redis, "failed", f"f{number}")
            redis.hset(f"rq:job:f{number}", "followup", "failed")
        put_in(redis, "stopped", "last")
        redis.zadd("rq:failed:default", {"last": 1})  # the oldest, so that it is looked at last
        cursor = None
        for _ in range(20):
            answer = actions.bulk("delete", JobFilter(queue="default"), dry_run=False, cursor=cursor)
            cursor = answer.next_cursor
            if not answer.left:
                break
        assert not redis.exists("rq:job:last")
        assert redis.zcard("rq:failed:default") == 9

    def test_stops_what_runs(self, redis: Redis, actions: Actions, redis_server: str):
        queue = JsonQueue("default", connection=redis)
        jobs = [queue.enqueue(note, redis_server, "x", 60.0), queue.enqueue(note, redis_server, "y", 60.0)]
        start(redis_server, ["default"])
        wait(lambda: notes(redis) == ["begin x"])
        done = actions.bulk("cancel", JobFilter(function="note"), dry_run=False)
        assert (done.matched, done.done) == (2, 2)
        wait(lambda: {job.get_status(refresh=True).value for job in jobs} == {"stopped", "canceled"})

    def test_says_nothing_of_texts_in_the_audit(self, redis: Redis, view: View, actions: Actions):
        put_in(redis, "failed", "secretive")
        actions.bulk("delete", JobFilter(text="secretive", status="failed"), dry_run=False)
        assert trail(view) == [("deleted in bulk", "1 job with status failed, text ...")]

    def test_says_nothing_of_the_failures_that_are_meant_in_the_audit(self, redis: Redis, view: View, actions: Actions):
        leave(redis, LeftJob("bad", "failed", "low", error="ValueError: alice@example.org"))
        actions.bulk("delete", JobFilter(failure="ValueError: alice@example.org"), dry_run=False)
        assert trail(view) == [("deleted in bulk", "1 job with failure ...")]

    def test_refuses_what_is_no_filter(self, actions: Actions):
        with pytest.raises(BadParameter):
            actions.bulk("delete", JobFilter(status="nope"), dry_run=True)


class TestEmptyFailed:
    def test_deletes_failed_and_stopped_jobs_and_no_other(self, redis: Redis, view: View, actions: Actions):
        for number in range(1203):
            put_in(redis, "failed" if number % 2 else "stopped", f"f{number}", "low" if number % 3 else "high")
        put_in(redis, "finished", "stays")
        put(redis, "waits", "low")
        redis.zadd("rq:failed:low", {"waits": 1, "gone": 1})  # entries that are not true any more
        counted = actions.empty_failed(None, dry_run=True)
        assert (counted.matched, counted.done, counted.left) == (1205, 0, False)
        done = actions.empty_failed("low")
        assert (done.matched, done.done, done.left) == (804, 804, False)
        assert redis.zcard("rq:failed:high") == 401
        assert actions.empty_failed(None).done == 401
        assert sorted(redis.keys("rq:job:*")) == [b"rq:job:stays", b"rq:job:waits"]
        assert trail(view) == [
            ("emptied of failed jobs", "all queues: 401 jobs"),
            ("emptied of failed jobs", "queue low: 804 jobs"),
        ]

    def test_leaves_a_recurring_job_and_gets_past_it(self, redis: Redis, view: View, actions: Actions):
        get_scheduler(redis, view.settings).assert_schedules(time.time())
        redis.hset(f"rq:job:{STATS}", "status", "failed")
        redis.zadd("rq:failed:high", {STATS: 1})
        for number in range(bulk.EMPTY_PART + 1):
            put_in(redis, "failed", f"f{number}", "high")
        done = actions.empty_failed("high")
        assert (done.done, done.skipped, done.left) == (bulk.EMPTY_PART + 1, 1, False)
        assert redis.zrange("rq:failed:high", 0, -1) == [STATS.encode()]

    def test_knows_no_other_queue(self, actions: Actions):
        with pytest.raises(Unknown, match="high"):
            actions.empty_failed("nope")


class TestQueues:
    def test_say_who_paused_them_and_when(self, redis: Redis, view: View, actions: Actions):
        actions.pause_queue("low")
        Actions(view, "bob").pause_queue("low")  # it is paused already: nothing changes
        (facts,) = queue_facts(redis, ["low"], time.time())
        assert facts.paused is not None
        assert (facts.paused.by, abs(facts.paused.at - time.time()) < 60) == (BY, True)
        assert [one.queue for one in read_switches(view).paused_queues] == ["low"]
        actions.resume_queue("low")
        actions.resume_queue("low")
        assert queue_facts(redis, ["low"], time.time())[0].paused is None
        assert trail(view) == [("resumed", "queue low"), ("paused", "queue low")]

    @pytest.mark.parametrize("name", ["pause_queue", "resume_queue"])
    def test_are_known_by_name(self, actions: Actions, name):
        with pytest.raises(Unknown, match="default"):
            getattr(actions, name)("nope")


class TestRecurring:
    def rows(self, redis: Redis, view: View):
        return {row.id: row for row in recurring_rows(redis, recurring_jobs(view.settings), time.time())}

    def test_interval_holds_from_the_next_step_on_and_over_restarts(self, redis: Redis, view: View, actions: Actions):
        now = time.time()
        scheduler = get_scheduler(redis, view.settings)
        scheduler.step(now)
        actions.set_interval(STATS, 5)
        scheduler.step(now + 1)  # the next run was further off than it may be now
        assert redis.zscore("rq:scheduler:scheduled_jobs", STATS) <= now + 6
        row = self.rows(redis, view)[STATS]
        assert (row.interval_s, row.default_interval_s, row.changed_by) == (5, 60, BY)
        assert row.changed_at is not None
        scheduler.leave()
        another = get_scheduler(redis, view.settings)
        another.step(now + 10)
        assert now + 10 < redis.zscore("rq:scheduler:scheduled_jobs", STATS) <= now + 15
        actions.set_interval(STATS, None)
        row = self.rows(redis, view)[STATS]
        assert (row.interval_s, row.changed_by, row.changed_at) == (60, None, None)
        another.step(now + 20)
        assert redis.zscore("rq:scheduler:scheduled_jobs", STATS) > now + 60
        assert trail(view) == [
            ("interval changed", f"recurring job {STATS}: as in the settings"),
            ("interval changed", f"recurring job {STATS}: every 5 s"),
        ]

    @pytest.mark.parametrize("every_s", [0, -1, 86_401])
    def test_interval_has_limits(self, redis: Redis, actions: Actions, every_s):
        with pytest.raises(BadParameter, match="1 to 86400"):
            actions.set_interval(STATS, every_s)
        assert not redis.exists("rq:scheduler:intervals")

    def test_damaged_interval_leaves_the_settings_one(self, redis: Redis, view: View, actions: Actions):
        for damaged in ("x", "[]", '["a","b","c"]', "[0,1,2]", "{}", "7"):
            redis.hset("rq:scheduler:intervals", STATS, damaged)
            get_scheduler(redis, view.settings).step(time.time())
            assert self.rows(redis, view)[STATS].interval_s == 60

    def test_pauses_are_told_once(self, view: View, actions: Actions):
        for _ in range(2):
            actions.pause_recurring(STATS)
        for _ in range(2):
            actions.resume_recurring(STATS)
        assert trail(view) == [("resumed", f"recurring job {STATS}"), ("paused", f"recurring job {STATS}")]

    def test_all_are_planned_anew(self, redis: Redis, view: View, actions: Actions):
        assert STATS in actions.reschedule()
        assert trail(view) == [("rescheduled", "all recurring jobs")]


class TestTriggerAndSwitches:
    def test_trigger(self, view: View, actions: Actions):
        assert actions.trigger("analyze_and_maybe_report", {"account_id": "42"}) == "analyze_and_maybe_report-42"
        with pytest.raises(WrongState):
            actions.trigger("analyze_and_maybe_report", {"account_id": "42"})
        with pytest.raises(BadParameter):
            actions.trigger("analyze_and_maybe_report", {"account_id": "x"})
        with pytest.raises(Unknown):
            actions.trigger("os.system")
        assert trail(view) == [("triggered", "job analyze_and_maybe_report-42")]

    def test_switches_say_who_turned_them(self, view: View, actions: Actions):
        for turn in (actions.set_panic_stop, actions.set_dry_run):
            turn(on=True)
        board = read_switches(view)
        assert (board.panic_stop.on, board.panic_stop.by, board.panic_stop.from_settings) == (True, BY, False)
        assert (board.dry_run.on, board.dry_run.by, board.dry_run.from_settings) == (True, BY, True)
        actions.set_panic_stop(on=False)
        board = read_switches(view)
        assert (board.panic_stop.on, board.panic_stop.by, board.panic_stop.at is not None) == (False, BY, True)
        told = [("turned off", "panic stop"), ("turned on", "dry run"), ("turned on", "panic stop")]
        assert trail(view) == told

    def test_rearming_says_who(self, view: View, actions: Actions):
        view.rule_switches.drop("casino", "too many", "breaker", 1.0)
        assert actions.arm("casino").scopes == ("casino",)
        assert [(one.event, one.by) for one in view.audit.recent(1)] == [("rearmed", BY)]
        with pytest.raises(Unknown):
            actions.arm("casino")


class TestWorkers:
    def test_finish_the_job_at_hand_however_often_they_are_told_to_stop(
        self, redis: Redis, view: View, actions: Actions, redis_server: str
    ):
        queue = JsonQueue("default", connection=redis)
        jobs = [queue.enqueue(note, redis_server, "x", 2.0), queue.enqueue(fail)]
        process = start(redis_server, ["default"], name="w")
        wait(lambda: notes(redis) == ["begin x"])
        for _ in range(3):
            actions.stop_worker("w")
        process.join(60)
        assert notes(redis) == ["begin x", "end x"]
        assert [job.get_status(refresh=True).value for job in jobs] == ["finished", "queued"]
        assert leftovers(redis) == []
        assert trail(view)[0] == ("told to stop", "worker w")

    def test_are_known_by_name_and_have_to_listen(self, redis: Redis, actions: Actions):
        with pytest.raises(Unknown):
            actions.stop_worker("w")
        redis.sadd("rq:workers", "rq:worker:w")
        redis.hset("rq:worker:w", "birth", "x")
        with pytest.raises(WrongState, match="does not listen"):
            actions.stop_worker("w")


def test_what_was_done_is_not_said_to_have_failed_for_want_of_a_line_in_the_audit(redis, view, actions, caplog):
    put(redis)
    redis.set("mastowatch:audit", "of another type")
    actions.delete("one")
    assert not redis.exists("rq:job:one")
    (told,) = [one for one in caplog.records if one.message == "audit_not_written"]
    assert (told.done, told.what, told.by) == ("deleted", "job one", BY)
    # The journal has it all the same.
    assert "person_acted" in [one.message for one in caplog.records]
    view.rule_switches.drop("casino", "too many", "breaker", 1.0)
    assert actions.arm("casino").scopes == ("casino",)
