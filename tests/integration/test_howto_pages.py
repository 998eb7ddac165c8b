"""Pages whose commands need no host of their own, run from the first to the last, on a real Redis.

docs/howto/second-host.md: its certificates, and its files of Redis and of the sentinels, as they stand there.
docs/howto/migrate-from-celery.md: messages of a real Celery. docs/howto/doctor.md: Debian's Redis as it comes.
docs/howto/set-up.md: settings of one's own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from redis import Redis

from tests import documented
from tests.celery_producer import send
from tests.documented import Printed, Walk
from tests.engine import wait
from tests.guarded_mastodon import guarded_mastodon
from tests.redis_server import free_port, running_redis

pytestmark = pytest.mark.redis
ROOT = Path(__file__).parents[2]
SECOND_HOST, MIGRATION = "docs/howto/second-host.md", "docs/howto/migrate-from-celery.md"
DOCTOR, SET_UP = "docs/howto/doctor.md", "docs/howto/set-up.md"
ANALYZE, POLL = "app.tasks.jobs.analyze_and_maybe_report", "app.tasks.jobs.poll_admin_accounts"
PASSWORDS = {"THE-PASSWORD": "of-redis", "THE-SENTINELS-PASSWORD": "of-the-sentinels"}


def shell(place: Path, settings: Mapping[str, object], names: Mapping[str, str] | None = None) -> Walk:
    """Return a shell in ``place`` that keeps its directory, its umask and what $ip is, from one command to the next.

    Settings of MastoWatch are those in mastowatch.env there; ``names`` are what stands for what on the page.
    """
    env = place / "mastowatch.env"
    (place / "token").write_text("token")
    (place / "token").chmod(0o600)
    given = {"INSTANCE_BASE": "http://127.0.0.1:9", "ACCESS_TOKEN_FILE": place / "token", **settings}
    given["RULES_DIR"] = ROOT / "etc/rules.d"
    env.write_text("".join(f"{name}={value}\n" for name, value in given.items()))
    program = place / "bin/mastowatch"
    program.parent.mkdir()
    # Where a page says --config itself, that counts.
    program.write_text(
        f'#!/bin/sh\n[ "$1" = --config ] || set -- --config {env} "$@"\nexec {sys.executable} -m mastowatch "$@"\n'
    )
    program.chmod(0o755)
    state = place / "shell"
    state.write_text(f"cd {place}\n")
    environ = {"PATH": f"{program.parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    keep = f'status=$?; {{ echo "cd $PWD; umask $(umask); ip=$ip"; }} >{state}; exit $status'

    def run(command: str, _user: str, _given: str) -> Printed:
        script = f"exec 2>&1\n. {state}\n{command}\n{keep}"
        done = subprocess.run(["/bin/bash", "-c", script], capture_output=True, text=True, env=environ, timeout=120)
        return Printed(done.returncode, done.stdout)

    return Walk(run, {"/etc/mastowatch/mastowatch.env": str(env), **(names or {})})


def block(page: str, holds: str) -> str:
    """Return the one block of a page, none of commands, that holds this line."""
    (found,) = [text for kind, text in documented.blocks(page) if kind != "console" and holds in text]
    return "".join(f"{line.strip()}\n" for line in found.splitlines())


def test_a_second_host_finds_redis_by_what_its_page_says(tmp_path):
    redis, sentinel = free_port(), free_port()
    names = {
        "/root/ca": f"{tmp_path}/ca",
        "/etc/redis": f"{tmp_path}/redis",
        "/etc/mastowatch/redis-ca.pem": f"{tmp_path}/ca/ca.pem",
        "/var/lib/redis": str(tmp_path),
        "-o redis ": "",  # there may be no such user here
        "10.0.0.11:26379,10.0.0.12:26379,10.0.0.13:26379": f"127.0.0.1:{sentinel}",
        "10.0.0.11 127.0.0.1": "127.0.0.1",
        **{f"10.0.0.{number}": "127.0.0.1" for number in (11, 12)},
        "6379": str(redis),
        **PASSWORDS,
    }
    names = {f"2{6379}": str(sentinel), **names}
    names = dict(sorted(names.items(), key=lambda one: -len(one[0])))

    def here(text: str) -> str:
        for on_page, meant in names.items():
            text = text.replace(on_page, meant)
        return text

    (tmp_path / "redis").mkdir()
    walk = shell(tmp_path, {}, names)
    of_redis, of_sentinel = here(block(SECOND_HOST, "tls-port 6379")), here(block(SECOND_HOST, "sentinel monitor"))
    first, then = here(block(SECOND_HOST, "REDIS_URL=rediss://10.")), here(block(SECOND_HOST, "REDIS_SENTINELS="))
    env = tmp_path / "mastowatch.env"
    for file, secret in (("redis_password", "of-redis"), ("redis_sentinel_password", "of-the-sentinels")):
        (tmp_path / file).write_text(secret)
        first += f"{file.upper()}_FILE={tmp_path / file}\n"
    before = env.read_text()
    env.write_text(before + first)
    started = []

    def run(command: str, user: str, given: str) -> Printed:
        if command == "mastowatch config check":  # what the page has its reader write, start, and restart by then
            started.append(serve(tmp_path, "redis.conf", of_redis))
        return plain_run(command, user, given)

    plain_run, walk.run = walk.run, run
    try:
        walk.page(SECOND_HOST)
        started.append(serve(tmp_path, "sentinel.conf", of_sentinel, "--sentinel"))
        env.write_text(before + first.replace("REDIS_URL", "#REDIS_URL").replace("REDIS_CA", "#REDIS_CA") + then)
        found = Printed(1, "")

        def is_found() -> bool:
            nonlocal found
            found = plain_run("mastowatch doctor --check redis", "root", "")
            return found.status == 0

        wait(is_found, 30)
        assert found.text.startswith("ok    redis  answers")
    finally:
        for one in started:
            one.terminate()
            one.wait(10)


def serve(place: Path, name: str, text: str, *words: str) -> subprocess.Popen[bytes]:
    (place / name).write_text(f"{text}dir {place}\n")
    return subprocess.Popen(["redis-server", str(place / name), *words], stdout=subprocess.DEVNULL)


def test_the_move_from_celery_goes_as_its_page_says(redis, redis_server, tmp_path):
    broker = f"{redis_server.removesuffix('/1')}/3"
    with Redis.from_url(broker) as theirs:
        theirs.flushdb()
    later, default = {"countdown": 900}, {"queue": "default"}
    sends = [(2, ANALYZE, {"args": [str(number)]}) for number in (1, 2)]
    sends += [(2, ANALYZE, {"args": ["3"], **default}), (2, ANALYZE, {"args": ["4"], **later}), (2, POLL, {})]
    send(broker, *sends, (2, POLL, default), (2, "elsewhere.tasks.send_mail", {}))
    names = {"redis://localhost:6379/0": broker, "/root": str(tmp_path)}
    shell(tmp_path, {"REDIS_URL": redis_server}, names).page(MIGRATION)


def test_doctor_finds_what_its_page_shows(tmp_path):
    with running_redis(tmp_path, "--save", "3600 1 300 100 60 10000") as server:
        shell(tmp_path, {"REDIS_URL": server.url}).page(DOCTOR)


def test_settings_of_ones_own_are_made_as_the_page_of_setup_says(redis_server, tmp_path):
    with guarded_mastodon() as mastodon:
        names = {"https://mastodon.example": mastodon.url, "redis://localhost:6379/2": redis_server}
        walk = shell(tmp_path, {}, names)
        (tmp_path / "token").write_text(mastodon.token())
        walk.page(SET_UP)
    assert "INSTANCE_BASE=http" in (tmp_path / "try.env").read_text()
