"""Eight workers, the scheduler with its polls, the stream and a flow of webhooks, on a server that enforces its limits.

All is real but the lengths of the windows: 5 and 15 seconds instead of minutes, so that several pass in half a minute.
`python -m tests.budget_run` prints the figures.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from redis import Redis

from mastowatch.config import Settings
from mastowatch.jobs.queues import Jobs
from mastowatch.reliable.serializer import JsonJob
from tests.engine import attempts, wait
from tests.redis_server import private_redis
from tests.rules import AIRDROP
from tests.small_mastodon import SmallMastodon
from tests.strict_mastodon import StrictMastodon, strict_mastodon

ROOT = Path(__file__).parents[1]
WORKERS = 8
SHORT_S, LONG_S = 5, 15
LIMIT = 100
REMOTE, LOCAL = 3000, 400
WEBHOOK_EVERY_S, NEWCOMER_EVERY_S, POST_EVERY_S = 1.5, 0.5, 0.2
SPAMMER_EACH = 5
DAY_S = 86_400
# What systemd would start, with shorter windows.
LAUNCH = f"""
import sys
from mastowatch.adapters import budget
budget.SHORT_S, budget.LONG_S = {SHORT_S}, {LONG_S}
from mastowatch.cli import main
sys.exit(main(sys.argv[1:]))
"""


@dataclass
class Figures:
    """What came of a run."""

    codes: Counter[int] = field(default_factory=Counter)
    tally: dict[str, int] = field(default_factory=dict)
    windows: dict[str, list[int]] = field(default_factory=dict)
    webhooks: list[list[str]] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    reports: int = 0
    accounts_reported: int = 0

    @property
    def accounts_a_page(self) -> float:
        """How many accounts a request of polls and sweeps brought to the rules."""
        return self.tally["accounts_seen"] / (self.tally["requests_poll"] + self.tally["requests_sweep"])

    def table(self) -> str:
        waits = sorted(self.waits)
        rows = {
            "answers by code": dict(self.codes),
            "requests by purpose": {k[9:]: v for k, v in sorted(self.tally.items()) if k.startswith("requests_")},
            f"requests a window ({SHORT_S} s; {LONG_S} s), limits {LIMIT}": self.windows,
            "accounts screened a request": round(self.accounts_a_page),
            "jobs that waited for budget": self.tally.get("jobs_deferred", 0),
            "posts seen, handed on": (self.tally.get("posts_seen", 0), self.tally.get("posts_handed_on", 0)),
            "reports": self.reports,
            "webhook jobs; wait and work p50, p99 in s": (
                len(waits), round(waits[len(waits) // 2], 2), round(waits[int(len(waits) * 0.99)], 2)
            ),
        }  # fmt: skip
        return "\n".join(f"{name:<50}{value}" for name, value in rows.items())


def populate(small: SmallMastodon) -> None:
    """Old accounts for the sweeps, and some that a rule wants to see more of."""
    now = time.time()
    for number in range(REMOTE):
        young = number % 25 == 0
        small.add_account(at=now - (DAY_S if young else 300 * DAY_S) - number)
    for number in range(LOCAL):
        small.add_account(domain=None, at=now - 200 * DAY_S - number)


def environment(directory: Path, strict: StrictMastodon, redis_url: str) -> dict[str, str]:
    (directory / "rules").mkdir()
    (directory / "rules" / "airdrop.toml").write_text(AIRDROP)
    (directory / "token").write_text("t")
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "INSTANCE_BASE": strict.url,
        "REDIS_URL": redis_url,
        "RULES_DIR": str(directory / "rules"),
        "ACCESS_TOKEN_FILE": str(directory / "token"),
        "DRY_RUN": "false",
        "API_REQUESTS_PER_5_MINUTES": str(LIMIT),
        "API_PAGED_REQUESTS_PER_15_MINUTES": str(LIMIT),
        "POLL_ADMIN_ACCOUNTS_INTERVAL": "1",
        "POLL_ADMIN_ACCOUNTS_LOCAL_INTERVAL": "1",
        "POLL_PUBLIC_TIMELINE_INTERVAL": "1",
        "SWEEP_PAGES_PER_POLL": "30",
        # The breakers know hours, of which none passes here.
        **dict.fromkeys(
            ("RULE_REPORTS_PER_HOUR", "RULE_REPORTS_PER_DAY", "REPORTS_PER_HOUR", "REPORTS_PER_DAY"), "1000"
        ),
        "LOG_LEVEL": "warning",
    }


@contextmanager
def processes(directory: Path, environ: dict[str, str]) -> Iterator[Sequence[subprocess.Popen[bytes]]]:
    commands = [["scheduler"], ["stream"], *(["worker", "--instance", str(number)] for number in range(WORKERS))]
    started = []
    with (directory / "log").open("wb") as log:
        for command in commands:
            line = [sys.executable, "-c", LAUNCH, *command]
            started.append(subprocess.Popen(line, env=environ, cwd=directory, stderr=log, stdout=log))
        try:
            yield started
        finally:
            for process in started:
                process.send_signal(signal.SIGTERM)
            for process in started:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(20)
                if process.poll() is None:
                    process.kill()
                    process.wait()


class Traffic:
    """What happens at Mastodon meanwhile: newcomers, posts on the stream, and posts that webhooks tell of."""

    def __init__(self, small: SmallMastodon, jobs: Jobs) -> None:
        self._small, self._jobs = small, jobs
        self._over = threading.Event()
        self.submitted: list[str] = []
        self._newcomers = 0
        self.errors: list[BaseException] = []
        does = ((self._webhook, WEBHOOK_EVERY_S), (self._newcomer, NEWCOMER_EVERY_S), (self._post, POST_EVERY_S))
        self._threads = [threading.Thread(target=self._again, args=one) for one in does]
        self._local = small.add_account(domain=None, at=time.time() - DAY_S)

    def __enter__(self) -> Traffic:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(10)

    def _again(self, what: Callable[[], None], every_s: float) -> None:
        try:
            while not self._over.wait(every_s):
                what()
        except BaseException as error:  # noqa: BLE001 -- told by the test
            self.errors.append(error)

    def _webhook(self) -> None:
        # Of an age that no rule wants to see, so that no poll has the same account judged at the same time.
        author = self._small.add_account(domain=None, at=time.time() - 200 * DAY_S)
        job = self._jobs.submit(
            "process_new_status", {"status_id": self._small.post(author, "Hello there", tell=False)}
        )
        assert job is not None
        self.submitted.append(job.id)

    def _newcomer(self) -> None:
        """All of them are young enough to be looked at; one in SPAMMER_EACH is a spammer."""
        self._newcomers += 1
        spam = self._newcomers % SPAMMER_EACH == 0
        self._small.post(self._small.add_account(), "Claim your airdrop" if spam else "Hello, I am new here")

    def _post(self) -> None:
        self._small.post(self._local, "Nothing to see")


def run(*, windows: int = 4, latency_s: float = 0.02) -> Figures:
    """Run until so many windows have passed after all processes were at work."""
    figures = Figures()
    with (
        tempfile.TemporaryDirectory() as made,
        private_redis() as redis_url,
        Redis.from_url(redis_url) as redis,
        strict_mastodon(per_5_min=LIMIT, per_user=5 * LIMIT, paged=LIMIT, short_s=SHORT_S, long_s=LONG_S) as strict,
    ):
        directory = Path(made)
        strict.latency_s = latency_s
        small = SmallMastodon(strict)
        populate(small)
        with processes(directory, environment(directory, strict, redis_url)) as started:
            wait(lambda: redis.scard("rq:workers") == WORKERS and small.connections, 120)
            with Traffic(small, Jobs(redis, Settings())) as traffic:
                token = strict.throttles[0]
                begun = int(time.time() // SHORT_S)
                wait(lambda: max(token.counts, default=0) > begun + windows // 2, 120)
                small.hang_up()  # a break of the stream, too
                wait(lambda: max(token.counts) > begun + windows, 120)
            assert not traffic.errors, traffic.errors
            wait(lambda: all(_ended(redis, one) for one in traffic.submitted), 60)
            assert all(one.poll() is None for one in started), (directory / "log").read_text()
            small.hang_up()
        figures.codes.update(strict.codes)
        figures.tally = {name.decode(): int(value) for name, value in redis.hgetall("mastowatch:tally").items()}
        figures.windows = {one.name: [one.counts[key] for key in sorted(one.counts)] for one in strict.throttles}
        figures.webhooks = [[kind for kind, _ in attempts(redis, one)] for one in traffic.submitted]
        figures.waits = [_wait(redis, one) for one in traffic.submitted]
        figures.reports = len(small.reports)
        figures.accounts_reported = len({one["target_account"]["id"] for one in small.reports})
        print((directory / "log").read_text()[-2000:])
    return figures


def _ended(redis: Redis, job_id: str) -> bool:
    return JsonJob.fetch(job_id, connection=redis).get_status() == "finished"


def _wait(redis: Redis, job_id: str) -> float:
    """Return the seconds from its queueing to its end."""
    job = JsonJob.fetch(job_id, connection=redis)
    return (job.ended_at - job.created_at).total_seconds()


if __name__ == "__main__":
    print(run(windows=6).table())
