"""The command line as people use it in a shell."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.covered import covered

ROOT = Path(__file__).parents[2]


def shell(command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    text = command.replace("mastowatch", f"{sys.executable} -m mastowatch", 1)
    env = {"PATH": "/usr/bin:/bin", **covered(), **environ}
    return subprocess.run(["/bin/bash", "-c", text], capture_output=True, text=True, cwd=ROOT, env=env, timeout=60)


def test_a_pipe_that_ends_early_is_no_error():
    done = shell("mastowatch config show | head -n 1; echo ${PIPESTATUS[0]}")
    assert done.stdout.splitlines()[-1] == "0"
    assert done.stderr == ""


def test_config_show_tells_values_and_origins_and_masks_the_password():
    done = shell("mastowatch config show", REDIS_URL="redis://me:hunter2@h/1")
    assert "hunter2" not in done.stdout
    assert any(
        line.split()[0] == "REDIS_URL=redis://me:****@h/1" and "# environment" in line
        for line in done.stdout.splitlines()
    )


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        ("mastowatch worker --queues fast", "command line: WORKER_QUEUES='fast' is not allowed"),
        ("mastowatch --config /nowhere config show", "/nowhere: there is no such file"),
        ("mastowatch api", "API_BIND=0.0.0.1:1: can't listen there"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(command, complaint):
    done = shell(command, API_BIND="0.0.0.1:1")
    assert done.returncode == 2
    assert complaint in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["mastowatch --config {} config show", "mastowatch config show --config {}"])
def test_the_settings_file_may_be_named_before_the_command_or_behind_it(tmp_path, command):
    file = tmp_path / "x.env"
    file.write_text("REPORT_THRESHOLD=7\n")
    assert f"# {file}" in shell(command.format(file)).stdout


def test_rules_check_names_a_bad_file_and_its_key_and_exits_1(tmp_path):
    (tmp_path / "bad.toml").write_text(
        'id = "x"\nname = "X"\ndescription = "x"\nweight = 1\n[status]\npattern = "(?=a)"\n'
    )
    done = shell(f"mastowatch rules check {tmp_path}")
    assert done.returncode == 1
    assert "bad.toml: status.pattern: " in done.stderr
    assert shell("mastowatch rules check etc/rules.d").returncode == 0


def test_panic_is_switched_and_told(redis, redis_server):
    assert shell("mastowatch panic on", REDIS_URL=redis_server).stdout.startswith("panic stop: on since ")
    assert redis.exists("mastowatch:switch:panic_stop")
    assert shell("mastowatch panic off", REDIS_URL=redis_server).stdout == "panic stop: off\n"
    away = shell("mastowatch panic status", REDIS_URL="redis://127.0.0.1:1/1")
    assert away.returncode == 1
    assert "until then nothing runs" in away.stderr
