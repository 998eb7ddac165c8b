"""A host at rest, with a password on its Redis: what the units could do, what they log, and that no secret shows."""

from __future__ import annotations

import contextlib
import time
import zlib

import pytest
from redis import Redis

from tests.demo.population import TOKEN
from tests.host.suite import ENV_FILE, SCHEDULER, SERVICES, TARGET, UNITS, WORKER, exposure
from tests.host.waiting import wait

EXPOSURE_MAX = 1.2
LINES_AN_HOUR = 10
# At the intervals set here so long holds as many polls as a minute and a half at the defaults.
REST_S = 30.0
REDIS_PASSWORD = "hunter2-of-redis"
PASSWORD_FILE = "/etc/mastowatch/credentials/redis_password"
SEVERITIES = {"CRITICAL": "2", "ERROR": "3", "WARNING": "4", "INFO": "6", "DEBUG": "7"}


@pytest.fixture(scope="module", autouse=True)
def rest(suite):
    """Give Redis a password, and after the restart leave the host alone; yields since when, and the place."""
    suite.host.write(PASSWORD_FILE, REDIS_PASSWORD, 0o600)
    suite.host.run("redis-cli", "config", "set", "requirepass", REDIS_PASSWORD)
    suite.redis_password = REDIS_PASSWORD
    suite.systemctl("restart", TARGET)
    wait(suite.all_active, 60, "all units are active")
    wait(suite.works(), 60, "work goes on with the password")
    yield time.monotonic(), suite.now()
    suite.redis_password = ""
    suite.host.path(PASSWORD_FILE).unlink()
    suite.host.run("redis-cli", "-a", REDIS_PASSWORD, "config", "set", "requirepass", "")
    suite.systemctl("restart", TARGET)
    wait(suite.works(), 60, "work goes on without the password")


@pytest.mark.parametrize("unit", SERVICES)
def test_exposure(suite, measured, unit):
    found = exposure(suite.host, unit)
    measured(f"exposure, {unit.removeprefix('mastowatch-').removesuffix('.service')}", f"{found:.1f}")
    assert found <= EXPOSURE_MAX


def test_the_directives_are_in_force(suite):
    """Systemd leaves out what it can't do without a word, so look from inside a worker."""
    pid = suite.pid(WORKER)
    told = dict(line.split(":\t", 1) for line in suite.host.sh(f"grep : /proc/{pid}/status").splitlines())
    assert told["NoNewPrivs"] == "1"
    assert told["Seccomp"] == "2"
    assert {told[name] for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb")} == {"0" * 16}
    enter = f"nsenter -t {pid} -m"
    assert suite.host.run("sh", "-c", f"{enter} touch /etc/x /usr/x /var/x 2>/dev/null", check=False).status != 0
    assert suite.host.sh(f"{enter} ls -A /home /root", check=False).split() == ["/home:", "/root:"]
    devices = suite.host.sh(f"{enter} ls /dev").split()
    assert not {"kmsg", "mem", "sda", "vda", "fuse"} & set(devices)


def test_no_secret_shows_anywhere(suite):
    secrets = [TOKEN, suite.key, REDIS_PASSWORD]
    told = {
        "the journal": suite.host.run("journalctl", "-q", "--all", "-o", "export").out,
        "systemctl show": suite.systemctl("show", *UNITS).out + suite.systemctl("status", *UNITS).out,
        "systemctl cat": suite.systemctl("cat", *UNITS).out,
        "environments": suite.host.sh("cat /proc/[0-9]*/environ | tr '\\0' '\\n'", check=False),
        "command lines": suite.host.sh("cat /proc/[0-9]*/cmdline | tr '\\0' '\\n'", check=False),
        "config show": suite.host.run("mastowatch", "config", "show").out,
        "Redis": _dump(suite),
    }
    assert "CREDENTIALS_DIRECTORY" in told["environments"]
    assert "analyze_and_maybe_report" in told["Redis"]
    assert [(where, one) for where, text in told.items() for one in secrets if one in text] == []


def test_the_secrets_lie_in_the_credentials_alone(suite):
    session_key = suite.host.run("cat", "/etc/mastowatch/credentials/session_key").out.strip()
    patterns = " ".join(f"-e {one}" for one in (TOKEN, suite.key, REDIS_PASSWORD, session_key))
    found = suite.host.sh(f"grep -rlsF {patterns} /etc /var /run /tmp /srv /opt", check=False).split()
    assert sorted(one for one in found if not one.startswith("/run/credentials/")) == [
        f"/etc/mastowatch/credentials/{name}" for name in ("access_token", "api_key", "redis_password", "session_key")
    ]
    # Not even the user whose units have them may read them beside these.
    done = suite.host.run("sh", "-c", "cat /run/credentials/*/*", user="carla", check=False)
    assert (done.out, done.status != 0) == ("", True)


def _dump(suite):
    """Return all that Redis holds as text."""
    texts = []
    with Redis(port=6379, db=1, password=REDIS_PASSWORD) as redis:
        for key in redis.scan_iter(count=1000):
            command = _READ[redis.type(key).decode()]
            texts += [key.decode(), *(_text(one) for one in _flat(redis.execute_command(*command(key))))]
    return "\n".join(texts)


_READ = {
    "string": lambda key: ("GET", key),
    "list": lambda key: ("LRANGE", key, 0, -1),
    "set": lambda key: ("SMEMBERS", key),
    "hash": lambda key: ("HGETALL", key),
    "zset": lambda key: ("ZRANGE", key, 0, -1),
    "stream": lambda key: ("XRANGE", key, "-", "+"),
    "none": lambda key: ("ECHO", ""),
}


def _flat(value):
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, list | tuple | set):
        return [leaf for one in value for leaf in _flat(one)]
    return [value]


def _text(value):
    raw = value if isinstance(value, bytes) else str(value).encode()
    with contextlib.suppress(zlib.error):
        raw = zlib.decompress(raw)  # RQ's way with a job's data
    return raw.decode(errors="replace")


def test_every_line_is_json_with_the_right_priority(suite):
    entries = [one for one in suite.journal(0) if one["_TRANSPORT"] == "stdout"]
    assert len(entries) > 20
    lines = suite.lines(0)
    assert all({"time", "level", "event"} <= set(line) for line in lines)
    wrong = [one for one, line in zip(entries, lines, strict=True) if one["PRIORITY"] != SEVERITIES[line["level"]]]
    assert wrong == []


def test_priority_err_shows_the_errors_and_nothing_else(suite):
    events = {line["event"] for line in suite.lines(0, "mastowatch-*", "-p", "err")}
    assert "rules_not_reloaded" in events
    assert all(line["level"] in ("ERROR", "CRITICAL") for line in suite.lines(0, "mastowatch-*", "-p", "err"))


def test_fewer_than_ten_lines_an_hour_at_rest(suite, rest, measured):
    since, place = rest
    time.sleep(max(0.0, since + REST_S - time.monotonic()))
    watched = time.monotonic() - since
    lines = {unit: len(suite.journal(place, unit)) for unit in SERVICES}
    measured("lines in the journal at rest", f"{sum(lines.values())} in {watched:.0f} s")
    assert all(count / watched * 3600 < LINES_AN_HOUR for count in lines.values()), suite.events(place)


def test_each_line_of_a_job_has_its_id(suite):
    place = suite.now()
    settings = suite.host.path(ENV_FILE).read_text()
    suite.host.path(ENV_FILE).write_text(settings + "LOG_LEVEL=debug\n")
    suite.systemctl("reload", WORKER, SCHEDULER)
    suite.mastodon.fault("status", path="/api/v1/accounts/*", count=2, status=503)
    job = suite.trigger("process_new_status", status_id=suite.posts[0])
    wait(lambda: suite.job(job)["status"] in ("finished", "scheduled"), 60, "the job has run")
    suite.host.path(ENV_FILE).write_text(settings)
    suite.systemctl("reload", WORKER, SCHEDULER)
    lines = [line for line in suite.lines(place, WORKER) if line["logger"].startswith(JOBS)]
    assert any(line.get("job_id") == job for line in lines)
    assert [line for line in lines if "job_id" not in line] == []


# What speaks only while a job runs.
JOBS = (
    *(f"mastowatch.jobs.{name}" for name in ("filing", "judging", "polling", "reporting", "tasks")),
    "mastowatch.adapters",
)
