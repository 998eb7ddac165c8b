"""People and workers at the same jobs: whatever meets whatever, no job is lost, doubled, or half gone."""

from __future__ import annotations

import random
import threading
from collections import Counter
from contextlib import suppress

import pytest
from redis import Redis
from rq.job import Retry

from mastowatch.config import Loaded, Settings
from mastowatch.jobs import context as contexts
from mastowatch.jobs.actions import Actions
from mastowatch.jobs.refusals import Refusal
from mastowatch.reliable import pausing
from mastowatch.reliable.serializer import JsonQueue
from tests.engine import end_all, leftovers, start, wait

pytestmark = [pytest.mark.redis, pytest.mark.unmeasured]

JOBS, IDEAS = 200, 120
QUEUES = ("high", "default", "low")


def effect(url: str, number: int) -> int:
    with Redis.from_url(url) as redis:
        redis.rpush("effects", number)
    return number


def fail_and_tell(url: str, number: int) -> None:
    effect(url, number)
    raise RuntimeError(str(number))


class Person(threading.Thread):
    """Does what comes to mind to jobs and queues, and remembers what was done."""

    def __init__(self, url: str, seed: int) -> None:
        super().__init__()
        self._url, self._random = url, random.Random(seed)
        self.done: Counter[tuple[str, str]] = Counter()
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            with Redis.from_url(self._url) as redis:
                actions = Actions(contexts.view(Loaded(Settings(), {}), redis), "somebody")
                for _ in range(IDEAS):
                    self._one(actions)
        except BaseException as error:  # noqa: BLE001 -- told by the test
            self.error = error

    def _one(self, actions: Actions) -> None:
        job_id = f"job-{self._random.randrange(JOBS)}"
        name = self._random.choice(["cancel", "requeue", "delete", "run_now", "run_now", "pause_queue", "resume_queue"])
        about = self._random.choice(QUEUES) if name.endswith("_queue") else job_id
        with suppress(Refusal):
            getattr(actions, name)(about)
            self.done[name, about] += 1


def places(redis: Redis) -> Counter[str]:
    """Return in how many lists and registries each job stands."""
    found: Counter[str] = Counter()
    for queue in QUEUES:
        found.update(raw.decode() for raw in redis.lrange(f"rq:queue:{queue}", 0, -1))
        for kind in ("finished", "failed", "scheduled", "deferred", "canceled"):
            found.update(raw.decode() for raw in redis.zrange(f"rq:{kind}:{queue}", 0, -1))
    return found


def test_no_job_is_lost_or_doubled_or_half_gone(redis: Redis, redis_server: str):
    queues = [JsonQueue(name, connection=redis) for name in QUEUES]
    for _ in range(2):
        start(redis_server, list(QUEUES), horse_jobs=60)
    people = [Person(redis_server, number) for number in range(3)]
    for person in people:
        person.start()
    for number in range(JOBS):
        func = fail_and_tell if number % 5 == 0 else effect
        options = {"retry": Retry(1)} if number % 10 == 0 else {}
        queues[number % 3].enqueue(func, redis_server, number, job_id=f"job-{number}", **options)
    for person in people:
        person.join()
        assert person.error is None
    for name in QUEUES:
        pausing.resume(redis, name)
    wait(lambda: not any(redis.llen(f"rq:queue:{name}") for name in QUEUES) and leftovers(redis) == [])
    end_all()

    done = sum((person.done for person in people), Counter())
    # Which of them find a job to do something about depends on how far the workers are; none does so in a run in vain.
    assert len({"cancel", "requeue", "delete", "run_now"} & {name for name, _ in done}) >= 2
    ran = Counter(int(raw) for raw in redis.lrange("effects", 0, -1))
    where = places(redis)
    for number in range(JOBS):
        job_id = f"job-{number}"
        status = redis.hget(f"rq:job:{job_id}", "status")
        told = {name: done[name, job_id] for name in ("cancel", "requeue", "delete", "run_now")}
        if told["delete"]:
            assert (status, where[job_id], redis.exists(f"rq:results:{job_id}")) == (None, 0, 0), (job_id, told)
            continue
        assert where[job_id] == 1, (job_id, status, told)
        tries = 2 if number % 10 == 0 else 1
        if told["cancel"]:
            assert ran[number] <= tries * (1 + told["requeue"]), (job_id, status, told)
        else:
            least = 1 + told["requeue"]
            assert least <= ran[number] <= tries * least, (job_id, status, told)
