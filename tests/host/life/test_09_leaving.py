"""Removed, installed again, purged: what stays, what comes back, and what goes."""

from __future__ import annotations

import pytest

from tests.host.suite import ENV_FILE, KEY_FILE, UNITS
from tests.host.waiting import wait

# What another application of the same Redis has, RQ's of other queues among them.
FOREIGN = ("other:setting", "rq:queue:mailers", "rq:job:7a1c", "rq:worker:mail-1", "sidekiq:stats")


def purge(suite, *, forget):
    answer = f"mastowatch mastowatch/forget-redis boolean {'true' if forget else 'false'}"
    suite.host.sh(f"echo '{answer}' | debconf-set-selections")
    return suite.host.run("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "purge", "-y", "mastowatch", timeout=180)


def keys(suite):
    with suite.redis() as redis:
        return set(redis.scan_iter(count=1000))


@pytest.fixture(scope="module")
def files(suite):
    return {name: suite.host.path(name).read_text() for name in (ENV_FILE, KEY_FILE)}


def test_remove_stops_all_and_keeps_settings_secrets_and_redis(suite, files):
    ours = {key for key in keys(suite) if key.startswith("mastowatch:case")}
    suite.host.run("apt-get", "remove", "-y", "mastowatch")
    assert suite.host.sh("pgrep -u mastowatch", check=False) == ""
    assert suite.host.sh("ss -Hltn | grep -c -e :8080 -e :9181", check=False) == "0"
    assert suite.failed() == []
    assert {name: suite.host.path(name).read_text() for name in files} == files
    assert ours <= keys(suite)


def test_nothing_is_left_to_start_after_a_remove(suite, files):
    states = {unit: suite.show(unit, "LoadState")["LoadState"] for unit in UNITS}
    assert set(states.values()) <= {"not-found", "masked"}, states


def test_installed_again_it_runs_with_the_old_settings(suite, files):
    reports = suite.reports()
    suite.install()
    wait(suite.all_active, 60, "all units are active")
    wait(suite.works(), 60, "work goes on")
    assert {name: suite.host.path(name).read_text() for name in files} == files
    assert suite.reports() == reports


def test_purge_leaves_nothing_on_disk(suite, before_installation):
    suite.host.sh("userdel -r carla && userdel -r mallory", check=False)
    purge(suite, forget=False)
    # Debian keeps system users for ever, and with them passwd's copies of its files.
    copies = {f"/etc/{name}-" for name in ("passwd", "shadow", "group", "gshadow", "subuid", "subgid")}
    left = sorted(one for one in suite.files() - before_installation - copies if "/systemd-private-" not in one)
    assert left == [], "\n".join(left)
    assert suite.host.sh("systemctl list-unit-files --no-legend 'mastowatch*'", check=False) == ""
    assert suite.failed() == []


def test_purge_leaves_redis_alone_unless_told_otherwise(suite):
    assert any(key.startswith("mastowatch:case") for key in keys(suite))


def test_purge_deletes_our_keys_alone_when_told_to(suite):
    suite.install()
    suite.configure()
    suite.start()
    wait(suite.works(), 60, "work is done")
    with suite.redis() as redis:
        for key in FOREIGN:
            redis.set(key, "theirs")
    with suite.redis() as mastodons:
        mastodons.select(0)
        mastodons.set("mastowatch:of-database-0", "not ours to delete")
        told = purge(suite, forget=True)
        assert keys(suite) == set(FOREIGN), told.out + told.err
        mastodons.select(0)
        assert mastodons.get("mastowatch:of-database-0") == "not ours to delete"
