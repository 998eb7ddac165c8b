"""Jobs that can't be read: refused as failed, with a reason, and never an end for a worker."""

from __future__ import annotations

import base64
import os
import pickle
import signal
import zlib

import pytest
from redis import Redis

from mastowatch.reliable.serializer import JsonQueue
from tests.engine import expire_registration, leftovers, note, notes, start, wait

pytestmark = pytest.mark.redis


def refusal(redis: Redis, job_id: str) -> str:
    """Return what RQ keeps of a failure: base64 of zlib."""
    ((_, fields),) = redis.xrevrange(f"rq:results:{job_id}", count=1)
    return zlib.decompress(base64.b64decode(fields[b"exc_string"])).decode()


def test_a_pickled_job_is_refused_and_never_unpickled(redis: Redis, redis_server: str, tmp_path):
    trap = tmp_path / "trap"

    class Bomb:
        def __reduce__(self):
            return (os.mkdir, (str(trap),))

    job = JsonQueue("default", connection=redis).enqueue(note, redis_server, "x")
    redis.hset(job.key, "data", pickle.dumps(Bomb()))
    start(redis_server, ["default"], burst=True).join(60)
    assert not trap.exists()
    assert job.get_status(refresh=True) == "failed"
    assert "no JSON" in refusal(redis, job.id)
    assert notes(redis) == []
    assert leftovers(redis) == []


@pytest.mark.parametrize(
    "damage",
    [
        {"description": b"\xff\xfe"},
        {"created_at": "yesterday"},
        {"timeout": "soon"},
        {"retries_left": "x"},
        {"data": b"\x80\x04garbage"},
        {"status": "odd"},
    ],
)
@pytest.mark.parametrize("begun", [False, True])
def test_a_damaged_record_ends_as_failed_and_never_ends_a_worker(redis: Redis, redis_server: str, damage, begun):
    queue = JsonQueue("default", connection=redis)
    bad = queue.enqueue(note, redis_server, "bad")
    good = queue.enqueue(note, redis_server, "good")
    if begun:
        redis.sadd("rq:takers", "dead")
        redis.lmove(queue.key, "rq:taken:dead", "LEFT", "LEFT")
        redis.hset(bad.key, "status", "started")
        expire_registration(redis)
    redis.hset(bad.key, mapping=damage)
    process = start(redis_server, ["default"])
    wait(lambda: "end good" in notes(redis))
    wait(lambda: redis.hget(bad.key, "status") == b"failed")
    os.kill(process.pid, signal.SIGTERM)
    process.join(60)
    assert process.exitcode == 0
    assert good.get_status() == "finished"
    assert leftovers(redis) == []
    assert redis.zscore("rq:failed:default", bad.id) is not None
    assert "begin bad" not in notes(redis)


def test_a_record_of_which_only_a_part_is_left_ends_as_failed(redis: Redis, redis_server: str):
    redis.hset("rq:job:half", "status", "queued")
    redis.rpush("rq:queue:default", "half", b"\xff\xfe")
    process = start(redis_server, ["default"])
    wait(lambda: redis.hget("rq:job:half", "status") == b"failed")
    wait(lambda: redis.llen("rq:queue:default") == 0)
    os.kill(process.pid, signal.SIGTERM)
    process.join(60)
    assert process.exitcode == 0
    assert leftovers(redis) == []
