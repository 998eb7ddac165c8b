"""/metrics over the real app and a real Redis: every figure, in a form that Prometheus' own tool accepts."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse
from redis import Redis
from redis.connection import Connection

from mastowatch import __version__, metrics
from mastowatch.adapters import redis_store
from mastowatch.adapters.budget import Budget
from mastowatch.adapters.redis_quotas import RedisHeld
from mastowatch.adapters.redis_rule_stats import RedisRuleStats
from mastowatch.adapters.redis_rule_switches import RedisRuleSwitches
from mastowatch.adapters.redis_stream_notes import RedisStreamNotes
from mastowatch.config import Loaded, Settings
from mastowatch.jobs import context as contexts
from mastowatch.jobs.context import View, ensure_layout
from mastowatch.jobs.exposition import LABEL_MAX, label
from mastowatch.jobs.families import FAMILIES, LABELED, PLAIN
from mastowatch.jobs.scheduler import get_scheduler
from mastowatch.jobs.webhook_events import EVENTS
from mastowatch.ports.types import EVERY_RULE, OpenReport, StreamNote
from mastowatch.reliable.serializer import JsonQueue
from mastowatch.web.app import create_api
from tests.asgi import client_of
from tests.engine import fail, made, pid
from tests.redis_server import free_port
from tests.snapshot import snapshot

pytestmark = pytest.mark.redis

ROOT = Path(__file__).parents[2]
KEY = "a key of the tests"
KEY_HEADER = {"Authorization": f"Bearer {KEY}"}
OPENMETRICS = "application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5"


@pytest.fixture
def view(redis: Redis) -> View:
    return contexts.view(Loaded(Settings(), {}), redis)


@pytest.fixture
def client(view: View) -> Iterator[httpx.Client]:
    with client_of(create_api(view, KEY)) as client:
        client.headers.update(KEY_HEADER)
        yield client


def figures(client: httpx.Client) -> dict[tuple[str, ...], float]:
    """Return the samples of a scrape by name and labels, as in ("rq_jobs", "default", "queued")."""
    answer = client.get("/metrics")
    assert answer.status_code == 200, answer.text
    found = {}
    for family in parse(answer.text):
        for sample in family.samples:
            labels = FAMILIES.get(sample.name, FAMILIES.get(f"{family.name}")).labels
            extra = (sample.labels["le"],) if "le" in sample.labels else ()
            found[sample.name, *(sample.labels[name] for name in labels), *extra] = sample.value
    return found


def live(redis: Redis) -> None:
    """Leave something of every kind in Redis."""
    now = time.time()
    queue = JsonQueue("default", connection=redis)
    queue.enqueue(pid, job_id="good")
    queue.enqueue(fail, job_id="bad")
    with made(redis) as worker:
        worker.work(burst=True)
    redis.sadd("rq:workers", "rq:worker:w-1-abcdef")
    birth = {"state": "idle", "queues": "high,default", "successful_job_count": 7, "failed_job_count": 2}
    redis.hset("rq:worker:w-1-abcdef", mapping={**birth, "total_working_time": 3.5})
    queue.enqueue(pid, job_id="waits")
    get_scheduler(redis, Settings()).assert_schedules(now)
    tick = dict.fromkeys(("poll_admin_accounts", "send_alerts"), now - 5)
    redis.hset("rq:scheduler:last_tick", mapping=tick)
    redis.hset("rq:job:poll_admin_accounts", mapping={"status": "finished", "started_at": "2026-01-01T00:00:00Z"})
    redis.hset("rq:job:poll_admin_accounts", "ended_at", "2026-01-01T00:00:01Z")
    redis.sadd("rq:scheduler:paused", "send_alerts")
    redis_store.RedisTally(redis).add_all({metrics.REPORTS_FILED: 3, metrics.WEBHOOKS_QUEUED: 4})
    redis_store.RedisTally(redis).add(metrics.webhook_event("status.created"), 5)
    stats = RedisRuleStats(redis)
    stats.hits("1", {"casino": False, "new": True}, now)
    stats.filed(OpenReport("1", "1", ("casino",), now, ""), now + 60)
    RedisRuleSwitches(redis).drop("casino", "too many", "breaker", now)
    RedisRuleSwitches(redis).drop(EVERY_RULE, "too many", "breaker", now)
    RedisHeld(redis).hold("casino", "7", now)
    budget = Budget(redis, clock=time.time)
    for took_s in (0.04, 0.3, 60.0):
        budget.take("judge", paged=True)
        budget.learn({}, paged=True, status=200, took_s=took_s)
    budget.unanswered()
    budget.take("poll", paged=False)
    budget.learn({}, paged=False, status=503, took_s=0.2)
    RedisStreamNotes(redis).note(StreamNote(now, connected=True, covering=True, lag_s=1.5, post_at=now))


def test_a_queue_whose_last_worker_was_killed_has_none(redis, client):
    """Nobody is left to take its name out of RQ's lists."""
    with made(redis) as worker:
        worker.register_birth()
        assert figures(client)["mastowatch_queue_workers", "default"] == 1
        redis.delete(worker.key)  # as when its registration has run out
        assert redis.smembers("rq:workers:default")
        assert figures(client)["mastowatch_queue_workers", "default"] == 0


def test_each_figure_is_that_of_redis(redis, client):
    live(redis)
    with ensure_layout(redis, "worker"):
        found = figures(client)
    expected = {
        ("rq_workers", "w-1-abcdef", "idle", "high,default"): 1,
        ("rq_workers_success_total", "w-1-abcdef", "high,default"): 7,
        ("rq_workers_failed_total", "w-1-abcdef", "high,default"): 2,
        ("rq_workers_working_time_total", "w-1-abcdef", "high,default"): 3.5,
        ("rq_jobs", "default", "queued"): 1,
        ("rq_jobs", "default", "finished"): 1,
        ("rq_jobs", "default", "failed"): 1,
        ("mastowatch_jobs_finished_total", "default"): 1,
        ("mastowatch_jobs_failed_total", "default"): 1,
        ("mastowatch_queue_paused", "default"): 0,
        ("mastowatch_recurring_paused", "send_alerts"): 1,
        ("mastowatch_recurring_last_status", "poll_admin_accounts", "finished"): 1,
        ("mastowatch_recurring_last_duration_seconds", "poll_admin_accounts"): 1,
        ("mastowatch_reports_filed_total",): 3,
        ("mastowatch_webhooks_total", "queued"): 4,
        ("mastowatch_webhooks_total", "refused"): 0,
        ("mastowatch_webhook_events_total", "status.created"): 5,
        ("mastowatch_requests_total", "judge"): 3,
        ("mastowatch_requests_paged_total",): 3,
        ("mastowatch_answers_total", "2xx"): 3,
        ("mastowatch_answers_total", "5xx"): 1,
        ("mastowatch_answers_total", "none"): 1,
        ("mastowatch_request_duration_seconds_bucket", "judge", "0.05"): 1,
        ("mastowatch_request_duration_seconds_bucket", "judge", "0.5"): 2,
        ("mastowatch_request_duration_seconds_bucket", "judge", "+Inf"): 3,
        ("mastowatch_request_duration_seconds_count", "judge"): 3,
        ("mastowatch_request_duration_seconds_sum", "judge"): pytest.approx(60.34),
        ("mastowatch_budget_limit", "token"): 300,
        ("mastowatch_budget_left", "paging"): 297,
        ("mastowatch_rule_accounts", "casino", "report"): 1,
        ("mastowatch_rule_accounts", "new", "shadow"): 1,
        ("mastowatch_rule_reports_total", "casino"): 1,
        ("mastowatch_rule_dropped", "casino"): 1,
        ("mastowatch_rule_dropped", "new"): 0,
        ("mastowatch_held_accounts", "casino"): 1,
        ("mastowatch_reporting_paused",): 1,
        ("mastowatch_reports_open",): 1,
        ("mastowatch_stream_connected",): 1,
        ("mastowatch_stream_lag_seconds",): 1.5,
        ("mastowatch_panic_stop",): 0,
        ("mastowatch_dry_run",): 1,
        ("mastowatch_layout",): 1,
        ("mastowatch_unreadable",): 0,
    }
    assert {name: found.get(name) for name in expected} == expected
    assert sum(value for name, value in found.items() if name[0] == "mastowatch_processes") == 1
    assert found["rq_queue_latency_seconds", "default"] > 0
    assert found["mastowatch_redis_memory_used_bytes",] > 0
    assert ("mastowatch_recurring_next_run_timestamp_seconds", "send_alerts") not in found


def test_every_documented_figure_is_given_and_no_other(redis, client):
    live(redis)
    with ensure_layout(redis, "worker"):
        given = {one.name for one in openmetrics(client.get("/metrics", headers={"Accept": OPENMETRICS}).text)}
    assert given == {name.removesuffix("_total") for name in FAMILIES}


def test_a_look_writes_nothing_and_costs_no_more_for_more_jobs(redis, client, monkeypatch):
    live(redis)
    before = snapshot(redis)
    sent: list[bool] = []
    send = Connection.send_packed_command
    monkeypatch.setattr(Connection, "send_packed_command", lambda *args, **kw: sent.append(True) or send(*args, **kw))
    client.get("/metrics")
    assert len(sent) <= 16
    monkeypatch.undo()
    after = snapshot(redis)  # what runs out by itself may have done so
    assert {key: value for key, value in after.items() if before.get(key) != value} == {}


def test_prometheus_own_tool_finds_nothing_to_say(redis, client, promtool):
    live(redis)
    with ensure_layout(redis, "worker"):
        body = client.get("/metrics").content
    done = subprocess.run([promtool, "check", "metrics"], input=body, capture_output=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_it_speaks_openmetrics_to_those_who_ask(client):
    answer = client.get("/metrics", headers={"Accept": OPENMETRICS})
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert answer.text.endswith("# EOF\n")
    assert client.get("/metrics").headers["Content-Type"].startswith("text/plain; version=0.0.4")


def test_a_stranger_gets_nothing(client):
    assert client.get("/metrics", headers={"Authorization": "Bearer wrong"}).status_code == 401


def test_without_redis_it_is_503():
    with Redis(port=free_port()) as away, client_of(create_api(contexts.view(Loaded(Settings(), {}), away), KEY)) as it:
        answer = it.get("/metrics", headers=KEY_HEADER)
    assert answer.status_code == 503
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("key", "lost"),
    [
        ("mastowatch:tally", "mastowatch_reports_filed_total"),
        ("mastowatch:durations", "mastowatch_request_duration_seconds_count"),
        ("mastowatch:rules:dropped", "mastowatch_reporting_paused"),
        ("mastowatch:stream", "mastowatch_stream_connected"),
        ("mastowatch:processes", "mastowatch_processes"),
        ("rq:workers", "rq_workers"),
        ("rq:queue:default", "rq_jobs"),
        ("rq:scheduler:paused", "mastowatch_recurring_paused"),
    ],
)
@pytest.mark.parametrize("found", ["string", "hash of nonsense"])
def test_a_part_that_can_not_be_read_costs_its_own_figures_alone(redis, client, key, lost, found):
    live(redis)
    redis.delete(key)
    if found == "string":
        redis.set(key, "nonsense")
    else:
        redis.hset(key, mapping={"judge:sum": "x", "reports_filed": "x", "at": "x", "connected": "x"})
    given = figures(client)
    if found == "string" or key in ("mastowatch:tally", "mastowatch:durations", "mastowatch:stream"):
        assert lost not in {name[0] for name in given}
        assert given["mastowatch_unreadable",] >= 1
    assert given["mastowatch_build_info", __version__] == 1


def test_what_strangers_name_is_bounded_and_in_one_line(redis, client):
    ugly = 'a"b\\c\nd\x00e\u2028' + "x" * 1000
    redis.sadd("rq:workers", f"rq:worker:{ugly}")
    redis.hset(f"rq:worker:{ugly}", mapping={"state": ugly, "queues": "default"})
    redis.sadd("rq:queues", f"rq:queue:{ugly}", b"rq:queue:\xff")
    redis.zadd(RedisRuleStats.KNOWN, {ugly: 1})
    found = figures(client)
    assert ("rq_workers", label(ugly), label(ugly), "default") in found
    assert label(ugly) == 'a"b\\c\ufffdd\ufffde\ufffd' + "x" * (LABEL_MAX - 10)
    assert {len(line) < 2000 for line in client.get("/metrics").text.splitlines()} == {True}


def test_a_hundred_strange_queues_are_enough(redis, client):
    redis.sadd("rq:queues", *(f"rq:queue:q{number}" for number in range(300)))
    assert len({name[1] for name in figures(client) if name[0] == "rq_jobs"}) == 100


def test_the_settings_count_as_the_switches_do(redis, view):
    for settings, expected in (
        (Settings(dry_run=False), (0, 0)),
        (Settings(dry_run=True), (1, 0)),
        (Settings(dry_run=False, panic_stop=True), (0, 1)),
    ):
        with client_of(create_api(replace(view, settings=settings), KEY)) as client:
            client.headers.update(KEY_HEADER)
            found = figures(client)
        assert (found["mastowatch_dry_run",], found["mastowatch_panic_stop",]) == expected


def test_every_counter_of_the_tally_is_given():
    named = {value for name, value in vars(metrics).items() if name.isupper() and isinstance(value, str)}
    assert named <= {*PLAIN.values(), *(name for names in LABELED.values() for name in names)}
    assert set(metrics.WEBHOOK_EVENTS) == set(EVENTS)


def test_the_reference_lists_every_figure_as_it_is():
    told = [line for line in (ROOT / "docs/reference/metrics.md").read_text().splitlines() if line.startswith("| `")]
    assert told == [row(one) for one in FAMILIES.values()]


def row(family) -> str:
    labels = ", ".join(f"`{name}`" for name in family.labels)
    return f"| `{family.name}` | {family.kind} | {labels} | {family.about} |"
