"""``mastowatch setup`` where systemd runs: which commands it is told, in which order; and the private Redis.

systemctl is a stand-in that writes down what it is told, and starts a real redis-server. On a booted host:
tests/host/walk/test_95_setup_private.py.
"""

from __future__ import annotations

import io
import os
import pwd
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from redis import Redis

from mastowatch.cli import _parser, doctor
from mastowatch.cli.setup import command, doing, private_redis, units
from mastowatch.cli.setup.places import Places
from mastowatch.config import Sources, envfile
from mastowatch.errors import ConfigError
from tests.guarded_mastodon import GuardedMastodon, guarded_mastodon

pytestmark = [
    pytest.mark.redis,
    pytest.mark.skipif(os.geteuid() != 0, reason="sets up a machine below a directory, as root"),
]
ROOT = Path(__file__).parents[2]
TARGET = "mastowatch.target"
WORKER = "mastowatch-worker@{}.service"
ALL = (
    "mastowatch-worker@*.service mastowatch-scheduler.service mastowatch-stream.service"
    " mastowatch-api.service mastowatch-dashboard.service"
)
STAND_IN = """#!/bin/sh
echo "$*" >>{here}/told
case "$*" in
"show "*) echo mastowatch-api.service mastowatch-worker@1.service ;;
"is-active "*) shift; for unit; do cat {here}/state; done ;;
"enable --now redis-server@"*) redis-server {here}/redis.conf --logfile '' --daemonize yes >/dev/null ;;
"enable --now mastowatch-worker@9"*) echo "no such unit" >&2; exit 1 ;;
esac
"""


@pytest.fixture
def here(monkeypatch) -> Iterator[Path]:
    # Short: the path of a socket has 107 characters at most.
    here = Path(tempfile.mkdtemp(prefix="mw-"))
    (here / "bin").mkdir()
    (here / "state").write_text("active\n")
    script = here / "bin/systemctl"
    script.write_text(STAND_IN.format(here=here))
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{here}/bin:{os.environ['PATH']}")
    yield here
    if (here / "redis.sock").exists():
        Redis(unix_socket_path=str(here / "redis.sock")).shutdown(nosave=True)
    shutil.rmtree(here)


@pytest.fixture
def places(here: Path, monkeypatch) -> Places:
    monkeypatch.setattr(private_redis, "USER", "root")
    monkeypatch.setattr(private_redis, "GROUP", "root")
    (here / "systemd").mkdir()
    (here / "template").write_text("")
    (here / "wants").mkdir()
    (here / "wants" / WORKER.format(1)).write_text("")
    env = here / "mastowatch.env"
    env.write_text(f"RULES_DIR={ROOT}/etc/rules.d\n")
    return Places(
        env=env,
        credentials=here / "credentials",
        systemd=here / "systemd",
        redis_config=here / "redis.conf",
        redis_data=here / "data",
        redis_socket=here / "redis.sock",
        redis_template=(here / "template",),
        redis_drop_in=here / "drop-in/mastowatch.conf",
        wants=here / "wants",
    )


@pytest.fixture
def mastodon() -> Iterator[GuardedMastodon]:
    with guarded_mastodon() as mastodon:
        yield mastodon


@pytest.fixture
def run(places: Places, here: Path, mastodon, monkeypatch, capsys) -> Callable[..., tuple[int, str]]:
    # What doctor finds is for its own tests.
    monkeypatch.setattr(doctor, "run", lambda *_: 1)

    def run(*words: str, given: str = "") -> tuple[int, str]:
        (here / "told").write_text("")
        monkeypatch.setattr("sys.stdin", io.StringIO(given))
        try:
            status = command.run(Sources(), _parser().parse_args(["setup", *words, "--yes"]), places)
        except ConfigError as error:
            return 2, str(error)
        told = capsys.readouterr()
        return status, told.out + told.err

    return run


@pytest.fixture
def first(run, mastodon) -> tuple[int, str]:
    words = ["--instance", mastodon.url, "--access-token-file", "-"]
    return run(*words, given=f"{mastodon.token()}\n")


def told(here: Path) -> list[str]:
    """Return what systemd was told to do, without what it was only asked."""
    lines = (here / "told").read_text().splitlines()
    return [line for line in lines if not line.startswith(("show ", "is-active "))]


def test_a_first_set_up_makes_a_private_redis_and_starts_all(first, here: Path, places: Places):
    status, shown = first
    assert status == 0, shown
    assert told(here) == [
        "daemon-reload",
        "enable --now redis-server@mastowatch.service",
        f"enable {TARGET}",
        f"try-restart {ALL}",
        f"start {TARGET}",
        "start mastowatch-api.service mastowatch-worker@1.service",
    ]
    assert envfile.read(places.env)["REDIS_URL"] == f"unix://{here}/redis.sock?db=1"
    with Redis(unix_socket_path=str(places.redis_socket)) as redis:
        assert redis.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert redis.info("persistence")["aof_enabled"] == 1
        assert redis.config_get("port") == {"port": "0"}
    modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in (places.redis_config, places.redis_socket)}
    assert modes == {"redis.conf": 0o640, "redis.sock": 0o660}
    assert stat.S_IMODE(places.redis_data.stat().st_mode) == 0o750
    assert "Group=mastowatch" in places.redis_drop_in.read_text()


def test_the_example_is_what_it_writes():
    assert (ROOT / "packaging/examples/redis-mastowatch.conf").read_text() == private_redis.config(Places())


def test_once_more_nothing_is_told_to_systemd(first, run, here: Path, places: Places):
    changed = places.redis_config.read_text().replace("512mb", "1gb")
    places.redis_config.write_text(changed)
    for words in ((), ("--redis", "private"), ("--workers", "1"), ("--no-stream",)):
        status, shown = run(*words)
        assert (status, told(here)) == (0, []), shown
        assert "Nothing to change" in shown
    assert places.redis_config.read_text() == changed


@pytest.mark.parametrize(
    ("words", "commands"),
    [
        (["--workers", "2"], [f"enable --now {WORKER.format(2)}"]),
        (["--stream"], ["enable --now mastowatch-stream.service"]),
        (["--no-dry-run"], [f"reload {TARGET}"]),
        (["--webhook-secret-file", "-"], ["try-restart mastowatch-api.service"]),
        (["--dashboard", "mastodon"], ["try-restart mastowatch-dashboard.service"]),
        (
            ["--start"],
            [f"enable {TARGET}", f"start {TARGET}", "start mastowatch-api.service mastowatch-worker@1.service"],
        ),
    ],
)
def test_only_what_must_is_started_anew(first, run, here: Path, words, commands):
    status, shown = run(*words, given="of-the-hook\n")
    assert status == 0, shown
    assert told(here) == commands


def test_a_password_that_the_settings_name_is_left_where_it_is(first, run, here: Path, places: Places):
    (here / "password").write_text("of another\n")
    env = f"{places.env.read_text()}REDIS_PASSWORD_FILE={here}/password\n"
    places.env.write_text(env.replace("REDIS_URL=unix", "#REDIS_URL=unix"))
    status, shown = run("--redis", "private")
    assert status == 0, shown
    assert "stays behind" in shown
    assert envfile.read(places.env)["REDIS_PASSWORD_FILE"] == ""
    assert (here / "password").exists()
    assert told(here) == [f"try-restart {ALL}"]


def test_fewer_workers_are_taken_out(first, run, here: Path, places: Places):
    (places.wants / WORKER.format(2)).write_text("")
    (places.wants / "mastowatch-stream.service").write_text("")
    assert run("--workers", "1", "--no-stream")[0] == 0
    assert told(here) == [f"disable --now {WORKER.format(2)} mastowatch-stream.service"]


def test_what_stands_still_is_left_so(first, run, here: Path):
    (here / "state").write_text("inactive\n")
    assert run("--no-dry-run")[0] == 0
    assert told(here) == []


def test_a_unit_that_does_not_come_is_named(first, run, here: Path, monkeypatch):
    (here / "state").write_text("activating\n")
    monkeypatch.setattr(units, "READY_S", 0.0)
    status, shown = run("--start")
    assert status == 1
    assert "mastowatch-api.service is activating: journalctl -u mastowatch-api.service" in shown


def test_what_fails_on_the_way_is_told_with_what_was_done(first, run, here: Path, places: Places):
    for number in range(2, 9):
        (places.wants / WORKER.format(number)).write_text("")
    status, shown = run("--workers", "9", "--no-dry-run")
    assert status == 1
    assert "set DRY_RUN=false" in shown
    assert "no such unit" in shown
    # Another run would find that all is written, and leave the workers that run with what they had.
    assert "run this again" not in shown
    assert shown.endswith(f"    systemctl enable --now {WORKER.format(9)}\n    systemctl reload {TARGET}\n")


def test_interrupted_before_all_is_started_it_tells_what_is_left(run, mastodon, monkeypatch):
    real = units.run

    def interrupted(words, **options) -> str:
        if words[:2] == ["systemctl", "enable"] and TARGET in words:
            raise KeyboardInterrupt
        return real(words, **options)

    monkeypatch.setattr(units, "run", interrupted)
    words = ["--instance", mastodon.url, "--access-token-file", "-"]
    status, shown = run(*words, given=f"{mastodon.token()}\n")
    assert status == 1
    assert "interrupted. All is written" in shown
    assert shown.endswith(
        f"    systemctl enable {TARGET}\n    systemctl try-restart {ALL}\n    systemctl start {TARGET}\n"
    )


def test_a_secret_that_is_written_is_not_forgotten_where_the_settings_are_not(first, run, places: Places, monkeypatch):
    def full(path: Path, values: object) -> list[str]:
        raise ConfigError(f"{path}: can't be written (No space left on device); nothing of it was changed")

    monkeypatch.setattr(doing, "set_values", full)
    status, shown = run("--webhook-secret-file", "-", "--no-dry-run", given="of-the-hook\n")
    assert status == 1
    assert "No space left" in shown
    assert "run this again" in shown
    assert shown.endswith("    systemctl try-restart mastowatch-api.service\n")


def test_a_secret_elsewhere_stays_open_to_the_group_that_needs_it(first, run, here: Path, places: Places, mastodon):
    (here / "token").write_text("old\n")
    (here / "token").chmod(0o640)
    os.chown(here / "token", 0, 12)
    places.env.write_text(f"{places.env.read_text()}ACCESS_TOKEN_FILE={here}/token\n")
    status, shown = run("--access-token-file", "-", given=f"{mastodon.token()}\n")
    assert status == 0, shown
    now = (here / "token").stat()
    assert (stat.S_IMODE(now.st_mode), now.st_uid, now.st_gid) == (0o640, 0, 12)


@pytest.mark.parametrize("how", ["no systemd", "--no-start"])
def test_without_a_start_the_commands_are_left(run, here: Path, places: Places, mastodon, how):
    if how == "no systemd":
        places.systemd.rmdir()
    words = ["--instance", mastodon.url, "--access-token-file", "-", *([how] if how == "--no-start" else [])]
    status, shown = run(*words, given=f"{mastodon.token()}\n")
    assert status == 0, shown
    assert told(here) == []
    assert "systemctl enable --now redis-server@mastowatch.service" in shown
    assert f"systemctl start {TARGET}" in shown
    assert (places.credentials / "access_token").exists()


def test_a_person_is_asked_for_units_and_dashboard_too(here: Path, places: Places, mastodon, monkeypatch, capsys):
    answers = {
        "Its address": ["nonsense://", mastodon.url],
        "Which": ["2", "", "5", ""],  # the token's way, Redis, a dashboard that is not offered, and by Mastodon
        "Is it the bot's?": [""],
        "Add one now?": ["maybe", "n"],
        "Where people open it": ["ftp://x", "https://m.example/watch"],
        "Read the public stream": ["y"],
        "How many workers": ["many", "2"],
        "Go on?": ["y"],
    }

    def answer(question: str) -> str:
        return next(given.pop(0) for begin, given in answers.items() if begin in question)

    monkeypatch.setattr(doctor, "run", lambda *_: 1)
    monkeypatch.setattr("builtins.input", answer)
    monkeypatch.setattr("getpass.getpass", lambda _: mastodon.token())
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    assert command.run(Sources(), _parser().parse_args(["setup"]), places) == 0
    shown = capsys.readouterr().out
    assert not any(answers.values()), answers
    assert f"enable {TARGET} {WORKER.format(2)} mastowatch-stream.service" in told(here)
    assert envfile.read(places.env)["DASHBOARD_URL"] == "https://m.example/watch"
    assert "  run systemctl enable --now redis-server@mastowatch.service" in shown
    assert (places.credentials / "oauth_client").exists()


def test_a_private_redis_needs_what_debian_brings(places: Places, here: Path, monkeypatch):
    assert private_redis.why_not(places) == ""
    (here / "redis.conf").write_text("port 6380\n")
    assert "does not listen on" in private_redis.why_not(places)
    assert "apt-get install redis-server" in private_redis.why_not(replace(places, redis_template=()))
    monkeypatch.setattr(private_redis, "GROUP", "nobody-there")
    assert "there is no group nobody-there" in private_redis.why_not(places)


def test_a_redis_that_does_not_come_is_told_of(places: Places, monkeypatch):
    monkeypatch.setattr(private_redis, "ANSWERS_S", 0.0)
    with pytest.raises(ConfigError, match="does not answer; `journalctl"):
        private_redis.wait_until_it_answers(places)


def test_the_data_of_the_private_redis_are_made_for_its_user_and_no_link_is_followed(tmp_path, monkeypatch):
    """/var/lib/redis belongs to redis, which may swap what root has just made there for a link."""
    secret, data = tmp_path / "secret", tmp_path / "redis/mastowatch"
    secret.mkdir(mode=0o700)
    data.parent.mkdir()
    places = Places(
        redis_config=tmp_path / "redis.conf", redis_drop_in=tmp_path / "unit.d/drop-in.conf", redis_data=data
    )
    monkeypatch.setattr(private_redis.pwd, "getpwnam", lambda _: pwd.getpwuid(os.getuid()))
    real = Path.mkdir

    def swapped(path: Path, *args, **kwargs) -> None:
        real(path, *args, **kwargs)
        if path == data:
            data.rmdir()
            data.symlink_to(secret)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "mkdir", swapped)
        with pytest.raises(ConfigError, match="can't be made"):
            list(private_redis.make(places))
    assert secret.stat().st_mode & 0o777 == 0o700
    data.unlink()
    assert list(private_redis.make(places)) == [data]
    assert data.stat().st_mode & 0o777 == 0o750
