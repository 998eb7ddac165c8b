"""MastoWatch as an admin has it on a host: its units, its journal, its API; and the Mastodon that it watches."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import requests
from mastodon_mock.config import MastodonMockConfig, SeedConfig
from redis import Redis
from redis.exceptions import RedisError

from tests.demo.population import TOKEN, Population, populate
from tests.host.host import Done, Host
from tests.host.waiting import wait
from tests.mastodon_server import MockMastodon, start_mock

MASTODON_PORT = 3000
ANSWER_S = 60  # no request takes that long: one that does is lost
ACCOUNTS = "/api/v2/admin/accounts"
API, DASHBOARD, SOCKET = "http://127.0.0.1:8080", "http://127.0.0.1:9181", "/run/mastowatch/api.sock"
TARGET = "mastowatch.target"
WORKER, SCHEDULER = "mastowatch-worker@1.service", "mastowatch-scheduler.service"
API_UNIT, API_SOCKET = "mastowatch-api.service", "mastowatch-api.socket"
DASHBOARD_UNIT = "mastowatch-dashboard.service"
# Installed, and off until somebody enables it.
STREAM = "mastowatch-stream.service"
SERVICES = (WORKER, SCHEDULER, API_UNIT, DASHBOARD_UNIT)
UNITS = (*SERVICES, API_SOCKET, TARGET)
ENV_FILE = "/etc/mastowatch/mastowatch.env"
TOKEN_FILE, KEY_FILE = "/etc/mastowatch/credentials/access_token", "/etc/mastowatch/credentials/api_key"
# So long the work on one job may take at most. A job that was cut off leaves the lock on its account behind, which
# runs out after 130 s (docs/reference/redis.md); the next try is at most a minute later.
DONE_S = 240
# An admin's own values, below what the package brought. The mock has no limits and pages of 40 accounts, and its people
# more spam in an hour than a server of 5,000 has in a week.
SETTINGS = f"""
INSTANCE_BASE=http://127.0.0.1:{MASTODON_PORT}
DRY_RUN=false
API_REQUESTS_PER_5_MINUTES=100000
API_PAGED_REQUESTS_PER_15_MINUTES=100000
POLL_ADMIN_ACCOUNTS_INTERVAL=10
POLL_ADMIN_ACCOUNTS_LOCAL_INTERVAL=10
QUEUE_STATS_INTERVAL=1
RULE_REPORTS_PER_HOUR=1000
RULE_REPORTS_PER_DAY=1000
REPORTS_PER_HOUR=1000
REPORTS_PER_DAY=1000
"""


@dataclass
class Suite:
    """``mastodon`` is what the host's MastoWatch watches, ``people`` are who is there, ``posts`` ids of posts."""

    host: Host
    mastodon: MockMastodon
    people: Population
    posts: Sequence[str] = field(default_factory=list)
    redis_password: str = ""

    # --- systemd -------------------------------------------------------------------------------------------

    def systemctl(self, *words: str, check: bool = True, timeout: float = 120) -> Done:
        return self.host.run("systemctl", *words, check=check, timeout=timeout)

    def show(self, unit: str, *names: str) -> dict[str, str]:
        """Return properties of a unit by name."""
        told = self.systemctl("show", unit, *(f"-p{name}" for name in names)).out
        return dict(line.split("=", 1) for line in told.splitlines())

    def state(self, unit: str) -> str:
        return self.show(unit, "ActiveState")["ActiveState"]

    def status(self, unit: str) -> str:
        """Return the unit's STATUS, what ``systemctl status`` shows of what it does."""
        return self.show(unit, "StatusText")["StatusText"]

    def pid(self, unit: str) -> int:
        return int(self.show(unit, "MainPID")["MainPID"])

    def pids(self, units: Iterable[str] = SERVICES) -> dict[str, tuple[int, str]]:
        """Return main process and number of restarts of each unit: the same again means that none was restarted."""
        found = {unit: self.show(unit, "MainPID", "NRestarts") for unit in units}
        return {unit: (int(one["MainPID"]), one["NRestarts"]) for unit, one in found.items()}

    def all_active(self, units: Iterable[str] = UNITS) -> bool:
        told = self.systemctl("is-active", *units, check=False).out.split()
        return set(told) == {"active"}

    def failed(self) -> list[str]:
        """Return the units of the whole host that systemd calls failed."""
        return self.systemctl("--failed", "--plain", "--no-legend").out.split()

    def ready_at(self, unit: str) -> float:
        """Return when the unit became ready, as time.monotonic() has it."""
        return int(self.show(unit, "ActiveEnterTimestampMonotonic")["ActiveEnterTimestampMonotonic"]) / 1e6

    def waited_s(self, unit: str) -> float:
        """Return how long the unit's main process has waited for a processor so far."""
        told = self.host.path(f"/proc/{self.pid(unit)}/schedstat")
        return int(told.read_text().split()[1]) / 1e9 if told.exists() else 0.0

    def ready_again(self, unit: str, old_pid: int) -> bool:
        one = self.show(unit, "MainPID", "ActiveState", "SubState")
        running = (one["ActiveState"], one["SubState"]) == ("active", "running")
        return running and int(one["MainPID"]) not in (0, old_pid)

    # --- the journal ---------------------------------------------------------------------------------------

    def now(self) -> float:
        """Return a place in the journal, for ``journal`` to begin at."""
        self.host.run("journalctl", "--sync")
        return time.time()

    def journal(self, since: float, unit: str = "mastowatch-*", *options: str) -> list[dict[str, Any]]:
        """Return the journal's entries of the units since a place."""
        # By time, not by cursor: with filters --after-cursor leaves out one entry too many (systemd 252).
        self.host.run("journalctl", "--sync")
        words = ["journalctl", "-q", "-o", "json", "--all", "-u", unit, f"--since=@{since:.6f}", *options]
        return [json.loads(line) for line in self.host.run(*words).out.splitlines()]

    def lines(self, since: float, unit: str = "mastowatch-*", *options: str) -> list[dict[str, Any]]:
        """Return our own lines as the objects that they are; systemd's about the units are left out."""
        ours = [one for one in self.journal(since, unit, *options) if one.get("_TRANSPORT") == "stdout"]
        return [json.loads(one["MESSAGE"]) for one in ours]

    def events(self, since: float, unit: str = "mastowatch-*") -> Counter[str]:
        return Counter(line["event"] for line in self.lines(since, unit))

    # --- what it does --------------------------------------------------------------------------------------

    def install(self, which: str = "deb", *options: str, check: bool = True) -> Done:
        """Install the package under test, or its ``older`` or ``later`` variant."""
        words = ["apt-get", "install", "-y", *options, f"/root/{which}.deb"]
        return self.host.run("env", "DEBIAN_FRONTEND=noninteractive", *words, check=check, timeout=300)

    def files(self) -> set[str]:
        """Return the names of all files of the host that a package could leave behind."""
        kept = (
            "/var/lib/dpkg",
            "/var/lib/apt",
            "/var/cache",
            "/var/backups",  # a timer of dpkg's fills it at midnight
            "/var/log",
            "/var/lib/systemd",
            "/var/lib/redis",
            "/root",
        )
        skip = " -o ".join(f"-path {name}" for name in (*kept, "/proc", "/sys", "/dev", "/root", "/run/systemd"))
        return set(self.host.sh(f"find / \\( {skip} \\) -prune -o -print").splitlines())

    def configure(self) -> None:
        """Do what the line printed at the installation says: the settings, and the token."""
        self.host.write(ENV_FILE, self.host.path(ENV_FILE).read_text() + SETTINGS)
        self.host.path(TOKEN_FILE).write_text(f"{TOKEN}\n")

    def start(self) -> float:
        """Enable and start all; return the seconds until all are ready."""
        began = time.monotonic()
        self.systemctl("enable", "--now", TARGET)
        wait(self.all_active, 120, "all units are active")
        return time.monotonic() - began

    @property
    def key(self) -> str:
        return self.host.path(KEY_FILE).read_text().strip()

    def api(self, path: str, method: str = "GET", **options: Any) -> requests.Response:
        """Ask the API over TCP with the key."""
        headers = {"Authorization": f"Bearer {self.key}"}
        return requests.request(method, f"{API}{path}", headers=headers, timeout=ANSWER_S, **options)

    def health(self) -> str:
        """Return the status that the API tells, "down" where it does not answer."""
        with contextlib.suppress(requests.RequestException):
            return str(self.api("/healthz").json()["status"])
        return "down"

    def redis(self) -> Redis:
        return Redis(port=6379, db=1, decode_responses=True, password=self.redis_password or None)

    def trigger(self, task: str, **arguments: str) -> str:
        """Queue a task through the API; return the job's id."""
        answer = self.api(f"/jobs/trigger/{task}", "POST", json=arguments)
        assert answer.status_code == 202, answer.text
        return answer.json()["id"]

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Let no poll come in between: what runs is what the test has triggered."""
        polls = ("poll_admin_accounts", "poll_admin_accounts_local")
        for poll in polls:
            self.api(f"/jobs/recurring/{poll}/pause", "POST").raise_for_status()
        wait(lambda: not any(queue["depth"] + queue["started"] for queue in self.queues()), 60, "no job runs or waits")
        with self.redis() as redis:
            # A poll that was killed holds its lock for a minute.
            redis.delete("mastowatch:lock:poll:remote", "mastowatch:lock:poll:local")
        try:
            yield
        finally:
            wait(lambda: self.health() != "down", 60, "the API answers, and has Redis")
            for poll in polls:
                self.api(f"/jobs/recurring/{poll}/resume", "POST").raise_for_status()

    def queues(self) -> list[dict[str, Any]]:
        return self.api("/jobs/queues").json()["queues"]

    def running_page(self, page: int, task: str = "poll_admin_accounts", seconds: float = 2.0) -> str:
        """Start a poll whose pages take so long each; return its id while Mastodon prepares page number ``page``."""
        self.slow(seconds, count=4)
        asked = self.pages()
        job = self.trigger(task)
        wait(lambda: self.pages() >= asked + page, 60, f"page {page} is asked for")
        assert self.job(job)["status"] == "started"
        return job

    def pages(self) -> int:
        """Return how many pages of accounts Mastodon was asked for so far."""
        return sum(one.path == ACCOUNTS for one in self.mastodon.asked)

    def job(self, job_id: str) -> dict[str, Any]:
        answer = self.api(f"/jobs/jobs/{job_id}")
        answer.raise_for_status()
        return answer.json()

    def unfinished(self, job_ids: Iterable[str]) -> set[str]:
        """Return those of the jobs that are not finished; a record that is gone counts as lost."""
        ids = list(job_ids)
        with self.redis() as redis, redis.pipeline(transaction=False) as pipe:
            for job_id in ids:
                pipe.hget(f"rq:job:{job_id}", "status")
            return {one for one, status in zip(ids, pipe.execute(), strict=True) if status != "finished"}

    def works(self) -> Callable[[], bool]:
        """Return a question: has a recurring job been finished since now?"""
        before = self._finished()

        def works() -> bool:
            nonlocal before
            found = self._finished()
            if found is None:
                return False
            # Redis was away at first, or knows less now than before it was killed: count from here on.
            if before is None or found < before:
                before = found
            return found > before

        return works

    def _finished(self) -> int | None:
        """Return how many jobs were finished ever; None while Redis can't tell."""
        try:
            with self.redis() as redis:
                return sum(int(value) for name, value in redis.hgetall("rq:totals").items() if "finished" in name)
        except RedisError:
            return None

    def reports(self) -> Counter[str]:
        """Read all reports back from Mastodon: how often each account was reported."""
        found: Counter[str] = Counter()
        more: dict[str, str] = {}
        while True:
            page = self._reports_page(more)
            if not page:
                return found
            found.update(report["target_account"]["id"] for report in page)
            more = {"max_id": page[-1]["id"]}

    def wait_for_reports(self, on: Iterable[str], seconds: float, what: str) -> float:
        """Wait until all these accounts are reported; a look each second leaves the processors to those who report."""
        wanted = set(on)
        return wait(lambda: wanted <= set(self.reports()), seconds, what, every_s=1.0)

    def _reports_page(self, more: dict[str, str]) -> list[dict[str, Any]]:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        query = {"limit": "40", **more}
        return requests.get(
            f"{self.mastodon.url}/api/v1/admin/reports", params=query, headers=headers, timeout=ANSWER_S
        ).json()

    def slow(self, seconds: float, count: int | None = None) -> None:
        """Let Mastodon take so long for each of the next ``count`` pages of accounts."""
        self.mastodon.fault("latency", path=ACCOUNTS, count=count, delay_ms=int(seconds * 1000))


def exposure(host: Host, unit: str) -> float:
    """Return systemd's figure for what a unit could do, 0 to 10."""
    told = host.run("systemd-analyze", "security", "--no-pager", unit).out
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", told)
    assert found, told
    return float(found[1])


def pss_mib(suite: Suite, unit: str) -> float:
    """Return the memory of all processes of a unit, shared pages divided among those that share them."""
    group = suite.show(unit, "ControlGroup")["ControlGroup"]
    script = f"cd '/sys/fs/cgroup{group}' && for p in $(cat cgroup.procs); do grep ^Pss: /proc/$p/smaps_rollup; done"
    return sum(int(line.split()[1]) for line in suite.host.sh(script).splitlines()) / 1024


def start_mastodon() -> tuple[MockMastodon, Population, list[str]]:
    """Start the Mastodon that the hosts watch: a small town with a few spammers of each kind among them."""
    people: list[Population] = []
    config = MastodonMockConfig(seed=SeedConfig(), url_scheme="http", domain=f"127.0.0.1:{MASTODON_PORT}")
    mock = start_mock(
        config,
        lambda session: people.append(
            populate(session, datetime.now(UTC), accounts=200, planted=2, misses=1, languages=("en",))
        ),
        port=MASTODON_PORT,
    )
    return mock, people[0], _one_post_each(mock, people[0])


def _one_post_each(mock: MockMastodon, people: Population) -> list[str]:
    """Return a post of each account that nothing will be found on."""
    from mastodon_mock.db.models import Status
    from sqlalchemy import func, select

    with mock.sessions() as session:
        rows = session.execute(select(Status.account_id, func.min(Status.id)).group_by(Status.account_id)).all()
    return [str(post) for account, post in rows if str(account) not in people.planted]
