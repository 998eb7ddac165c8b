"""Redis restored from yesterday's copy: all that is done again files nothing twice, and every account is reported once.

A real redis-server that is killed and started with an older dump or append-only file, real worker processes, webhooks
over HTTP, and mastodon-mock, whose list of reports is what is counted.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from mastodon_mock.config import MastodonMockConfig, SeedConfig
from redis import Redis

from mastowatch.config import Settings
from mastowatch.config.settings import QUEUES
from mastowatch.jobs import context as contexts
from mastowatch.jobs import filing, tasks
from mastowatch.jobs.queues import Jobs
from mastowatch.reliable.worker import ReliableWorker
from tests.filing_world import PROCESSES, Place
from tests.integration.test_filing_kill_points import Spammer
from tests.mastodon_server import MockMastodon, add_account, running_mock
from tests.redis_server import RedisProcess, running_redis
from tests.webhooks import Api, delivery, running_api, status_entity

pytestmark = [pytest.mark.redis, pytest.mark.mastodon]

DUMP = ("--dbfilename", "dump.rdb")
LOG = ("--appendonly", "yes", "--appendfsync", "always")


@pytest.fixture(scope="module")
def server() -> Iterator[MockMastodon]:
    with running_mock(
        MastodonMockConfig(seed=SeedConfig()), lambda one: add_account(one, "bot", id=1, token="bot", role="admin")
    ) as mock:
        yield mock


@pytest.fixture
def credentials(tmp_path: Path) -> Path:
    directory = tmp_path / "credentials"
    directory.mkdir()
    (directory / "access_token").write_text("bot")
    return directory


def sweep_and_work(place: Place) -> None:
    """Sweep the accounts once, and do all that waits, as a worker does."""
    filing.SETTLE_S = 0.0  # so that nothing but the look at Mastodon keeps a second report back
    contexts.put(place.context())
    tasks.poll_admin_accounts()
    with Redis.from_url(place.redis_url) as redis:
        ReliableWorker(list(QUEUES), connection=redis).work(burst=True)


def work(place: Place) -> None:
    process = PROCESSES.Process(target=sweep_and_work, args=(place,))
    process.start()
    process.join(120)
    assert process.exitcode == 0
    process.close()


class Yesterday:
    """A copy of Redis, made and put back as docs/howto/back-up-and-restore.md says."""

    def __init__(self, process: RedisProcess, directory: Path, copy: Path, *, has_log: bool) -> None:
        self._process, self._directory, self._copy, self._has_log = process, directory, copy, has_log

    def take(self) -> None:
        command = ["redis-cli", "-p", str(self._process.port), "--rdb", str(self._copy)]
        subprocess.run(command, check=True, capture_output=True)

    def restore(self) -> None:
        self._process.kill()
        shutil.rmtree(self._directory)
        if self._has_log:
            log = self._directory / "appendonlydir"
            log.mkdir(parents=True)
            shutil.copy(self._copy, log / "appendonly.aof.1.base.rdb")
            (log / "appendonly.aof.manifest").write_text("file appendonly.aof.1.base.rdb seq 1 type b\n")
        else:
            self._directory.mkdir()
            shutil.copy(self._copy, self._directory / "dump.rdb")
        self._process.start()


@contextmanager
def kept(tmp_path: Path, options: tuple[str, ...]) -> Iterator[tuple[RedisProcess, Yesterday]]:
    directory = tmp_path / "redis"
    directory.mkdir()
    with running_redis(directory, *options) as process:
        yield process, Yesterday(process, directory, tmp_path / "yesterday.rdb", has_log=options is LOG)


def told_of(spammer: Spammer) -> bytes:
    """Return the webhook about a post of the account."""
    entity = status_entity(spammer.id + "00", text="free airdrop")
    entity["account"]["id"] = spammer.id
    return delivery("status.created", entity)


def deliver(api: Api, *spammers: Spammer) -> list[str]:
    return [api.outcome(told_of(one)) for one in spammers]


@pytest.mark.parametrize("options", [DUMP, LOG], ids=["dump", "append-only file"])
def test_everything_done_again_after_a_restore_reports_every_account_once(server, credentials, tmp_path, options):
    with kept(tmp_path, options) as (process, yesterday), Redis.from_url(process.url) as redis:
        place = Place(process.url, server.url, credentials, timeout_s=30)  # the machine may have much more to do
        jobs = Jobs(redis, Settings())
        before, again, resolved, waiting = (Spammer(server) for _ in range(4))
        work(place)
        assert [one.reports() for one in (before, again, resolved, waiting)] == [[True]] * 4
        waiting.resolve()
        waiting.post("casino")
        jobs.analyze(waiting.id)  # waits when the copy is made, is done after it, and waits again when it is restored
        yesterday.take()

        work(place)
        came = Spammer(server)
        again.resolve()
        again.post("casino")  # another report is due
        resolved.resolve()  # and here none is
        for one in (before, again, resolved, came):
            jobs.analyze_again(one.id)
        with running_api(process.url) as api:
            deliver(api, came)
        work(place)
        reports = [one.reports() for one in (before, again, resolved, waiting, came)]
        assert [sorted(one) for one in reports] == [[True], [False, True], [False], [False, True], [True]]
        cursors = redis.keys("mastowatch:cursor:*")

        yesterday.restore()
        assert redis.lrange("rq:queue:default", 0, -1) == [f"analyze_and_maybe_report-{waiting.id}".encode()]
        assert not redis.exists(f"mastowatch:claim:{came.id}")
        assert cursors, "the sweep has cursors, which are yesterday's now"
        with running_api(process.url) as api:
            assert "duplicate" not in deliver(api, came), "yesterday knows nothing of this webhook"
        for _ in range(2):
            for one in (before, again, resolved, came):
                jobs.analyze_again(one.id)
            work(place)
        assert [one.reports() for one in (before, again, resolved, waiting, came)] == reports
        for one in (before, again, waiting, came):
            assert redis.hget(f"mastowatch:claim:{one.id}", "state") == b"filed"
        assert redis.llen("rq:queue:default") == redis.zcard("rq:failed:default") == 0
