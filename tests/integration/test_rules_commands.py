"""`mastowatch rules explain, test, try and stats`, as people type them: real Redis, mastodon-mock over HTTP."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from mastodon_mock.db.models import Status as MockStatus
from redis import Redis

from mastowatch.adapters.redis_posts import RedisRecentPosts
from mastowatch.adapters.redis_rule_stats import RedisRuleStats
from mastowatch.adapters.redis_rule_switches import RedisRuleSwitches
from mastowatch.ports.types import OpenReport
from tests.covered import covered
from tests.mastodon_server import MockMastodon, add_account, running_mock
from tests.world import account, post

pytestmark = [pytest.mark.redis, pytest.mark.mastodon]

RULE = """
id = "essay-mills"
name = "Essay mill"
description = "New accounts that sell essays."
mode = "shadow"
weight = 5.0

[account]
age_max = "30d"

[status]
words = ["essay help", "write my thesis"]
links_min = 1

[not.status]
words = ["warning"]

[[examples.match]]
age = "3d"
posts = ["Essay help https://essays.example/"]

[[examples.no_match]]
age = "3d"
posts = ["Essay help? No."]
"""
OTHER = RULE.replace("essay-mills", "casino").replace('"essay help", "write my thesis"', '"casino"').replace(
    "Essay help", "Casino"
).replace('mode = "shadow"', 'mode = "report"')  # fmt: skip


def populate(session) -> None:
    born = datetime.now(UTC) - timedelta(days=3)
    add_account(session, "bot", token="token", role="admin")
    for number, name, texts in (
        (100, "mill", ["Essay help, write my thesis <a href='https://essays.example/1'>e</a>", "a nice day"]),
        (101, "teacher", ["Warning: essay help <a href='https://school.example/1'>e</a>"]),
    ):
        add_account(session, name, id=number, domain="far.example", created_at=born)
        for place, text in enumerate(texts):
            row = {"id": number * 10 + place, "account_id": number, "created_at": born, "visibility": "public"}
            session.add(MockStatus(content=f"<p>{text}</p>", **row))


@pytest.fixture(scope="module")
def server() -> Iterator[MockMastodon]:
    with running_mock(populate=populate) as mock:
        yield mock


@dataclass
class Shell:
    """A moderator's shell, in the directory of the rules."""

    directory: Path
    environ: dict[str, str]

    def __call__(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "mastowatch", "rules", *words]
        env = {
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": str(Path(__file__).parents[2]),
            **covered(),
            **self.environ,
            **environ,
        }
        return subprocess.run(command, capture_output=True, text=True, env=env, cwd=self.directory, timeout=60)

    def json(self, *words: str):
        done = self(*words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def shell(server, redis, redis_server, tmp_path) -> Shell:
    rules = tmp_path / "rules.d"
    rules.mkdir()
    (rules / "essay-mills.toml").write_text(RULE)
    (rules / "casino.toml").write_text(OTHER)
    (tmp_path / "token").write_text("token")
    return Shell(
        rules,
        {
            "REDIS_URL": redis_server,
            "INSTANCE_BASE": server.url,
            "ACCESS_TOKEN_FILE": str(tmp_path / "token"),
            "RULES_DIR": str(rules),
        },
    )


def remember(redis: Redis, text: str, *numbers: int, **changes) -> None:
    """Keep looks at so many accounts that have written ``text``, as of a minute ago."""
    now = time.time() - 60
    born = datetime.fromtimestamp(now, UTC) - timedelta(days=2)
    for number in numbers:
        seen = account(str(number), created_at=born, **changes)
        said = post(str(number), f'{text} <a href="https://e.example/{number}">link</a>')
        RedisRecentPosts(redis).remember(seen, [replace(said, created_at=born)], now)


def test_a_rule_is_explained_in_plain_words_with_what_it_has_done(shell, redis):
    stats = RedisRuleStats(redis)
    for number in range(3):
        stats.hits(str(number), {"essay-mills": number > 1}, 1_767_268_800.0)
    for number, outcome in ((1, "kept"), (2, "kept"), (3, "rejected")):
        report = OpenReport(str(number), "1", ("essay-mills",), 1_767_268_800.0)
        stats.filed(report, 0)
        stats.decided(report, outcome, {}, 0)
    done = shell("explain", "essay-mills")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    assert lines[:2] == ["essay-mills: Essay mill", "New accounts that sell essays."]
    assert "  limits    20 reports an hour, 60 a day; 50% of 20 or more decided ones must be kept" in lines
    assert "  mode      shadow: it counts apart and reports nobody" in lines
    told = {line.strip().rpartition(" [")[0].strip() for line in lines if line.endswith("]")}
    assert told == {
        "is at most 30 days old",
        "has one of these words: essay help, write my thesis",
        "has at least 1 link",
        "there is at least 1 such post",
        "a post that has one of these words: warning",
    }
    assert "So far: 2 accounts hit, 1 in shadow; 3 reports, 2 kept and 1 rejected by moderators (67% right)." in lines
    assert lines[-1] == "Last hit: 2026-01-01 12:00 UTC."
    document = shell.json("explain", "essay-mills")
    assert document["stats"]["precision"] == pytest.approx(2 / 3)
    assert [one["key"] for one in document["conditions"] if one["spares"]] == ["not.status.words"]


def test_a_dropped_rule_says_so_and_why(shell, redis):
    RedisRuleSwitches(redis).drop("casino", "moderators kept 1 of 20", "precision", 1_767_268_800.0)
    told = "report, but dropped to shadow 2026-01-01 12:00 UTC: moderators kept 1 of 20"
    assert told in shell("explain", "casino").stdout
    out = shell("stats").stdout
    assert "casino was dropped to shadow 2026-01-01 12:00 UTC: moderators kept 1 of 20" in out
    assert shell.json("stats")["rules"][0]["dropped"]["by"] == "precision"


def test_an_unknown_rule_is_told_with_the_one_that_was_meant(shell):
    done = shell("explain", "essay-mill")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "mastowatch: there is no rule 'essay-mill'; did you mean essay-mills?\n"


def test_without_redis_a_rule_is_explained_all_the_same(shell):
    done = shell("explain", "essay-mills", REDIS_URL="redis://127.0.0.1:1/1")
    assert done.returncode == 0
    assert "what the rule has done is not known now" in done.stderr
    assert "is at most 30 days old" in done.stdout
    assert "So far" not in done.stdout


@pytest.mark.parametrize("command", [["explain", "x"], ["stats"], ["test", "--account", "mill@far.example"]])
def test_rules_that_can_not_be_used_are_told_a_line_a_fault(shell, command):
    (shell.directory / "bad.toml").write_text("id = 7\nweight = 0\n")
    done = shell(*command)
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) > 2
    assert all(line.startswith("bad.toml: ") for line in done.stderr.splitlines())


def judged_by_nobody(redis) -> dict[bytes, bytes]:
    """Return all that stands in Redis but what requests to Mastodon are counted in."""
    counted = (b"budget", b"tally", b"durations")
    return {key: redis.dump(key) for key in redis.scan_iter() if not any(one in key for one in counted)}


def test_an_account_is_tested_by_every_rule_and_nothing_changes(shell, redis, server):
    before = judged_by_nobody(redis)
    done = shell("test", "--account", "@mill@far.example")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("mill@far.example (account 100): 3 days old, 0 followers, 2 posts; the newest 2")
    assert "HIT  essay-mills (Essay mill), shadow, weight 5" in lines
    assert "     1 post with >=1 link; words: essay help, write my thesis; links to: essays.example" in lines
    assert "     + has at least 1 link [status.links_min]: 1 link; 1 post" in lines
    assert "no   casino (Essay mill), report, weight 5" in lines
    assert "     - has one of these words: casino [status.words]: none; 0 posts" in lines
    assert lines[-1] == "Score 0, 5 in shadow: nothing follows (watched from 2, reported from 5)"
    assert judged_by_nobody(redis) == before
    assert redis.hget("mastowatch:tally", "requests_judge") == b"3", "within the budget"


def test_what_spares_an_account_is_told(shell):
    document = shell.json("test", "--account", "teacher@far.example", "--rule", "essay-mills")
    (trace,) = document["rules"]
    assert not trace["hit"]
    missed = {one["key"]: (one["spares"], one["found"]) for one in trace["conditions"] if not one["met"]}
    assert missed["not.status.words"] == (True, "warning")
    assert list(missed) == ["not.status.words", "status.count_min"]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--account", "nobody@far.example"], "nobody@far.example: accounts/lookup: gone, suspended or not visible"),
        (["--account", "mill@far.example", "--rule", "x"], "there is no rule 'x' that is in force"),
    ],
)
def test_who_or_what_is_not_there_is_told_in_one_line(shell, words, complaint):
    done = shell("test", *words)
    assert (done.returncode, done.stdout) == (1, "")
    assert complaint in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_without_a_token_it_is_said_where_to_put_it(shell):
    done = shell("test", "--account", "mill@far.example", ACCESS_TOKEN_FILE="")
    assert done.returncode == 2
    assert "ACCESS_TOKEN_FILE is not set" in done.stderr


def test_a_rule_is_tried_on_what_was_judged_of_late(shell, redis):
    remember(redis, "essay help", *range(1, 15))
    remember(redis, "a garden", *range(20, 26))
    remember(redis, "warning: essay help", 30)
    remember(redis, "casino", 40)
    remember(redis, "essay help", 50, staff=True)
    done = shell("try", "essay-mills.toml", "--since", "7d")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "essay-mills is in shadow; tried as if it reported."
    assert lines[1].startswith("23 accounts with 23 posts, the oldest of ")
    assert lines[2] == "essay-mills hits 15 of them (65.2%)"
    assert lines[3] == "reported: 1 without this change, 15 with it"
    assert lines[4] == "so 14 more are reported, 0 no longer, 0 more are watched; 1 are exempt"
    assert lines[5].startswith("a text takes ")
    samples = [line for line in lines if " -> " in line]
    assert len(samples) == 10
    assert "none -> report" in samples[0]
    document = shell.json("try", "essay-mills.toml")
    assert (document["hits"], document["newly_reported"], document["exempt"]) == (15, 14, 1)
    assert document["us_a_text"]["alone"] > 0


def test_a_change_of_a_rule_is_told_as_the_difference(shell, redis, tmp_path):
    remember(redis, "casino", 1, 2)
    remember(redis, "roulette", 3)
    remember(redis, "a garden", 4)
    changed = tmp_path / "mine.toml"
    changed.write_text(OTHER.replace('"casino"]', '"roulette"]').replace("Casino", "Roulette"))
    document = shell.json("try", str(changed))
    assert document["rule_id"] == "casino"
    assert (document["reported_before"], document["reported_after"]) == (2, 1)
    assert (document["newly_reported"], document["no_longer_reported"]) == (1, 2)
    assert {(one["acct"], one["before"], one["after"]) for one in document["samples"]} == {
        ("a1@x.example", "report", "none"),
        ("a2@x.example", "report", "none"),
        ("a3@x.example", "none", "report"),
    }


def test_a_campaign_is_found_in_what_was_judged_of_late(shell, redis):
    campaign = RULE.replace('words = ["essay help", "write my thesis"]\n', "").split("[[examples")[0]
    (shell.directory / "essay-mills.toml").write_text(
        campaign + '[campaign]\nsame = "link_host"\naccounts_min = 3\nwithin = "3d"\n'
    )
    remember(redis, "hello", 1, 2, 3, 4)
    assert shell.json("try", "essay-mills.toml")["hits"] == 2, "the third and the fourth"


def test_a_rule_that_looks_at_rules_in_shadow_is_tried_from_there(shell, redis):
    remember(redis, "essay help", 1, 2)
    both = RULE.split("[account]")[0].replace("essay-mills", "both") + 'requires = ["essay-mills"]\n'
    (shell.directory / "both.toml").write_text(both)
    done = shell("try", "both.toml")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "both looks at rules in shadow, so it is tried there too: it hits and reports nobody."
    assert lines[2] == "both hits 2 of them (100.0%)"


def test_only_what_was_seen_since_is_tried(shell, redis):
    remember(redis, "essay help", 1)
    assert shell.json("try", "essay-mills.toml", "--since", "30s")["accounts"] == 0
    done = shell("try", "essay-mills.toml", "--since", "30s")
    assert done.stdout == "No account was judged in the last 30s, so there is nothing to try essay-mills on.\n"


def test_examples_that_fail_are_told_and_the_rule_is_tried_all_the_same(shell, redis):
    remember(redis, "essay help", 1)
    (shell.directory / "essay-mills.toml").write_text(RULE.replace("Essay help? No.", "Essay help https://x.example"))
    done = shell("try", "essay-mills.toml")
    assert done.returncode == 1
    assert done.stderr.startswith("essay-mills.toml: examples.no_match[1]: should not match and does")
    assert "essay-mills hits 1 of them" in done.stdout


@pytest.mark.parametrize(
    ("change", "words", "complaint"),
    [
        (("links_min = 1", "links_mni = 1"), (), "essay-mills.toml: status.links_mni: is not a key of this table"),
        (("weight = 5.0", "weight ="), (), "essay-mills.toml: is not TOML"),
        (("", ""), ("--since", "soon"), "command line: --since: 'soon' is not a duration"),
    ],
)
def test_what_is_wrong_with_a_trial_is_told(shell, change, words, complaint):
    (shell.directory / "essay-mills.toml").write_text(RULE.replace(*change))
    done = shell("try", "essay-mills.toml", *words)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(complaint)


def test_a_file_that_is_not_there_is_told(shell):
    done = shell("try", "nowhere.toml")
    assert done.returncode == 1
    assert done.stderr == "nowhere.toml: can't be read: No such file or directory (is the path right?)\n"


def test_stats_tell_each_rule_with_the_most_hits_first(shell, redis):
    stats = RedisRuleStats(redis)
    stats.hits("1", {"essay-mills": True}, 1_767_268_800.0)
    stats.filed(OpenReport("1", "1", ("casino",), 0.0), 0)
    done = shell("stats")
    lines = done.stdout.splitlines()
    rows = [" ".join(line.split()) for line in lines]
    assert rows[0] == "rule mode hits shadow reports kept rejected right last hit"
    assert rows[1] == "essay-mills shadow 0 1 0 0 0 - 2026-01-01 12:00 UTC"
    assert rows[2] == "casino report 0 0 1 0 0 - never"
    assert lines[3] == "1 reports wait for a decision; 0 posts of 0 accounts are there to try rules on"


def test_redis_away_is_told(shell):
    done = shell("stats", REDIS_URL="redis://127.0.0.1:1/1")
    assert done.returncode == 2
    assert "ConnectionError" in done.stderr
    assert len(done.stderr.splitlines()) == 1
