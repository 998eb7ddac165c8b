"""What may happen to a job's record while the job runs, and what Redis may refuse: nothing is lost of it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import combinations_with_replacement
from typing import Any

import pytest
from redis import BlockingConnectionPool, Redis
from redis.exceptions import ConnectionError as Away
from rq.job import Retry
from rq.rate_limit import RateLimit
from rq.utils import utcformat

from mastowatch.jobs import control
from mastowatch.reliable import horse, scripts
from mastowatch.reliable.line import Line
from mastowatch.reliable.recovery import UNSETTLED, bury, settle
from mastowatch.reliable.serializer import JsonJob, JsonQueue
from mastowatch.reliable.tidying import Tidying
from mastowatch.reliable.worker import ReliableWorker
from tests.engine import (
    FORK,
    attempts,
    child_of,
    expire_registration,
    fail,
    leftovers,
    made,
    note,
    notes,
    pid,
    start,
    wait,
)

pytestmark = pytest.mark.redis


@pytest.fixture
def queue(redis: Redis) -> JsonQueue:
    return JsonQueue("default", connection=redis)


def stop(process: Any) -> None:
    process.terminate()
    process.join(60)
    assert process.exitcode == 0


# --- the same id again -----------------------------------------------------------------------------------


def test_a_job_that_is_queued_again_while_it_runs_runs_again(redis: Redis, queue: JsonQueue, redis_server: str):
    queue.enqueue(note, redis_server, "one", 0.7, job_id="fixed", result_ttl=1)
    process = start(redis_server, ["default"])
    wait(lambda: "begin one" in notes(redis))
    redis.set("rq:suspended", "1")
    queue.enqueue(note, redis_server, "two", job_id="fixed", result_ttl=1)
    wait(lambda: "end one" in notes(redis))
    time.sleep(1.5)
    assert redis.hget("rq:job:fixed", "status") == b"queued"
    assert redis.ttl("rq:job:fixed") == -1, "what waits does not expire with what has ended"
    redis.delete("rq:suspended")
    wait(lambda: "end two" in notes(redis))
    stop(process)


def test_a_job_that_waits_again_is_not_deleted_by_the_follow_up_of_its_first_run(
    redis: Redis, queue: JsonQueue, redis_server: str
):
    first = queue.enqueue(note, redis_server, "one", 0.7, job_id="A", result_ttl=0)
    second = queue.enqueue(note, redis_server, "B", depends_on=first)
    process = start(redis_server, ["default"])
    wait(lambda: "begin one" in notes(redis))
    redis.set("rq:suspended", "1")
    wait(lambda: redis.llen("rq:followups:default"))
    control.requeue(redis, "A", time.time())
    redis.delete("rq:suspended")
    wait(lambda: notes(redis).count("end one") == 2)
    wait(lambda: second.get_status(refresh=True) == "finished")
    wait(lambda: not redis.exists("rq:job:A"))
    stop(process)
    assert leftovers(redis) == []


def test_a_follow_up_leaves_that_of_a_later_run_alone(redis: Redis):
    redis.hset("rq:job:A", mapping={"status": "finished", "origin": "default", "followup": "finished"})
    redis.rpush("rq:taken:w", "A")
    redis.rpush("rq:followups:default", "A")
    assert redis.eval(scripts.FOLLOWED, 1, "rq:taken:w", "A") == b"again"
    assert redis.hget("rq:job:A", "followup") == b"finished"


def test_a_retry_has_no_follow_up(redis: Redis, queue: JsonQueue, redis_server: str):
    job = queue.enqueue(fail, retry=Retry(max=1))
    dependent = queue.enqueue(pid, depends_on=job)
    start(redis_server, ["default"], burst=True).join(60)
    assert [kind for kind, _ in attempts(redis, job.id)] == ["RETRIED", "FAILED"]
    assert dependent.get_status() == "deferred"
    assert leftovers(redis) == []


# --- deleted while it runs -------------------------------------------------------------------------------


class Interrupted(Redis):
    """Lets somebody else do something before each of the commands that it is about to send."""

    before: Callable[[int], object] = staticmethod(lambda number: None)
    sent = 0

    def execute_command(self, *args: Any, **options: Any) -> Any:
        number, Interrupted.sent = self.sent, self.sent + 1
        Interrupted.before(number)
        return super().execute_command(*args, **options)


HAND, REGISTRATION = scripts.taken_key("w"), scripts.worker_key("w")


def begin(redis: Redis, queue: JsonQueue) -> JsonJob:
    """Have the worker "w" begin a job, by the script alone."""
    job = queue.enqueue(fail, job_id="deleted")
    redis.hset(REGISTRATION, "birth", "x")
    redis.sadd("rq:workers", REGISTRATION)
    keys = [HAND, REGISTRATION, scripts.SUSPENDED, queue.key]
    redis.eval(scripts.TAKE, len(keys), *keys, "w", "run", utcformat(datetime.now(UTC)), time.time(), 90, 1)
    return job


def show_life(redis: Redis) -> None:
    when = [utcformat(datetime.now(UTC)), time.time(), 9]
    redis.eval(scripts.BEAT, 2, REGISTRATION, HAND, *when, "deleted", "run", 90, "w", 4000)


def test_signs_of_life_between_the_steps_of_a_deletion_leave_nothing_of_the_run(
    redis: Redis, queue: JsonQueue, redis_server: str, monkeypatch: pytest.MonkeyPatch
):
    """RQ deletes a job in a dozen steps; at any of them its worker may say that the job still runs, and then die."""
    steps = 15
    for moments in combinations_with_replacement(range(steps), 2):
        begin(redis, queue)
        with Interrupted.from_url(redis_server) as other:
            job = JsonJob.fetch("deleted", connection=other)
            monkeypatch.setattr(Interrupted, "sent", 0)
            monkeypatch.setattr(
                Interrupted, "before", lambda number, moments=moments: number in moments and show_life(redis)
            )
            job.delete()
            assert other.sent == steps, "or the moments are no longer all that there are"
        settle(redis, b"deleted", "w", "default", "counted", "died")
        assert redis.keys("*deleted*") == leftovers(redis) == [], f"{moments}"


# --- answers that are lost -------------------------------------------------------------------------------


class LosesOneEnd(Line):
    lost = False

    def run(self, script: Any, keys: Any, args: Any) -> Any:
        answer = super().run(script, keys, args)
        if script is horse._END and not LosesOneEnd.lost:
            LosesOneEnd.lost = True
            raise Away("the connection broke before the answer came")
        return answer


def test_a_failure_whose_answer_is_lost_is_recorded_once(redis: Redis, queue: JsonQueue, redis_server, monkeypatch):
    monkeypatch.setattr("mastowatch.reliable.horse.Line", LosesOneEnd)
    job = queue.enqueue(fail, retry=Retry(max=1))
    start(redis_server, ["default"], burst=True).join(60)
    assert [kind for kind, _ in attempts(redis, job.id)] == ["RETRIED", "FAILED"]
    assert redis.hgetall(scripts.TOTALS) == {b"default:failed": b"1"}


# --- what Redis refuses ----------------------------------------------------------------------------------


def test_a_record_of_another_type_stands_in_nobodys_way(redis: Redis, queue: JsonQueue, redis_server: str):
    odd = queue.enqueue("os._exit", 3)
    redis.set(f"rq:results:{odd.id}", "no stream")
    after = queue.enqueue(pid)
    process = start(redis_server, ["default"])
    wait(lambda: after.get_status(refresh=True) == "finished")
    assert redis.lrange(UNSETTLED, 0, -1) == [odd.id.encode()], "kept for a person to look at"
    stop(process)


def test_a_time_beyond_all_time_is_cut_and_the_job_ends(redis: Redis, queue: JsonQueue, redis_server: str):
    job = queue.enqueue(pid, result_ttl=10**16)
    start(redis_server, ["default"], burst=True).join(60)
    assert job.get_status(refresh=True) == "finished"
    assert redis.zscore("rq:finished:default", job.id) is not None


def test_a_job_whose_end_may_not_be_written_stays_in_hand_until_it_may(
    redis: Redis, queue: JsonQueue, redis_server: str
):
    redis.execute_command("ACL", "SETUSER", "w", "on", ">p", "~*", "&*", "+@all", "-xadd")
    redis.acl_log_reset()
    job = queue.enqueue(fail, retry=Retry(max=3))
    process = start(redis_server.replace("redis://", "redis://w:p@"), ["default"])
    wait(lambda: sum(int(refusal["count"]) for refusal in redis.acl_log()) > horse.SCRIPT_TRIES)
    (hand,) = redis.keys("rq:taken:*")
    assert redis.lrange(hand, 0, -1) == [job.id.encode()]
    redis.execute_command("ACL", "SETUSER", "w", "+xadd")
    wait(lambda: redis.zscore("rq:failed:default", job.id))
    stop(process)
    assert leftovers(redis) == []


def huge() -> str:
    return "x" * 12_000_000


def test_a_result_that_is_too_big_is_replaced_by_a_note(redis: Redis, queue: JsonQueue, redis_server: str):
    job = queue.enqueue(huge)
    start(redis_server, ["default"], burst=True).join(60)
    assert job.return_value() == "A result of over 10000000 bytes was not kept"


def big() -> str:
    return "x" * 4_000_000


def test_a_result_that_redis_hangs_up_on_fails_the_job_and_the_worker_goes_on(
    redis: Redis, queue: JsonQueue, redis_server: str
):
    redis.config_set("proto-max-bulk-len", "1mb")
    try:
        job, after = queue.enqueue(big), queue.enqueue(pid)
        process = start(redis_server, ["default"])
        wait(lambda: after.get_status(refresh=True) == "finished")
        assert job.get_status(refresh=True) == "failed"
        stop(process)
    finally:
        redis.config_set("proto-max-bulk-len", "512mb")


# --- who is dead -----------------------------------------------------------------------------------------


def test_a_worker_that_has_shown_life_since_is_not_buried(redis: Redis, queue: JsonQueue, redis_server: str):
    job = queue.enqueue(note, redis_server, "one", 1.0)
    process = start(redis_server, ["default"])
    wait(lambda: "begin one" in notes(redis))
    bury(redis, redis.smembers("rq:takers").pop().decode(), "default")
    assert job.get_status(refresh=True) == "started"
    wait(lambda: job.get_status(refresh=True) == "finished")
    stop(process)


def test_nobody_is_dead_before_signs_of_life_have_come_for_a_whole_life(redis: Redis, queue: JsonQueue):
    """After a pause of Redis, a failover, a night's sleep, everybody looks dead."""
    job = queue.enqueue(fail)
    redis.sadd("rq:takers", "asleep")
    redis.lmove(queue.key, "rq:taken:asleep", "LEFT", "LEFT")
    with made(redis) as worker:
        worker.request_stop()  # without a horse
        for _ in range(2):
            worker._next_beat = 0
            worker.step(0)
        assert queue.job_ids == []
        expire_registration(redis)
        worker._next_beat = 0
        worker.step(0)
        assert queue.job_ids == [job.id]


def test_rqs_own_cleaning_does_not_end_the_run_of_a_living_worker(redis: Redis, queue: JsonQueue, redis_server: str):
    """Its clock may be behind, or Redis may have been away until the run's time was up."""
    job = queue.enqueue(note, redis_server, "one", 1.5)
    process = start(redis_server, ["default"])
    wait(lambda: "begin one" in notes(redis))
    (member,) = redis.zrange("rq:wip:default", 0, -1)
    redis.zadd("rq:wip:default", {member: time.time() - 100})
    redis.delete(b"rq:execution:" + member)
    with made(redis) as other:
        Tidying(other).run()
    assert job.get_status(refresh=True) == "started"
    wait(lambda: job.get_status(refresh=True) == "finished")
    assert redis.zcard("rq:failed:default") == 0
    stop(process)


def test_a_sign_of_life_renews_a_run_that_has_expired(redis: Redis, queue: JsonQueue, redis_server: str):
    job = queue.enqueue(note, redis_server, "one", 4.0)
    process = start(redis_server, ["default"])
    wait(lambda: "begin one" in notes(redis))
    (member,) = redis.zrange("rq:wip:default", 0, -1)
    redis.delete(b"rq:execution:" + member, f"rq:executions:{job.id}", "rq:wip:default")
    wait(lambda: redis.exists(b"rq:execution:" + member))
    assert redis.zrange("rq:wip:default", 0, -1) == [member]
    process.kill()
    process.join()


def test_two_workers_of_one_name_are_one_too_many(redis: Redis, redis_server: str):
    process = start(redis_server, ["default"], name="one")
    wait(lambda: redis.smembers("rq:workers"))
    with made(redis, name="one") as other, pytest.raises(ValueError, match="There exists an active worker"):
        other.step(0)
    stop(process)


def test_takers_whose_names_are_no_text_are_forgotten(redis: Redis):
    redis.sadd("rq:takers", b"\xff")
    expire_registration(redis)
    with made(redis) as worker:
        worker.request_stop()
        worker.step(0)
        redis.set("rq:steady", 1)
        worker._next_beat = 0
        worker.step(0)
        assert redis.smembers("rq:takers") == set()


# --- the worker itself -----------------------------------------------------------------------------------


def test_a_horse_that_dies_of_a_long_id_is_blamed_on_that_job(redis: Redis, queue: JsonQueue, redis_server: str):
    job = queue.enqueue(note, redis_server, "one", 600, job_id="x" * 5000, job_timeout=1)
    process = start(redis_server, ["default"], grace_s=0.5)
    wait(lambda: "begin one" in notes(redis))
    os.kill(child_of(process), signal.SIGSTOP)
    wait(lambda: job.get_status(refresh=True) == "failed")
    stop(process)


def test_a_worker_can_be_made_in_one_process_and_work_in_another(redis: Redis, queue: JsonQueue, redis_server: str):
    job = queue.enqueue(pid)
    with made(redis) as worker:
        process = FORK.Process(target=worker.work, args=(True,))
        process.start()
        process.join(60)
        assert job.get_status(refresh=True) == "finished"


def test_it_works_twice_and_stops_after_as_many_jobs_as_it_was_told(redis: Redis, queue: JsonQueue):
    with made(redis) as worker:
        for _ in range(5):
            queue.enqueue(pid)
        queue.enqueue("os._exit", 1, at_front=True)
        assert worker.work(max_jobs=2)
        assert len(queue.job_ids) == 3
        assert worker.work(burst=True)
        assert queue.job_ids == []
        assert not worker.work(burst=True)
        assert redis.smembers("rq:workers") == set()


def test_bursts_end_while_work_is_suspended_and_options_that_mean_nothing_here_are_refused(
    redis: Redis, queue: JsonQueue
):
    job = queue.enqueue(pid)
    redis.set("rq:suspended", "1")
    with made(redis) as worker:
        assert not worker.work(burst=True)
        assert job.get_status(refresh=True) == "queued"
        with pytest.raises(ValueError, match="with_scheduler"):
            worker.work(with_scheduler=True)
        assert ReliableWorker.all(connection=redis) == []


def test_it_hears_many_commands_at_once_and_bears_nonsense(redis: Redis, queue: JsonQueue, redis_server: str):
    process = start(redis_server, ["default"], name="w")
    wait(lambda: redis.pubsub_numsub("rq:pubsub:w")[0][1])
    for words in ("no json", "[" * 100_000, "7", "{}"):
        redis.publish("rq:pubsub:w", words)
    for _ in range(40):
        redis.publish("rq:pubsub:w", '{"command": "kill-horse"}')
    redis.publish("rq:pubsub:w", '{"command": "shutdown"}')
    process.join(60)
    assert process.exitcode == 0


def test_it_hears_commands_as_soon_as_it_may_subscribe(redis: Redis, redis_server: str, monkeypatch):
    monkeypatch.setattr("mastowatch.reliable.worker.LISTEN_AGAIN_S", 0.5)
    redis.acl_log_reset()
    redis.execute_command("ACL", "SETUSER", "deaf", "on", ">p", "~*", "resetchannels", "+@all")
    process = start(redis_server.replace("redis://", "redis://deaf:p@"), ["default"], name="w")
    wait(redis.acl_log)  # it was refused
    redis.execute_command("ACL", "SETUSER", "deaf", "&*")
    wait(lambda: redis.pubsub_numsub("rq:pubsub:w")[0][1])
    stop(process)


def test_an_ignored_sigchld_is_borne(redis: Redis, queue: JsonQueue, redis_server: str):
    job, after = queue.enqueue("os._exit", 3), queue.enqueue(pid)
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        with made(redis) as worker:
            worker.work(burst=True)
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert job.get_status(refresh=True) == "failed"
    assert after.get_status(refresh=True) == "finished"


def test_the_parent_is_impatient_whatever_pool_it_was_given(redis: Redis, redis_server: str):
    given = Redis(connection_pool=BlockingConnectionPool.from_url(redis_server))
    with made(given) as worker:
        assert worker.connection.connection_pool.connection_kwargs["socket_timeout"] == 3
    given.connection_pool.disconnect()
    with pytest.raises(ValueError, match="decode_responses"):
        ReliableWorker(["default"], connection=Redis.from_url(redis_server, decode_responses=True))


def test_a_rate_limited_job_that_waits_for_its_next_try_lets_others_run(
    redis: Redis, queue: JsonQueue, redis_server: str
):
    limit = RateLimit("one at a time", 1)
    queue.enqueue(fail, retry=Retry(max=1, interval=60), rate_limit=limit)
    other = queue.enqueue(pid, rate_limit=limit)
    start(redis_server, ["default"], burst=True).join(60)
    assert other.get_status(refresh=True) == "finished"


def test_a_failure_that_is_not_to_be_kept_is_not_kept_after_a_crash_either(
    redis: Redis, queue: JsonQueue, redis_server: str
):
    job = queue.enqueue("os._exit", 3, failure_ttl=0)
    start(redis_server, ["default"], burst=True).join(60)
    wait(lambda: not redis.exists(job.key))
    assert redis.keys("rq:results:*") == []


def test_a_horse_that_dies_while_it_tidies_leaves_no_lock(redis: Redis, queue: JsonQueue, redis_server: str):
    process = start(redis_server, ["default"], name="w")
    horse = child_of(process)
    redis.set("rq:maintenance", "w", px=600_000)
    os.kill(horse, signal.SIGKILL)
    wait(lambda: not redis.exists("rq:maintenance"))
    stop(process)
