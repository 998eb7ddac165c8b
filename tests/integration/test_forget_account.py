"""`mastowatch forget --account`: all that is known of one account, and nothing of the others."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from redis import Redis

from mastowatch.adapters.redis_audit import RedisAudit
from mastowatch.adapters.redis_audit_merging import RedisAuditMerging
from mastowatch.adapters.redis_campaigns import RedisCampaigns
from mastowatch.adapters.redis_erasure import Erasure
from mastowatch.adapters.redis_posts import RedisRecentPosts
from mastowatch.adapters.redis_quotas import RedisHeld
from mastowatch.adapters.redis_store import RedisCases, RedisJudged, RedisLocks
from mastowatch.errors import StoreUnavailable
from mastowatch.jobs import erasing
from mastowatch.jobs.context import IMPORT_LOCK
from mastowatch.jobs.refusals import WrongState
from mastowatch.ports.types import AuditEntry, Case, Sighting
from tests.api_world import view_of
from tests.covered import covered
from tests.snapshot import snapshot
from tests.world import account, post

pytestmark = pytest.mark.redis
ROOT = Path(__file__).parents[2]
NOW = 1_767_268_800.0
WHO, OTHER = "109302", "109303"


def fill(redis: Redis, *accounts: str) -> None:
    posts, campaigns, audit = RedisRecentPosts(redis), RedisCampaigns(redis), RedisAudit(redis)
    for number, account_id in enumerate(accounts):
        RedisCases(redis).put(Case(account_id, "name", "", "report", 5.0, 0.0, "filed", "", NOW + number))
        RedisJudged(redis).remember(account_id, "fingerprint")
        posts.remember(account(account_id), [post(account_id, "a text")], NOW)
        campaigns.note([Sighting("wave", "link_host", "hash", "", 3600.0, NOW)], account_id, NOW)
        RedisHeld(redis).hold("wave", account_id, NOW)
        for _ in range(3):
            audit.add(AuditEntry(NOW, "judged", "filed", "why", account_id, "name"))
    audit.add(AuditEntry(NOW, "dropped", "shadow", "why"))


def command(url: str, *options: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "mastowatch", "forget", *options]
    env = {"PATH": os.environ["PATH"], "REDIS_URL": url, "SUDO_USER": "alice", **covered()}
    return subprocess.run(
        words, capture_output=True, text=True, cwd=ROOT, env=env, timeout=60, stdin=subprocess.DEVNULL
    )


def test_what_is_known_of_one_goes_and_of_the_others_stays(redis: Redis):
    fill(redis, OTHER)
    before = snapshot(redis)
    redis.flushdb()
    fill(redis, WHO, OTHER)
    assert Erasure(redis).count(WHO) == {
        "cases": 1,
        "profiles with posts": 1,
        "judgements": 1,
        "traces in campaigns": 1,
        "reports held back": 1,
        "lines in the audit": 3,
    }
    Erasure(redis).erase(WHO)
    assert Erasure(redis).count(WHO) == {}
    after = snapshot(redis)
    assert set(after) == set(before)
    assert not any(WHO in str(key) + str(value) for key, value in after.items())
    assert RedisRecentPosts(redis).count() == (1, 1)
    assert Erasure(redis).count(OTHER)["lines in the audit"] == 3
    assert RedisAudit(redis).count() == 4


def test_that_it_was_reported_stays(redis: Redis):
    fill(redis, WHO)
    kept = {f"mastowatch:claim:{WHO}": {"state": "filed"}, "mastowatch:report:12": {"account_id": WHO}}
    for key, fields in kept.items():
        redis.hset(key, mapping=fields)
    Erasure(redis).erase(WHO)
    assert redis.exists(*kept) == 2


def test_many_lines_and_keys_are_looked_through_in_parts(redis: Redis, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("mastowatch.adapters.redis_erasure._STEP", 2)
    fill(redis, *(str(number) for number in range(1, 8)))
    for number in range(5):
        RedisHeld(redis).hold(f"rule-{number}", "3", NOW)
    assert Erasure(redis).count("3")["reports held back"] == 6
    Erasure(redis).erase("3")
    assert Erasure(redis).count("3") == {}
    assert Erasure(redis).count("4")["lines in the audit"] == 3


def test_keys_and_lines_of_another_kind_are_left_alone(redis: Redis):
    redis.set("mastowatch:held:odd", "x")
    redis.xadd("mastowatch:audit", {"entry": "no JSON"})
    redis.xadd("mastowatch:audit", {"entry": "[]"})
    before = snapshot(redis)
    Erasure(redis).erase(WHO)
    assert snapshot(redis) == before


def test_the_command_tells_asks_and_erases_and_says_of_nobody_in_the_audit(redis: Redis, redis_server: str):
    fill(redis, WHO)
    told = command(redis_server, "--account", WHO)
    assert told.returncode == 1
    assert "8" in told.stdout.splitlines()[0]
    assert "say --yes" in told.stdout
    assert Erasure(redis).count(WHO)
    done = command(redis_server, "--account", WHO, "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Erased" in done.stdout
    assert Erasure(redis).count(WHO) == {}
    (entry,) = RedisAudit(redis).recent(1)
    assert (entry.outcome, entry.by) == ("erased", "alice on the command line")
    assert WHO not in str(entry)
    assert "none" in command(redis_server, "--account", WHO, "--yes").stdout


def test_one_that_is_being_judged_is_erased_when_that_has_ended(redis: Redis, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("mastowatch.adapters.redis_erasure.Erasure.erase", erase_if_locked(redis))
    fill(redis, WHO)
    judging = RedisLocks(redis)
    judging.acquire(f"account:{WHO}", "a worker", 100)
    with pytest.raises(WrongState, match=f"the account {WHO} is being judged, so nothing was erased"):
        erasing.erase(view_of(redis), WHO, patience_s=0.3)
    assert Erasure(redis).count(WHO)
    threading.Timer(0.5, judging.release, (f"account:{WHO}", "a worker")).start()
    erasing.erase(view_of(redis), WHO)
    assert Erasure(redis).count(WHO) == {}
    assert redis.keys("mastowatch:lock:*") == []


def test_while_an_audit_is_merged_nothing_is_erased_that_would_come_back(redis: Redis):
    """What was read of the audit before would stand in it again, when the merged one takes its place."""
    fill(redis, WHO)
    tried: list[str] = []

    def alive() -> None:
        with pytest.raises(WrongState, match="an import is under way, so nothing was erased"):
            erasing.erase(view_of(redis), WHO, patience_s=0.0)
        tried.append(WHO)

    locks = RedisLocks(redis)
    locks.acquire(IMPORT_LOCK, "an import", 100)
    places = [(f"{number + 1}-0", AuditEntry(NOW, "action", "did", str(number))) for number in range(600)]
    RedisAuditMerging(redis).merge(places, len(places), tell=False, alive=alive)
    locks.release(IMPORT_LOCK, "an import")
    assert tried
    assert Erasure(redis).count(WHO)["lines in the audit"] == 3
    erasing.erase(view_of(redis), WHO, patience_s=0.0)
    assert Erasure(redis).count(WHO) == {}
    assert redis.keys("mastowatch:lock:*") == []


def erase_if_locked(redis: Redis) -> Callable[[Erasure, str], None]:
    """Erase, but only while nobody else could judge."""
    erase = Erasure.erase

    def checked(self: Erasure, account_id: str) -> None:
        assert not RedisLocks(redis).acquire(f"account:{account_id}", "another worker", 1)
        erase(self, account_id)

    return checked


def test_what_is_no_id_is_refused_and_redis_away_is_told(redis_server: str):
    refused = command(redis_server, "--account", "alice", "--yes")
    assert refused.returncode == 2
    assert "is no id" in refused.stderr
    with pytest.raises(StoreUnavailable):
        Erasure(Redis(port=1)).count(WHO)
