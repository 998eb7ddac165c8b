"""docs/howto/troubleshoot.md: each fault is made, the page's commands show it, and what the page says mends it."""

from __future__ import annotations

import pytest

from tests.demo.population import TOKEN
from tests.host.suite import (
    ACCOUNTS,
    API_UNIT,
    DASHBOARD_UNIT,
    ENV_FILE,
    SCHEDULER,
    TOKEN_FILE,
    WORKER,
)
from tests.host.waiting import wait

NAME = "docs/howto/troubleshoot.md"
REDIS = "redis-server.service"
SECRET_FILE = "/etc/mastowatch/credentials/webhook_secret"
DISK = "/var/lib/redis"


@pytest.fixture
def see(walk):
    """Go through a section of the page."""
    return lambda section: walk.page(NAME, section)


@pytest.fixture
def mended(suite):
    """Ask at the end that all runs and works again."""
    yield
    suite.mastodon.clear_faults()
    wait(suite.all_active, 60, "all units are active")
    wait(lambda: suite.health() == "ok", 60, "the health is ok")


def command(suite, *words):
    return suite.host.run("mastowatch", *words).out


def test_first_ask_what_is_wrong(suite, see, mended):
    suite.systemctl("stop", WORKER)
    see("First: ask what is wrong")


# --- Jobs are not processed ------------------------------------------------------------------------------------------


def test_no_worker_runs(suite, see, mended):
    suite.systemctl("stop", WORKER)
    see("No worker runs")


def test_a_worker_does_not_start(suite, see, mended):
    with suite.host.path(ENV_FILE).open("a") as file:
        file.write("REPORT_THRESHOLD=much\n")
    suite.systemctl("restart", WORKER, check=False)
    see("A worker does not start")


def test_a_queue_is_paused(suite, see, mended):
    command(suite, "jobs", "pause", "default")
    see("A queue is paused")
    assert not any(one["paused"] for one in suite.queues())


def test_the_panic_stop_is_on(suite, see, mended):
    command(suite, "panic", "on")
    see("The panic stop is on")


def test_there_are_too_few_workers(suite, see, mended):
    see("There are too few workers")
    suite.systemctl("disable", "--now", "mastowatch-worker@2")


# --- Recurring jobs do not run ---------------------------------------------------------------------------------------


def test_no_scheduler_leads(suite, see, mended):
    suite.systemctl("stop", SCHEDULER)
    see("No scheduler leads")


def test_a_recurring_job_is_paused(suite, see, mended):
    command(suite, "jobs", "recurring", "pause", "poll_admin_accounts")
    see("A recurring job is paused")


# --- The dashboard is not reachable ----------------------------------------------------------------------------------


def test_the_dashboard_does_not_run(suite, see, mended):
    suite.systemctl("stop", DASHBOARD_UNIT)
    see("The dashboard does not run")


def test_your_browser_does_not_get_there(see):
    see("The dashboard runs, and your browser does not get there")


# --- Jobs fail -------------------------------------------------------------------------------------------------------


def test_what_failed_and_what_is_done_when_the_cause_is_gone(suite, see, mended):
    suite.mastodon.fault("status", path=ACCOUNTS, status=403)
    command(suite, "jobs", "recurring", "run", "poll_admin_accounts")
    see("What failed, and why")
    suite.mastodon.clear_faults()
    see("When the cause is gone")


# --- Nothing is reported, and too much -------------------------------------------------------------------------------


def test_it_rehearses(suite, see):
    command(suite, "dry-run", "on")
    see("It rehearses")


def test_it_is_judged_and_not_reported(see):
    see("It is judged and not reported")


def test_stop_it_then_look(suite, see):
    see("Stop it, then look")
    suite.host.sh('sed -i \'s/^mode = "shadow"/mode = "report"/\' /etc/mastowatch/rules.d/casino-words.toml')


# --- Mastodon refuses ------------------------------------------------------------------------------------------------


def test_401(suite, see, mended):
    suite.host.path(TOKEN_FILE).write_text("one that was revoked\n")
    suite.systemctl("restart", WORKER)
    command(suite, "jobs", "recurring", "run", "poll_admin_accounts")
    see("401: the token is not valid")
    assert suite.host.path(TOKEN_FILE).read_text().strip() == TOKEN


def test_403(suite, see, mended):
    suite.mastodon.fault("status", path=ACCOUNTS, status=403)
    command(suite, "jobs", "recurring", "run", "poll_admin_accounts")
    see("403: a scope or a right lacks")


def test_429(suite, see, mended):
    # The polls of the tests before may have used up our own budget, and then nothing is asked that could be refused.
    suite.host.sh("redis-cli -n 1 --scan --pattern 'mastowatch:budget:*' | xargs -r redis-cli -n 1 del")
    suite.mastodon.fault("status", path=ACCOUNTS, status=429)
    command(suite, "jobs", "recurring", "run", "poll_admin_accounts")
    see("429: too many requests")


# --- Redis is away or full -------------------------------------------------------------------------------------------


def test_redis_does_not_run(suite, see, mended):
    suite.systemctl("stop", REDIS)
    see("Redis does not run")
    wait(suite.works(), 60, "work goes on")


def test_redis_is_full(suite, see, mended):
    suite.host.run("redis-cli", "config", "set", "maxmemory", "1mb")
    see("Redis is full")
    wait(suite.works(), 60, "work goes on")
    suite.host.run("redis-cli", "config", "set", "maxmemory", "0")


@pytest.fixture
def full_disk(suite, mended):
    """Give Redis a small disk of its own, with a journal of others on it that fills it."""
    suite.systemctl("stop", REDIS)
    suite.host.sh(f"cp -a {DISK} {DISK}.kept && mount -t tmpfs -o size=24m tmpfs {DISK} && cp -a {DISK}.kept/. {DISK}")
    suite.systemctl("start", REDIS)
    suite.host.sh(f"dd if=/dev/zero of={DISK}/full bs=64k 2>/dev/null; true")
    wait(lambda: "MISCONF" in _write(suite), 60, "Redis refuses to write")
    yield
    suite.host.sh(f"rm -f {DISK}/full")  # a Redis that can't save does not stop either
    suite.systemctl("stop", REDIS)
    suite.host.sh(f"rm -rf {DISK}.kept && cp -a {DISK} {DISK}.kept && umount {DISK}")
    suite.host.sh(f"cp -a {DISK}.kept/. {DISK} && rm -rf {DISK}.kept")
    suite.systemctl("start", REDIS)


def _write(suite):
    suite.host.run("redis-cli", "bgsave", check=False)
    return suite.host.run("redis-cli", "set", "probe", "1", check=False).out


def test_the_disk_is_full(suite, see, full_disk):
    see("The disk is full")
    # What fills a disk differs from machine to machine; here it is a file.
    suite.host.sh(f"rm {DISK}/full")
    wait(lambda: "OK" in _write(suite), 60, "Redis writes again")
    wait(suite.works(), 60, "work goes on")


# --- Webhooks do not come --------------------------------------------------------------------------------------------


def test_the_signature_does_not_fit(suite, see, send_webhook, mended):
    suite.host.write(SECRET_FILE, "of a webhook that was deleted", 0o600)
    suite.systemctl("restart", API_UNIT)
    assert send_webhook() == 401
    see("The signature does not fit")
    assert send_webhook() == 202


def test_when_nothing_of_this_helps(see):
    see("When nothing of this helps")


def test_no_command_of_the_page_was_left_out(walk):
    assert walk.left(NAME) == []
