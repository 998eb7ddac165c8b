"""The worker on a real redis-server: how it takes, runs, stops; its horse, its limits, its registration."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.client import Pipeline
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry as PatientRetry
from rq.job import Retry

from mastowatch.reliable import keeper, scripts
from mastowatch.reliable.doorbell import Doorbell
from mastowatch.reliable.horse import Horse
from mastowatch.reliable.keeper import Keeper, _resident_mib
from mastowatch.reliable.line import Line
from mastowatch.reliable.recovery import bury
from mastowatch.reliable.serializer import JsonJob, JsonQueue
from mastowatch.reliable.worker import LIFE_S, ReliableWorker
from mastowatch.same_redis import same_redis
from tests.engine import attempts, child_of, end_all, fail, gone, hold, leftovers, made, note, notes, pid, start, wait
from tests.redis_server import running_redis

pytestmark = pytest.mark.redis


@pytest.fixture
def queue(redis: Redis) -> JsonQueue:
    return JsonQueue("default", connection=redis)


def test_jobs_run_in_the_order_of_the_queues(redis: Redis, redis_server: str):
    for name in ("low", "default", "high"):
        JsonQueue(name, connection=redis).enqueue(note, redis_server, name)
    start(redis_server, ["high", "default", "low"], burst=True).join(60)
    assert [line for line in notes(redis) if line.startswith("end")] == ["end high", "end default", "end low"]
    assert leftovers(redis) == []
    assert redis.smembers("rq:workers") == set()


def test_an_idle_worker_takes_what_is_enqueued_later_on_any_of_its_queues(
    redis: Redis, redis_server: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("mastowatch.reliable.horse.LOOK_S", 3600.0)  # it is the bell that tells it
    process = start(redis_server, ["high", "low"])
    wait(lambda: any(one["name"] == "mastowatch-doorbell" for one in redis.client_list()))
    for name in ("low", "high", "low"):
        job = JsonQueue(name, connection=redis).enqueue(note, redis_server, name)
        wait(lambda job=job: job.get_status() == "finished")
    process.terminate()
    process.join(60)


def test_it_goes_on_without_a_bell_where_redis_knows_none(redis: Redis, redis_server: str, monkeypatch):
    monkeypatch.setattr(Doorbell, "_rang", lambda self, timeout_s: bool(time.sleep(timeout_s)))  # it hears nothing
    process = start(redis_server, ["high"])
    wait(lambda: any(one["name"] == "mastowatch-doorbell" for one in redis.client_list()))
    time.sleep(0.5)  # until it waits, for which there is no sign
    job = JsonQueue("high", connection=redis).enqueue(note, redis_server, "x")
    wait(lambda: job.get_status() == "finished")
    process.terminate()
    process.join(60)


def test_many_jobs_run_in_one_horse_until_it_has_run_enough(redis: Redis, queue: JsonQueue, redis_server: str):
    jobs = [queue.enqueue(pid) for _ in range(7)]
    start(redis_server, ["default"], burst=True, horse_jobs=3).join(60)
    horses = [job.return_value() for job in jobs]
    assert [horses.count(one) for one in dict.fromkeys(horses)] == [3, 3, 1]


def test_a_horse_past_its_memory_is_replaced_between_two_jobs(redis: Redis, queue: JsonQueue, redis_server: str):
    own = int(_resident_mib(os.getpid()))  # the horse has the pages of this process, too
    fat = queue.enqueue(grow, 100)
    process = start(redis_server, ["default"], horse_mib=own + 64)
    wait(lambda: fat.get_status(refresh=True) == "finished")
    wait(lambda: child_of(process) != fat.return_value())  # the parent looks five times a second
    slim = queue.enqueue(pid)
    wait(lambda: slim.get_status(refresh=True) == "finished")
    assert slim.return_value() != fat.return_value()
    process.terminate()
    process.join(60)


_GROWN: list[bytes] = []


def grow(mib: int) -> int:
    _GROWN.append(os.urandom(mib * 2**20))
    return os.getpid()


# --- stopping --------------------------------------------------------------------------------------------


def test_sigterm_finishes_the_job_at_hand_and_takes_no_other(redis: Redis, queue: JsonQueue, redis_server: str):
    first = queue.enqueue(note, redis_server, "one", 1.0)
    second = queue.enqueue(note, redis_server, "two")
    process = start(redis_server, ["default"])
    wait(lambda: "begin one" in notes(redis))
    process.terminate()
    process.join(60)
    assert process.exitcode == 0
    assert first.get_status() == "finished"
    assert second.get_status() == "queued"
    assert redis.smembers("rq:workers") == redis.smembers("rq:takers") == set(), "it left in good order"
    assert queue.job_ids == [second.id]
    assert leftovers(redis) == []


def test_sigterm_to_the_whole_group_does_not_end_the_job(redis: Redis, queue: JsonQueue, redis_server: str):
    job = queue.enqueue(note, redis_server, "one", 1.0)
    process = start(redis_server, ["default"])
    wait(lambda: "begin one" in notes(redis))
    for number in (child_of(process), process.pid):
        os.kill(number, signal.SIGTERM)
    process.join(60)
    assert job.get_status() == "finished"


@pytest.mark.parametrize("how", ["second SIGTERM", "stop timeout"])
def test_a_stop_that_can_not_wait_puts_the_job_back(redis: Redis, queue: JsonQueue, redis_server: str, how: str):
    job = queue.enqueue(note, redis_server, "one", 600.0)
    other = queue.enqueue(note, redis_server, "two")
    process = start(redis_server, ["default"], stop_s=0.5 if how == "stop timeout" else None)
    wait(lambda: "begin one" in notes(redis))
    process.terminate()
    if how == "second SIGTERM":
        time.sleep(1.0)  # two in one moment are one
        process.terminate()
    process.join(60)  # the job would take ten minutes
    assert process.exitcode == 0
    assert queue.job_ids == [job.id, other.id], "at the front"
    assert job.get_status(refresh=True) == "queued"
    assert [kind for kind, _ in attempts(redis, job.id)] == ["RETRIED"]
    assert "told to stop at once" in attempts(redis, job.id)[0][1]
    assert leftovers(redis) == []
    assert redis.smembers("rq:takers") == set()


def test_stopping_does_not_wait_for_a_redis_that_is_away(tmp_path: Path):
    with running_redis(tmp_path) as server, Redis.from_url(server.url) as redis:
        process = start(server.url, ["default"])
        wait(lambda: any(one["name"] == "mastowatch-doorbell" for one in redis.client_list()))  # its horse is idle
        with server.standing_still():
            process.terminate()
            process.join(60)
            assert process.exitcode == 0
    end_all()


# --- horses and parents that die -------------------------------------------------------------------------


def test_a_horse_dies_with_its_parent(redis: Redis, queue: JsonQueue, redis_server: str):
    queue.enqueue(note, redis_server, "one", 600.0)
    process = start(redis_server, ["default"])
    wait(lambda: "begin one" in notes(redis))
    horse = child_of(process)
    process.kill()
    process.join(60)
    wait(lambda: gone(horse))  # the job would take ten minutes


def test_the_job_of_a_killed_horse_is_tried_again_and_the_parent_goes_on(
    redis: Redis, queue: JsonQueue, redis_server: str
):
    job = queue.enqueue(note, redis_server, "one", 1.0, retry=Retry(max=3, interval=600))
    process = start(redis_server, ["default"])
    wait(lambda: "begin one" in notes(redis))
    os.kill(child_of(process), signal.SIGKILL)
    wait(lambda: job.get_status(refresh=True) == "finished")
    assert notes(redis) == ["begin one", "begin one", "end one"], "at once: a back-off is for what is away"
    (first, text), (last, _) = attempts(redis, job.id)
    assert (first, last) == ("RETRIED", "SUCCESSFUL")
    assert "signal 9 (SIGKILL)" in text
    assert JsonJob.fetch(job.id, connection=redis).retries_left == 2
    process.terminate()
    process.join(60)
    assert process.exitcode == 0
    assert leftovers(redis) == []


def test_without_a_try_left_it_fails_and_says_what_happened(redis: Redis, queue: JsonQueue, redis_server: str):
    job = queue.enqueue(note, redis_server, "one", 600.0)
    process = start(redis_server, ["default"])
    wait(lambda: "begin one" in notes(redis))
    os.kill(child_of(process), signal.SIGUSR1)
    wait(lambda: job.get_status(refresh=True) == "failed")
    assert "signal 10 (SIGUSR1)" in job.latest_result().exc_string
    assert job.id in queue.failed_job_registry.get_job_ids(cleanup=False)
    assert redis.hget("rq:totals", "default:failed") == b"1"
    process.terminate()
    process.join(60)
    assert leftovers(redis) == []


def test_a_horse_that_no_signal_reaches_is_killed_after_limit_and_grace(
    redis: Redis, queue: JsonQueue, redis_server: str
):
    job = queue.enqueue(note, redis_server, "one", 600.0, job_timeout=1)
    process = start(redis_server, ["default"], grace_s=1.0)
    wait(lambda: "begin one" in notes(redis))
    os.kill(child_of(process), signal.SIGSTOP)
    wait(lambda: job.get_status(refresh=True) == "failed")
    assert "passed its limit of 1 s" in job.latest_result().exc_string
    after = queue.enqueue(pid)
    wait(lambda: after.get_status(refresh=True) == "finished")
    process.terminate()
    process.join(60)


def test_the_watchdog_is_fed_while_a_job_runs_and_not_by_a_parent_that_stands_still(redis: Redis, redis_server: str):
    fed: list[float] = []
    worker = ReliableWorker(["default"], connection=redis, alive=lambda: fed.append(time.monotonic()))
    JsonQueue("default", connection=redis).enqueue(note, redis_server, "one", 1.0)
    worker.step()
    wait(lambda: "begin one" in notes(redis))
    before = len(fed)
    worker.step()
    assert len(fed) == before + 1, "a job inside its limit is health"
    time.sleep(0.3)
    assert len(fed) == before + 1, "nobody else feeds it"
    worker.request_stop()
    while not worker.stopped:
        worker.step()
    worker.leave()


# --- who owns a job --------------------------------------------------------------------------------------


def test_a_worker_that_was_taken_for_dead_does_not_end_the_run_of_another(
    redis: Redis, queue: JsonQueue, redis_server: str
):
    job = queue.enqueue(note, redis_server, "one", 1.5, retry=Retry(max=3))
    slow = start(redis_server, ["default"])
    wait(lambda: "begin one" in notes(redis))
    os.kill(slow.pid, signal.SIGSTOP)
    name = redis.smembers("rq:takers").pop()
    redis.delete(b"rq:worker:" + name)
    bury(redis, name.decode(), "default")
    assert queue.job_ids == [job.id]
    wait(lambda: "end one" in notes(redis))
    time.sleep(0.3)
    assert job.get_status(refresh=True) == "queued", "it belongs to whoever takes it next"
    assert [kind for kind, _ in attempts(redis, job.id)] == ["RETRIED"]
    os.kill(slow.pid, signal.SIGCONT)
    wait(lambda: job.get_status(refresh=True) == "finished")
    slow.terminate()
    slow.join(60)
    assert leftovers(redis) == []


def test_a_horse_takes_nothing_while_its_parent_counts_as_dead(redis: Redis, queue: JsonQueue, redis_server: str):
    process = start(redis_server, ["default"])
    child_of(process)
    wait(lambda: redis.hget(next(iter(redis.smembers("rq:workers"))), "state") == b"idle")
    os.kill(process.pid, signal.SIGSTOP)
    (key,) = redis.smembers("rq:workers")
    redis.delete(key)
    job = queue.enqueue(pid)
    time.sleep(1.5)
    assert job.get_status(refresh=True) == "queued"
    os.kill(process.pid, signal.SIGCONT)
    wait(lambda: job.get_status(refresh=True) == "finished")
    process.terminate()
    process.join(60)


def take(redis: Redis, name: str, execution: str) -> list[bytes]:
    keys = [scripts.taken_key(name), scripts.worker_key(name), scripts.SUSPENDED, "rq:queue:default"]
    return redis.eval(scripts.TAKE, len(keys), *keys, name, execution, "now", time.time(), 90, 1)


def test_a_question_that_is_asked_again_gets_the_same_job(redis: Redis, queue: JsonQueue):
    first, second = queue.enqueue(fail), queue.enqueue(fail)
    redis.hset("rq:worker:w", "birth", "x")
    assert take(redis, "w", "a")[2] == first.id.encode()
    assert take(redis, "w", "a")[2] == first.id.encode(), "the answer had been lost"
    assert take(redis, "w", "b") == [b"leftover"]
    assert queue.job_ids == [second.id]


class UnluckyLine(Line):
    """Finds Redis gone three times, and back at the next look."""

    tries = 0

    def run(self, *question: Any) -> Any:
        self.tries += 1
        if self.tries <= 3:
            raise RedisConnectionError("refused")
        return super().run(*question)


class UnluckyHorse(Horse):
    def __init__(self, worker: ReliableWorker, *args: Any, **options: Any) -> None:
        super().__init__(worker, *args, **options)
        self._line = UnluckyLine(worker.connection)
        worker.connection.rpush("horses", os.getpid())


class UnluckyWorker(ReliableWorker):
    horse_class = UnluckyHorse


def test_a_redis_that_comes_back_between_two_looks_ends_no_horse(redis: Redis, queue: JsonQueue, redis_server: str):
    job = queue.enqueue(pid)
    start(redis_server, ["default"], UnluckyWorker, burst=True).join(20)
    assert job.get_status(refresh=True) == "finished"
    assert redis.lrange("horses", 0, -1) == [str(job.return_value()).encode()]


class PatientWorker(ReliableWorker):
    """Has a client that tries three times, as MastoWatch's own, though it waits for a second each."""

    def __init__(self, queues: list[str], *, connection: Redis, **options: Any) -> None:
        patient = same_redis(connection, socket_timeout=1, retry=PatientRetry(NoBackoff(), 2))
        super().__init__(queues, connection=patient, **options)


def test_an_ending_outlives_a_redis_that_stands_still(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Longer than a horse may show no life: each of its questions is shorter, and it shows life in between."""
    monkeypatch.setattr(keeper, "STUCK_S", 2.5)
    with running_redis(tmp_path) as server, Redis.from_url(server.url) as redis:
        job = JsonQueue("default", connection=redis).enqueue(hold, str(tmp_path))
        start(server.url, ["default"], PatientWorker)
        wait((tmp_path / "begun").exists)
        with server.standing_still():
            (tmp_path / "go").touch()
            time.sleep(10)
        wait(lambda: job.get_status(refresh=True) == "finished")
        end_all()
        assert attempts(redis, job.id) == [("SUCCESSFUL", "")]


def test_what_was_canceled_or_is_gone_is_not_run(redis: Redis, queue: JsonQueue, redis_server: str):
    redis.hset(queue.enqueue(note, redis_server, "canceled").key, "status", "canceled")
    redis.rpush(queue.key, "nobody")
    redis.set("rq:job:text", "no hash")
    redis.rpush(queue.key, "text")
    good = queue.enqueue(note, redis_server, "good")
    start(redis_server, ["default"], burst=True).join(60)
    assert good.get_status() == "finished"
    assert notes(redis) == ["begin good", "end good"]
    assert leftovers(redis) == []


# --- registration ----------------------------------------------------------------------------------------


def registered(redis: Redis, worker: ReliableWorker) -> bool:
    return redis.sismember("rq:workers", worker.key) and redis.hexists(worker.key, "birth")


def test_a_worker_that_redis_forgot_registers_again(redis: Redis):
    now = [100.0]
    worker = ReliableWorker(["default"], connection=redis, clock=lambda: now[0])
    worker.request_stop()  # without a horse
    worker.step(0)
    assert registered(redis, worker)
    redis.flushdb()
    worker.heartbeat()  # RQ's own makes the key anew, without a birth
    now[0] += 3
    worker.step(0)
    assert registered(redis, worker)
    worker.leave()


def test_a_worker_is_registered_in_one_step_and_for_one_life(redis: Redis):
    """Whoever is killed right after it does not stand among the living for longer than others."""
    with made(redis, labels={"dry_run": "true"}) as worker:
        worker.register_birth()
        assert registered(redis, worker)
        assert redis.hmget(worker.key, "state", "dry_run", "pid") == [b"idle", b"true", str(os.getpid()).encode()]
        assert 0 < redis.ttl(worker.key) <= LIFE_S


def test_a_worker_whose_registration_was_not_answered_is_not_in_its_own_way(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
):
    def unanswered(pipeline: Pipeline, *args: Any, **options: Any) -> None:
        execute(pipeline, *args, **options)
        raise RedisTimeoutError

    execute = Pipeline.execute
    monkeypatch.setattr(Keeper, "may_fork", lambda _: False)
    with made(redis) as worker:
        with monkeypatch.context() as once:
            once.setattr(Pipeline, "execute", unanswered)
            with pytest.raises(RedisTimeoutError):
                worker.step(0)
        worker.step(0)
        assert registered(redis, worker)


def test_two_workers_of_one_name_are_refused(redis: Redis):
    with made(redis, name="one") as first, made(redis, name="one") as second:
        first.register_birth()
        with pytest.raises(ValueError, match="'one'"):
            second.register_birth()


def test_a_turn_after_one_without_redis_asks_it_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Whoever calls it takes a turn that raises nothing for a Redis that is back."""
    monkeypatch.setattr(Keeper, "may_fork", lambda _: False)
    with running_redis(tmp_path) as server:
        worker = ReliableWorker(["default"], connection=Redis.from_url(server.url))
        worker.step(0)
    for _ in range(4):
        with pytest.raises(RedisConnectionError):
            worker.step(0)


def test_what_is_found_in_a_hand_without_a_horse_is_settled(redis: Redis, queue: JsonQueue, redis_server: str):
    """A snapshot may put back what was in a hand; the horse that finds it ends, and its parent settles."""
    job = queue.enqueue(note, redis_server, "one")
    process = start(redis_server, ["default"], name="w")
    redis.lmove(queue.key, "rq:taken:w", "LEFT", "LEFT")
    wait(lambda: job.get_status(refresh=True) == "finished")
    process.terminate()
    process.join(60)
    assert leftovers(redis) == []


@pytest.mark.parametrize("gate", ["rq:suspended", "gate"])
def test_nothing_is_taken_while_a_gate_is_shut(redis: Redis, queue: JsonQueue, redis_server: str, gate: str):
    redis.set(gate, "1")
    job = queue.enqueue(pid)
    process = start(redis_server, ["default"], gates=["gate"])
    wait(lambda: any(redis.hget(key, "state") == b"suspended" for key in redis.smembers("rq:workers")))
    assert job.get_status(refresh=True) == "queued"
    redis.delete(gate)
    wait(lambda: job.get_status(refresh=True) == "finished")
    process.terminate()
    process.join(60)
