"""The move from Celery beside others in the same Redis, with messages as kombu 5.7 writes them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from mastowatch.config import Settings
from mastowatch.errors import ConfigError
from mastowatch.jobs.celery_move.broker import Broker
from mastowatch.jobs.celery_move.move import Aside, Move, Report
from mastowatch.jobs.celery_move.moving import Mover
from mastowatch.jobs.queues import Jobs
from tests.celery_producer import migrate
from tests.redis_server import private_redis

pytestmark = pytest.mark.redis

ANALYZE = "app.tasks.jobs.analyze_and_maybe_report"
SEPARATOR = "\x06\x16"


@pytest.fixture
def broker(redis_server: str) -> Iterator[str]:
    """Celery's database on the same server as ours."""
    url = redis_server.removesuffix("/1") + "/3"
    with Redis.from_url(url) as client:
        client.flushdb()
        yield url


def message(account_id: str, task: str = ANALYZE, queue: str = "celery", **headers: Any) -> dict[str, Any]:
    return {
        "body": json.dumps([[account_id], {}, {}]),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {"task": task, "id": f"{task}-{account_id}", **headers},
        "properties": {"delivery_info": {"exchange": "", "routing_key": queue}, "delivery_tag": account_id},
    }


def delivered(theirs: Redis, told: dict[str, Any], exchange: str, key: str) -> None:
    tag = told["properties"]["delivery_tag"]
    theirs.hset("unacked", tag, json.dumps([told, exchange, key]))
    theirs.zadd("unacked_index", {tag: time.time()})


def moved(redis: Redis, theirs: Redis, path: Path, queues: tuple[str, ...] = ()) -> dict[str, int]:
    move = Move(Broker(theirs, "", queues), Mover(redis, theirs), Jobs(redis, Settings()), Aside(path), {}, time.time)
    return dict(move.run(Report()).kinds)


def waiting(redis: Redis, queue: str = "default") -> list[str]:
    return [raw.decode() for raw in redis.lrange(f"rq:queue:{queue}", 0, -1)]


def test_of_a_named_queue_alone_nothing_of_other_applications_is_touched(redis, redis_server, broker, tmp_path):
    """Another application of Celery's at work in the same database keeps its messages, bindings and results."""
    with Redis.from_url(broker) as theirs:
        theirs.lpush("mw", json.dumps(message("1", queue="mw")))
        delivered(theirs, message("2"), "", "mw")
        delivered(theirs, message("3"), "judging", "judge")
        for queue in ("mw", "shop"):
            member = SEPARATOR.join(("judge" if queue == "mw" else "sell", "", queue))
            theirs.sadd("_kombu.binding.judging", member)
        theirs.set("celery-task-meta-5", "a result of the shop's")
        theirs.lpush("shop", json.dumps(message("6", "shop.pay")))
        delivered(theirs, message("7", "shop.pay"), "", "shop")
        delivered(theirs, message("8", "shop.pay"), "judging", "sell")
        told = migrate("--broker", broker, "--queue", "mw", "--json", ours=redis_server, cwd=str(tmp_path))
        assert told.returncode == 0, told.stderr
        report = json.loads(told.stdout)
        assert (report["by_outcome"], report["left"], report["keys_of_celery_removed"]) == ({"queued": 3}, 0, 0)
        assert sorted(waiting(redis)) == [f"analyze_and_maybe_report-{n}" for n in (1, 2, 3)]
        assert sorted(theirs.hkeys("unacked")) == theirs.zrange("unacked_index", 0, -1) == [b"7", b"8"]
        assert (theirs.llen("shop"), theirs.scard("_kombu.binding.judging")) == (1, 2)
        assert theirs.exists("celery-task-meta-5")
    assert not (tmp_path / "celery-left-over.jsonl").exists()


def test_steps_of_priority_of_ones_own_are_found(redis, broker, tmp_path):
    with Redis.from_url(broker) as theirs:
        for step in range(10):
            key = f"celery{SEPARATOR}{step}" if step else "celery"
            theirs.lpush(key, json.dumps(message(str(step))))
        assert moved(redis, theirs, tmp_path / "file") == {"queued": 10}
        assert waiting(redis) == [f"analyze_and_maybe_report-{step}" for step in range(10)]


def test_a_separator_of_ones_own_is_told_and_its_lists_may_be_named(redis, redis_server, broker, tmp_path):
    with Redis.from_url(broker) as theirs:
        theirs.sadd("_kombu.binding.celery", "celery:::celery")
        theirs.lpush("celery:3", json.dumps(message("1")))
        with pytest.raises(ConfigError, match="name each of Celery's lists with --queue"):
            Broker(theirs).queues()
        for options in (("--dry-run",), ()):
            done = migrate("--broker", broker, *options, ours=redis_server, cwd=str(tmp_path))
            assert (done.returncode, "--queue celery:3" in done.stderr) == (2, True)
        assert theirs.exists("_kombu.binding.celery")
        delivered(theirs, message("2"), "celery", "celery")
        assert moved(redis, theirs, tmp_path / "file", ("celery", "celery:3")) == {"queued": 2}


def test_a_redis_of_celerys_that_is_full_is_emptied(redis, tmp_path):
    with private_redis() as url, Redis.from_url(url) as theirs:
        theirs.lpush("celery", *(json.dumps(message(str(n))) for n in range(3)))
        theirs.lpush("celery", json.dumps(message("4", "app.poll_admin_accounts")))
        theirs.config_set("maxmemory", 1)
        assert moved(redis, theirs, tmp_path / "file") == {"queued": 3, "recurs": 1}
        assert not theirs.exists("celery")


def test_a_delayed_job_that_is_joined_goes_on_its_own_queue_and_begins_to_wait(redis, broker, tmp_path):
    jobs, now = Jobs(redis, Settings()), time.time()
    record = jobs.record("analyze_and_maybe_report", {"account_id": "7"}, urgent=True)
    job = f"rq:job:{record.job_id}"
    redis.hset(job, mapping=dict(zip(record.fields[::2], record.fields[1::2], strict=True)))
    redis.hset(job, mapping={"status": "scheduled", "enqueued_at": ""})
    redis.zadd("rq:scheduled:high", {record.job_id: now + timedelta(hours=1).total_seconds()})
    with Redis.from_url(broker) as theirs:
        theirs.lpush("celery", json.dumps(message("7")))
        assert moved(redis, theirs, tmp_path / "file") == {"joined": 1}
    assert (waiting(redis, "high"), waiting(redis)) == ([record.job_id], [])
    assert redis.hget(job, "status") == b"queued"
    assert redis.hget(job, "enqueued_at")
    assert not redis.exists("rq:scheduled:high")
