"""The move from Celery, with messages that a real Celery 5.7 has written to a real Redis."""

from __future__ import annotations

import json
import random
import signal
import stat
import subprocess
import time
from collections import Counter

import pytest
from redis import Redis

from tests.celery_producer import command, environ, migrate, send, working
from tests.redis_server import private_redis

pytestmark = pytest.mark.redis

ANALYZE = "app.tasks.jobs.analyze_and_maybe_report"


@pytest.fixture
def broker(redis_server: str):
    """Celery's database on the same server as ours."""
    url = redis_server.removesuffix("/1") + "/3"
    with Redis.from_url(url) as client:
        client.flushdb()
        yield url


def told(done: subprocess.CompletedProcess[str]) -> dict:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def waiting(redis: Redis, queue: str = "default") -> list[str]:
    return [raw.decode() for raw in redis.lrange(f"rq:queue:{queue}", 0, -1)]


def kwargs(redis: Redis, job_id: str) -> dict:
    from mastowatch.jobs.detail import read_job

    return read_job(redis, job_id, time.time()).kwargs


def test_what_celery_writes_becomes_our_jobs(redis, redis_server, broker, tmp_path):
    payload = {"account": {"id": "7", "email": "a@b.example"}, "email": "a@b.example", "ip": "192.0.2.7"}
    sends = []
    for protocol in (1, 2):
        base = protocol * 100
        sends += [
            (protocol, ANALYZE, {"args": [str(base + 1)]}),
            (protocol, ANALYZE, {"kwargs": {"account_id": base + 2}, "priority": 6}),
            (protocol, ANALYZE, {"args": [payload | {"account": {"id": str(base + 3)}}], "compression": "gzip"}),
            (protocol, ANALYZE, {"args": [str(base + 4)], "countdown": 900}),
            (protocol, ANALYZE, {"args": [str(base + 5)], "eta": "2020-01-01T00:00:00+00:00"}),
            (protocol, ANALYZE, {"args": [str(base + 6)], "queue": "default", "compression": "bzip2"}),
            (protocol, "app.tasks.jobs.process_new_status", {"args": [{"status": {"id": str(base + 7)}}]}),
            (protocol, "app.tasks.jobs.process_new_report", {"args": [{"report": {"id": str(base + 8)}}]}),
            (protocol, "app.tasks.jobs.poll_admin_accounts", {}),
            (protocol, ANALYZE, {"args": [str(base + 9)], "expires": -5}),
            (protocol, ANALYZE, {"args": [str(base + 10)], "serializer": "pickle"}),
            (protocol, "elsewhere.tasks.send_mail", {"args": ["a@b.example"]}),
            (protocol, ANALYZE, {"args": [{"no": "id"}]}),
        ]
    send(broker, *sends)
    now = time.time()
    report = told(migrate("--broker", broker, "--json", ours=redis_server, cwd=str(tmp_path)))

    assert report["by_outcome"] == {"queued": 14, "delayed": 2, "recurs": 2, "expired": 2, "unknown": 6}
    assert sorted(waiting(redis)) == sorted(
        f"analyze_and_maybe_report-{base + n}" for base in (100, 200) for n in (1, 2, 3, 5, 6)
    )
    assert sorted(waiting(redis, "high")) == sorted(
        [f"process_new_status-{base + 7}" for base in (100, 200)]
        + [f"annotate_report-{base + 8}" for base in (100, 200)]
    )
    delayed = dict(redis.zrange("rq:scheduled:default", 0, -1, withscores=True))
    assert set(delayed) == {b"analyze_and_maybe_report-104", b"analyze_and_maybe_report-204"}
    assert all(now + 850 < due < now + 905 for due in delayed.values())
    assert kwargs(redis, "analyze_and_maybe_report-103") == {"account_id": "103"}
    assert kwargs(redis, "process_new_status-207") == {"status_id": "207"}
    # Nothing of a person comes along, in no key of ours.
    everything = b"".join(redis.dump(key) or b"" for key in redis.scan_iter())
    assert b"a@b.example" not in everything
    with Redis.from_url(broker) as theirs:
        assert list(theirs.scan_iter()) == []

    file = tmp_path / "celery-left-over.jsonl"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    kept = [json.loads(line) for line in file.read_text().splitlines()]
    assert Counter(line["why"] for line in kept) == {
        "its body is a pickle, which is never read": 2,
        "there is no task 'send_mail' here": 2,
        "no account_id is in its arguments": 2,
    }
    assert all("body" in json.loads(line["message"]) for line in kept)


def test_a_rehearsal_tells_the_same_and_changes_nothing(redis, redis_server, broker, tmp_path):
    send(broker, (2, ANALYZE, {"args": ["1"]}), (2, "x.y", {}), (1, ANALYZE, {"args": ["2"], "countdown": 60}))
    with Redis.from_url(broker) as theirs:
        before = {key: theirs.dump(key) for key in theirs.scan_iter()}
        report = told(migrate("--broker", broker, "--dry-run", "--json", ours=redis_server, cwd=str(tmp_path)))
        assert {key: theirs.dump(key) for key in theirs.scan_iter()} == before
    assert report["by_outcome"] == {"queued": 1, "delayed": 1, "unknown": 1}
    assert list(redis.scan_iter()) == []
    assert not (tmp_path / "celery-left-over.jsonl").exists()


def test_the_oldest_comes_first_and_the_most_urgent_list_before(redis, redis_server, broker, tmp_path):
    sends = [(2, ANALYZE, {"args": [str(n)], "priority": 9 if n < 150 else 0}) for n in range(300)]
    send(broker, *sends)
    told(migrate("--broker", broker, "--json", ours=redis_server, cwd=str(tmp_path)))
    order = [int(name.rpartition("-")[2]) for name in waiting(redis)]
    assert order == [*range(150, 300), *range(150)]


def test_the_same_work_is_queued_once_and_at_the_earlier_time(redis, redis_server, broker, tmp_path):
    send(broker, (2, ANALYZE, {"args": ["1"], "countdown": 900}), (2, ANALYZE, {"args": ["1"], "countdown": 300}))
    told(migrate("--broker", broker, "--json", ours=redis_server, cwd=str(tmp_path)))
    (score,) = (score for _, score in redis.zrange("rq:scheduled:default", 0, -1, withscores=True))
    assert time.time() + 200 < score < time.time() + 305
    send(broker, (2, ANALYZE, {"args": ["1"]}))
    report = told(migrate("--broker", broker, "--json", ours=redis_server, cwd=str(tmp_path)))
    assert report["by_outcome"] == {"joined": 1}
    assert waiting(redis) == ["analyze_and_maybe_report-1"]
    assert redis.zcard("rq:scheduled:default") == 0


def test_celery_must_be_stopped_first_and_what_its_dead_worker_held_comes_along(redis, redis_server, broker, tmp_path):
    send(broker, *((2, ANALYZE, {"args": [str(n)]}) for n in range(20)))
    with working(broker):
        refused = migrate("--broker", broker, ours=redis_server, cwd=str(tmp_path))
        assert refused.returncode == 1
        assert "stop Celery and its beat first" in refused.stderr
        assert list(redis.scan_iter()) == []
    with Redis.from_url(broker) as theirs:
        assert theirs.hlen("unacked") > 0
    report = told(migrate("--broker", broker, "--celery-is-stopped", "--json", ours=redis_server, cwd=str(tmp_path)))
    assert report["by_outcome"] == {"queued": 20}
    assert sorted(waiting(redis)) == sorted(f"analyze_and_maybe_report-{n}" for n in range(20))
    with Redis.from_url(broker) as theirs:
        assert list(theirs.scan_iter()) == []


@pytest.mark.parametrize("servers", ["one server", "two servers"])
def test_killed_again_and_again_it_loses_none_and_does_none_twice(redis, redis_server, tmp_path, servers):
    with private_redis() as other:
        broker = redis_server.removesuffix("/1") + "/3" if servers == "one server" else other
        with Redis.from_url(broker) as theirs:
            theirs.flushdb()
            send(broker, *((2, ANALYZE, {"args": [str(n)]}) for n in range(600)), *((2, "x.y", {}) for _ in range(40)))
            chance, kills = random.Random(7), 0
            # Workers take jobs meanwhile: what is moved a second time would then be done a second time.
            done: Counter[bytes] = Counter()
            while theirs.llen("celery"):
                env, where = environ(redis_server), str(tmp_path)
                moving = subprocess.Popen(command("--broker", broker, "--celery-is-stopped"), env=env, cwd=where)
                until = theirs.llen("celery") - chance.randrange(5, 40)
                while theirs.llen("celery") > max(until, 0) and moving.poll() is None:
                    # One at a time: it might keep up with the move, which then comes to its end.
                    if (job := redis.lpop("rq:queue:default")) is not None:
                        done[job] += 1
                        redis.delete(b"rq:job:" + job)
                moving.send_signal(signal.SIGKILL)
                moving.wait()
                kills += 1
            told(migrate("--broker", broker, "--celery-is-stopped", "--json", ours=redis_server, cwd=str(tmp_path)))
            done.update(redis.lrange("rq:queue:default", 0, -1))
    assert kills >= 2
    assert done == {f"analyze_and_maybe_report-{n}".encode(): 1 for n in range(600)}
    kept = [json.loads(line) for line in (tmp_path / "celery-left-over.jsonl").read_text().splitlines()]
    assert len({line["message_sha256"] for line in kept}) == len(kept) == 40


def test_told_to_stop_it_ends_after_the_message_at_hand_and_says_what_is_left(redis, redis_server, broker, tmp_path):
    send(broker, *((2, ANALYZE, {"args": [str(n)]}) for n in range(3000)))
    with Redis.from_url(broker) as theirs:
        moving = subprocess.Popen(
            command("--broker", broker), env=environ(redis_server), cwd=str(tmp_path), stdout=subprocess.PIPE, text=True
        )
        while theirs.llen("celery") == 3000:
            assert moving.poll() is None
        moving.send_signal(signal.SIGTERM)
        out, _ = moving.communicate(timeout=60)
        left = theirs.llen("celery")
    assert 0 < left < 3000
    assert moving.returncode == 1
    assert f"{left} messages are left; run this again." in out
    assert len(waiting(redis)) == 3000 - left


def test_queues_prefix_and_names_of_an_admins_own(redis, redis_server, broker, tmp_path):
    send(
        broker,
        (2, "old.judge", {"args": ["5"], "queue": "mw"}),
        (2, ANALYZE, {"args": ["6"], "queue": "others"}),
        options={"global_keyprefix": "p:"},
    )
    options = ("--prefix", "p:", "--queue", "mw", "--map", "old.judge=analyze_and_maybe_report", "--json")
    report = told_left(migrate("--broker", broker, *options, ours=redis_server, cwd=str(tmp_path)))
    assert report["by_outcome"] == {"queued": 1}
    assert waiting(redis) == ["analyze_and_maybe_report-5"]
    with Redis.from_url(broker) as theirs:
        assert theirs.llen("p:others") == 1


def told_left(done: subprocess.CompletedProcess[str]) -> dict:
    return json.loads(done.stdout)


def test_tells_which_of_redbeats_entries_it_takes_over(redis, redis_server, broker, tmp_path):
    with Redis.from_url(broker) as theirs:
        entry = {
            "name": "poll",
            "task": "app.tasks.jobs.poll_admin_accounts",
            "schedule": {"__type__": "interval", "every": 45},
        }
        stats = entry | {"name": "stats", "task": "app.queue_stats"}
        own = entry | {"name": "own\x1b[2J", "task": "my.poll"}
        other = {"name": "mail", "task": "elsewhere.mail", "schedule": {"__type__": "crontab"}}
        for one in (entry, stats, own, other):
            theirs.hset(f"redbeat:{one['name']}", "definition", json.dumps(one))
            theirs.zadd("redbeat::schedule", {f"redbeat:{one['name']}": 1})
        theirs.lpush("celery", json.dumps({"properties": {}, "headers": {"task": "odd\x1b[2J"}}))
    options = ("--map", "my.poll=poll_admin_accounts")
    out = migrate("--broker", broker, "--dry-run", *options, ours=redis_server, cwd=str(tmp_path)).stdout
    assert "\x1b" not in out
    assert "Beat's entry stats (app.queue_stats, every 45 s): taken over, every " in out
    assert "(my.poll, every 45 s): taken over, every 30 s" in out
    assert "Beat's entry poll (app.tasks.jobs.poll_admin_accounts, every 45 s): taken over, every 30 s" in out
    assert "Beat's entry mail (elsewhere.mail, at times of its own): not ours; it runs no longer" in out


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--broker", "redis://:secret@h/0"), "--broker: leave the password out of the address"),
        (("--broker", "amqp://h"), "--broker: amqp: must begin with redis://"),
        (("--broker", "redis://h/0?password=secret"), "--broker: leave the password out of the address"),
        (("--broker", "redis://h:secret/0"), "--broker: can't be used as an address"),
        (("--broker", "redis://[::1/0"), "--broker: can't be used as an address"),
        (("--broker", "redis://h/0?db=x"), "--broker: can't be used as an address"),
        (("--broker", "redis://h/0?heartbeat=5"), "--broker: can't be used as an address"),
        (("--broker", "redis://h/zero"), "--broker: zero is no number of a database"),
        (
            ("--broker", "redis://h/0", "--broker-password-file", "/bin/sh"),
            "--broker-password-file: /bin/sh: is no text",
        ),
        (("--broker", "redis://h/0", "--map", "a.b=nothing"), "--map a.b=nothing: give it as CELERY.NAME=TASK"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(redis_server, tmp_path, options, complaint):
    done = migrate(*options, ours=redis_server, cwd=str(tmp_path))
    assert done.returncode == 2
    assert complaint in done.stderr
    assert "secret" not in done.stderr


@pytest.mark.parametrize("broker", ["redis://127.0.0.1:1/0", "rediss://127.0.0.1:1/0?ssl_cert_reqs=CERT_NONE"])
def test_a_redis_that_is_away_loses_nothing(redis_server, tmp_path, broker):
    """Celery writes CERT_NONE where redis-py writes none, and wants it in the address."""
    done = migrate("--broker", broker, ours=redis_server, cwd=str(tmp_path))
    assert done.returncode == 1
    assert "nothing is lost" in done.stderr
    assert "refused" in done.stderr
