"""docs/howto/write-a-rule.md, step by step: every command on it is run, and prints what the page says."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from mastodon_mock.db.models import Status as MockStatus
from redis import Redis

from mastowatch.adapters.redis_posts import RedisRecentPosts
from mastowatch.adapters.redis_rule_stats import RedisRuleStats
from tests.documented import Printed, Walk
from tests.mastodon_server import MockMastodon, add_account, running_mock
from tests.world import account, post

pytestmark = [pytest.mark.redis, pytest.mark.mastodon]
ROOT = Path(__file__).parents[2]
NAME = "docs/howto/write-a-rule.md"
PAGE = (ROOT / NAME).read_text()
MILL = (
    'Need essay help? <a href="https://essays.example/1">essays.example/1</a>',
    'You say "write my thesis", we do <a href="https://essays.example/2">essays.example/2</a>',
)


def populate(session) -> None:
    born = datetime.now(UTC) - timedelta(days=3, hours=1)
    add_account(session, "bot", token="token", role="admin")
    add_account(session, "quill", id=100, domain="essays.example", created_at=born)
    for place, text in enumerate((*MILL, "Good morning!")):
        row = {"id": 1000 + place, "account_id": 100, "created_at": born, "visibility": "public"}
        session.add(MockStatus(content=f"<p>{text}</p>", **row))


@pytest.fixture(scope="module")
def server() -> Iterator[MockMastodon]:
    with running_mock(populate=populate) as mock:
        yield mock


def remember(redis: Redis) -> None:
    """Keep looks at accounts as they are judged on an ordinary day: mills, of which one is staff's joke, and people."""
    recent, now = RedisRecentPosts(redis), time.time() - 3600
    born = datetime.fromtimestamp(now, UTC) - timedelta(days=5)
    for number in range(1, 14):
        name = f"quill{number}"
        seen = account(
            str(number), acct=f"{name}@essays.example", username=name, created_at=born, staff=number == 13, statuses=2
        )
        posts = [replace(post(str(number), text), id=f"{number}{place}") for place, text in enumerate(MILL)]
        recent.remember(seen, [replace(one, created_at=born + timedelta(days=1)) for one in posts], now + number)
    people = ["Who can give me essay help?", "Warning: essay help https://school.example/1"]
    people += [f"A walk by the lake, day {number}" for number in range(51)]
    for number, text in enumerate(people, start=100):
        said = replace(post(str(number), text), created_at=born + timedelta(days=1))
        recent.remember(account(str(number), created_at=born, followers=12), [said], now)


def hit(redis: Redis) -> None:
    """Let the rule have hit twice, in shadow."""
    for account_id in ("1", "2"):
        RedisRuleStats(redis).hits(account_id, {"essay-mills": True}, time.time())


def test_the_page_is_right_from_the_first_command_to_the_last(redis, redis_server, server, tmp_path):
    rules = tmp_path / "rules.d"
    shutil.copytree(ROOT / "etc" / "rules.d", rules)
    (rule,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "token").write_text("token")
    (tmp_path / "mastowatch").write_text(f'#!/bin/sh\nexec {sys.executable} -m mastowatch "$@"\n')
    (tmp_path / "mastowatch").chmod(0o755)
    remember(redis)
    hit(redis)
    environ = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "REDIS_URL": redis_server,
        "INSTANCE_BASE": server.url,
        "ACCESS_TOKEN_FILE": str(tmp_path / "token"),
        "RULES_DIR": str(rules),
    }

    def run(command: str, _user: str, given: str) -> Printed:
        if command == "mastowatch rules check":
            # Step 2 of the page, which is done in an editor; later on the page changes the file itself.
            with contextlib.suppress(FileExistsError), (rules / "essay-mills.toml").open("x") as file:
                file.write(rule)
        done = subprocess.run(
            ["/bin/bash", "-c", f"exec 2>&1\n{command}"],
            input=given,
            capture_output=True,
            text=True,
            cwd=rules,
            env=environ,
            timeout=120,
        )
        return Printed(done.returncode, done.stdout)

    Walk(run).page(NAME)


def test_the_faults_that_the_page_shows_are_told_so(tmp_path):
    (rule,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    for change, fault in (
        (
            ('words = ["essay help"', 'wrods = ["essay help"'),
            "essay-mills.toml: status.wrods: is not a key of this table",
        ),
        (("Need essay help?", "Need help?"), "essay-mills.toml: examples.match[1]: should match and does not ("),
    ):
        (tmp_path / "essay-mills.toml").write_text(rule.replace(*change, 1))
        command = [sys.executable, "-m", "mastowatch", "rules", "check", str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, env={"PYTHONPATH": str(ROOT)}, timeout=60)
        assert fault in done.stderr
        assert fault.partition("(")[0] in PAGE
