"""Starts a private redis-server, a mock Mastodon, and the suite; shows progress, then what it found.

With ``--once`` it ends by itself, with status 0 only if every planted account was reported exactly once and no
ordinary one.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import requests
from redis import Redis

from mastowatch.jobs.context import load_rules
from mastowatch.ports.mastodon import Purpose
from mastowatch.web.dashboard.access.passwords import Line, hash_password
from tests.demo.population import TOKEN, Population
from tests.demo.report import Found, read
from tests.redis_server import free_port, private_redis

ROOT = Path(__file__).parents[2]
RULES_DIR = ROOT / "etc" / "rules.d"
QUEUES = ("high", "default", "low")
PURPOSES = get_args(Purpose)
# Whoever looks at the demo may press each button; it is theirs, on loopback, and gone when it ends.
NAME, PASSWORD = "demo", "look-around-here"
TIME_LIMIT_S = 600  # on a busy machine; about a minute on one that has nothing else to do
RIGHT = "Every planted account was reported once and by the rule of its kind, and no other account was."
HONEST = (
    "The rules and these people were made by the same hands: the figures show that the parts work together, not\n"
    'how the rules do on your server. `mastowatch rules try` and mode = "shadow" tell you that.'
)


@dataclass
class Suite:
    """What runs: addresses, processes by name, and where their logs are."""

    server: str
    api: str
    dashboard: str
    redis: Redis
    processes: dict[str, subprocess.Popen[bytes]]
    logs: Path


def settings(directory: Path, server: str, redis_url: str, api: int, dashboard: int) -> dict[str, str]:
    (directory / "token").write_text(TOKEN)
    (directory / "key").write_text("demo-key")
    (directory / "session-key").write_text(secrets.token_urlsafe(32))
    (directory / "passwords").write_text(f"{Line(NAME, 'switch', hash_password(PASSWORD))}\n")
    return {
        "INSTANCE_BASE": server,
        "ACCESS_TOKEN_FILE": str(directory / "token"),
        "API_KEY_FILE": str(directory / "key"),
        "SESSION_KEY_FILE": str(directory / "session-key"),
        "DASHBOARD_PASSWORDS_FILE": str(directory / "passwords"),
        "REDIS_URL": redis_url,
        "RULES_DIR": str(RULES_DIR),
        "DRY_RUN": "false",
        "API_BIND": f"127.0.0.1:{api}",
        "DASHBOARD_BIND": f"127.0.0.1:{dashboard}",
        # The mock's pages end at 40 accounts and it has no limits of its own; so that the demo ends within a minute
        # it sweeps faster than one may on a real server, where the defaults keep to Mastodon's limits.
        "API_REQUESTS_PER_5_MINUTES": "100000",
        "API_PAGED_REQUESTS_PER_15_MINUTES": "100000",
        "SWEEP_PAGES_PER_POLL": "25",
        "POLL_ADMIN_ACCOUNTS_INTERVAL": "2",
        "POLL_ADMIN_ACCOUNTS_LOCAL_INTERVAL": "2",
        "QUEUE_STATS_INTERVAL": "5",
        # Half of this town's spam came within a day: breakers for a server of 5,000 people would stop the demo.
        "RULE_REPORTS_PER_HOUR": "1000",
        "RULE_REPORTS_PER_DAY": "1000",
        "REPORTS_PER_HOUR": "1000",
        "REPORTS_PER_DAY": "1000",
    }


@contextlib.contextmanager
def process(name: str, command: list[str], environ: dict[str, str], logs: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command until the end of the block; SIGTERM first, and what does not heed it is killed."""
    with (logs / f"{name}.log").open("wb") as log:
        one = subprocess.Popen(command, env={**os.environ, **environ}, stdout=log, stderr=log, cwd=ROOT)
        try:
            yield one
        finally:
            one.terminate()
            try:
                one.wait(20)
            except subprocess.TimeoutExpired:
                one.kill()
                one.wait()


@contextlib.contextmanager
def suite(directory: Path) -> Iterator[tuple[Suite, Population]]:
    mock, api, dashboard = free_port(), free_port(), free_port()
    server = f"http://127.0.0.1:{mock}"
    planted = directory / "planted.json"
    python = [sys.executable, "-m"]
    with contextlib.ExitStack() as stack:
        redis_url = stack.enter_context(private_redis("--appendonly", "yes"))
        say("Filling the mock Mastodon ...")
        stack.enter_context(process("mock", [*python, "tests.demo.mock", str(mock), str(planted)], {}, directory))
        wait_for(f"{server}/api/v2/instance")
        environ = settings(directory, server, redis_url, api, dashboard)
        names = {"worker-1": ["worker", "--instance", "1"], "worker-2": ["worker", "--instance", "2"]}
        names |= {"scheduler": ["scheduler"], "api": ["api"], "dashboard": ["dashboard"]}
        running = {
            name: stack.enter_context(process(name, [*python, "mastowatch", *arguments], environ, directory))
            for name, arguments in names.items()
        }
        wait_for(f"http://127.0.0.1:{api}/healthz")
        wait_for(f"http://127.0.0.1:{dashboard}/healthz")
        redis = stack.enter_context(Redis.from_url(redis_url))
        yield (
            Suite(server, f"http://127.0.0.1:{api}", f"http://127.0.0.1:{dashboard}", redis, running, directory),
            Population(**json.loads(planted.read_text())),
        )


def say(text: str) -> None:
    print(text, flush=True)


def sign_in(one: Suite) -> str:
    return f"Dashboard: {one.dashboard} (name: {NAME}, password: {PASSWORD})"


def wait_for(url: str) -> None:
    for _ in range(600):
        with contextlib.suppress(requests.RequestException):
            if requests.get(url, timeout=5).ok:
                return
        time.sleep(0.1)
    raise SystemExit(f"{url} has not answered within a minute")


def tally(one: Suite) -> Counter[str]:
    return Counter({key.decode(): int(value) for key, value in one.redis.hgetall("mastowatch:tally").items()})


def waiting(one: Suite) -> int:
    """Return how many judgements wait, are delayed, or run. Polls come and go and don't count."""
    ids = [raw for name in QUEUES for raw in one.redis.lrange(f"rq:queue:{name}", 0, -1)]
    ids += [raw for name in QUEUES for raw in one.redis.zrange(f"rq:scheduled:{name}", 0, -1)]
    ids += [raw for name in QUEUES for raw in one.redis.zrange(f"rq:wip:{name}", 0, -1)]
    return sum(raw.startswith((b"analyze", b"process")) for raw in ids)


def finished(one: Suite, counts: Counter[str]) -> bool:
    return bool(counts["sweeps_remote"] and counts["sweeps_local"]) and waiting(one) == 0


def run(one: Suite) -> float:
    """Show progress until all accounts have been swept and judged; return the seconds it took."""
    began = time.monotonic()
    while time.monotonic() - began < TIME_LIMIT_S:
        counts, seconds = tally(one), time.monotonic() - began
        requests_used = sum(counts[f"requests_{purpose}"] for purpose in PURPOSES)
        say(
            f"{seconds:4.0f} s   seen {counts['accounts_seen']:>5}   judged {counts['accounts_judged']:>4}   "
            f"waiting {waiting(one):>4}   reported {counts['reports_filed']:>3}   requests {requests_used:>5}"
        )
        for name, child in one.processes.items():
            if child.poll() is not None:
                tail = (one.logs / f"{name}.log").read_text().splitlines()[-15:]
                raise SystemExit("\n".join([f"{name} ended with status {child.returncode}; its last lines:", *tail]))
        if finished(one, counts):
            return seconds
        time.sleep(2)
    return time.monotonic() - began


def pss_mib(pid: int) -> float:
    """Return the share of memory of a process and its children in MiB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    own = next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return own + sum(pss_mib(int(child)) for child in children)


def summary(one: Suite, people: Population, seconds: float) -> bool:
    """Print the tables; return whether exactly the planted accounts were reported, each once and by its own rule."""
    names = {rule.id: rule.name for rule in load_rules(RULES_DIR).rules}
    found, counts = Found(people, read(one.server), names), tally(one)
    used = {purpose: counts[f"requests_{purpose}"] for purpose in PURPOSES}
    seen, judged, total = counts["accounts_seen"], counts["accounts_judged"], sum(used.values())
    memory = ", ".join(f"{name} {pss_mib(child.pid):.0f}" for name, child in one.processes.items())
    rows = [
        ("accounts on the server", f"{people.accounts} with {people.posts} posts, all made up"),
        ("seen on pages, some again", str(seen)),
        ("judged with their posts", f"{judged} times with {counts['statuses_judged']} posts"),
        ("reported", f"{len(found.filed)} reports on {len(found.times)} accounts"),
        ("planted spam", f"{len(people.planted)}, of {len(set(people.planted.values()))} kinds"),
        ("found by language", found.by_language()),
        ("missed spam", str(len(found.missed))),
        ("false alarms", f"{len(found.false_alarms)}, with {near(people)} among the ordinary accounts"),
        ("reported twice", str(len(found.twice))),
        ("requests used", f"{total}: " + ", ".join(f"{name} {number}" for name, number in used.items() if number)),
        ("requests per 1,000 seen", f"{total / seen * 1000:.0f}"),
        ("time", f"{seconds:.0f} s, {seen / seconds:.0f} accounts seen and {judged / seconds:.0f} judged a second"),
        ("memory, PSS in MiB", memory),
    ]
    say("")
    for line in found.kinds():
        say(line)
    say("")
    for label, text in rows:
        say(f"  {label:<26} {text}")
    for line in found.complaints():
        say(line)
    return found.right


def near(people: Population) -> str:
    return f"{len(people.misses)} near misses of {len(set(people.misses.values()))} kinds"


def main() -> int:
    parser = argparse.ArgumentParser(prog="make demo")
    parser.add_argument("--once", action="store_true", help="end by itself")
    once = parser.parse_args().once
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="mastowatch-demo-") as name, suite(Path(name)) as (one, population):
        say(f"{sign_in(one)}\nAPI: {one.api} (key: demo-key)")
        seconds = run(one)
        right = summary(one, population, seconds)
        say("\n" + (RIGHT if right else "NOT as it should be.") + "\n" + HONEST)
        if once:
            return 0 if right else 1
        say(f"\n{sign_in(one)}\nStop with Ctrl-C.")
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
    return 0


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
