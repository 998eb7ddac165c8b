"""How the checks are run and told: bounded, none ends the others, and each is documented."""

from __future__ import annotations

import ast
import json
import re
import shlex
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from mastowatch.cli import _parser, doctor, main
from mastowatch.config import Sources
from mastowatch.jobs.checks.examination import CHECKS, Check, examine, look
from mastowatch.jobs.checks.finding import NAMES, Finding
from mastowatch.jobs.checks.world import Away, World, redis_cli

ROOT = Path(__file__).parents[3]
CODE = sorted((ROOT / "mastowatch/jobs/checks").glob("*.py"))


def world(tmp_path: Path, text: str = "") -> World:
    (tmp_path / "env").write_text(text)
    return World(Sources({}, tmp_path / "env"), 1_800_000_000.0)


def raising(error: Exception):
    def look(world: World) -> list[Finding]:
        raise error

    return look


def test_redis_cli_is_given_the_authority_and_the_user_without_which_it_gets_no_answer(tmp_path):
    ours = world(tmp_path, "REDIS_URL=rediss://watch@10.0.0.11:6380/1\nREDIS_CA_FILE=/etc/mastowatch/redis-ca.pem\n")
    assert redis_cli(ours) == (
        "redis-cli -h 10.0.0.11 -p 6380 --user watch --tls --cacert /etc/mastowatch/redis-ca.pem"
    )


def test_each_name_has_a_check_and_a_section_in_the_same_order():
    assert {name for check in CHECKS for name in check.names} == set(NAMES)
    page = (ROOT / "docs/howto/doctor.md").read_text()
    assert tuple(re.findall(r"^### (.*)$", page, re.MULTILINE)) == NAMES


def test_each_finding_in_the_code_has_a_known_name():
    for path in CODE:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Finding":
                first = node.args[0]
                assert not isinstance(first, ast.Constant) or first.value in NAMES, (path, node.lineno)


def commands() -> list[str]:
    found = set()
    for path in CODE:
        for node in ast.walk(ast.parse(path.read_text())):
            text = ""
            if isinstance(node, ast.JoinedStr):
                text = "".join(str(part.value) if isinstance(part, ast.Constant) else "7" for part in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = node.value
            if re.fullmatch(r"mastowatch [a-z-]+( .*)?", text) and not text.endswith(" "):
                found.add(text)
    return sorted(found)


def test_each_command_of_ours_that_mends_something_exists():
    assert "mastowatch rules check" in commands()
    for command in commands():
        words = shlex.split(command)[1:]
        if words[0] != "setup" and words[:3] != ["jobs", "recurring", "resume"]:  # which asks for a task's name
            _parser().parse_args(words)


def test_a_check_that_fails_is_told_and_ends_no_other(tmp_path):
    checks = [
        Check(("disk",), "machine", "", raising(ZeroDivisionError("a secret"))),
        Check(("journal",), "machine", "", lambda world: [Finding("journal", "ok", "x")]),
        Check(("redis",), "redis", "", raising(RedisConnectionError("x"))),
        Check(("layout",), "redis", "", raising(Away("it is away"))),
    ]
    found = {one.check: (one.state, one.says) for one in examine(world(tmp_path), checks=checks)}
    assert found == {
        "disk": ("unknown", "this check failed: ZeroDivisionError"),
        "journal": ("ok", "x"),
        "redis": ("unknown", "Redis did not answer as it should (ConnectionError)"),
        "layout": ("unknown", "not looked at: it is away"),
    }


def test_what_hangs_is_left_behind(tmp_path):
    end = threading.Event()

    def hang(world: World) -> list[Finding]:
        end.wait(60)
        return []

    checks = [
        Check(("disk", "journal"), "machine", "", hang),
        Check(("redis",), "redis", "", lambda world: [Finding("redis", "ok", "x")]),
    ]
    found = examine(world(tmp_path), checks=checks, patience_s=0.2)
    end.set()
    assert [(one.check, one.state) for one in found] == [("disk", "unknown"), ("journal", "unknown"), ("redis", "ok")]


def test_without_settings_what_rests_on_them_is_unknown_and_the_rest_is_looked_at(tmp_path):
    found = examine(world(tmp_path, "REPORT_TRESHOLD=5\nDRY_RUN=perhaps\n"))
    by_check = {one.check: one for one in found}
    assert [one.state for one in found if one.check == "settings"] == ["failure", "failure"]
    assert by_check["disk"].state in ("ok", "warning", "failure")
    assert by_check["queues"].state == by_check["mastodon-token"].state == "unknown"
    assert {one.check for one in found} >= set(NAMES) - {"watchdogs"}
    assert not [one for one in found if "this check failed" in one.says], found


def test_the_exit_status_goes_by_the_worst():
    def status(*states):
        return doctor.exit_status([Finding("disk", state, "") for state in states])

    assert [status(), status("ok", "note", "unknown"), status("note", "warning"), status("warning", "failure")] == [
        0, 0, 1, 2
    ]  # fmt: skip


def test_lines_for_people():
    found = [
        Finding("disk", "ok", "fine"),
        Finding("redis", "failure", "it\x1b[31m is away " + "word " * 20, "No job is taken.", "systemctl start x"),
        *(Finding(name, "unknown", "not looked at: away") for name in ("layout", "queues", "workers")),
    ]
    lines = list(doctor.told(found, 60, colour=False))
    assert lines[0] == "ok    disk     fine"
    assert lines[1].startswith("FAIL  redis    it\\u001b[31m is away")
    assert [line for line in lines if line.startswith("      ") and not line.startswith("       ")] == [
        "      No job is taken.",
        "      mend: systemctl start x",
    ]
    last = " ".join(line.strip() for line in lines[lines.index("      mend: systemctl start x") + 1 :])
    assert last == "?     3 checks  not looked at: away: layout, queues, workers"
    assert max(map(len, lines)) <= 60
    assert next(iter(doctor.told(found[1:2], 60, colour=True))).startswith("\x1b[1;31mFAIL\x1b[0m  redis")
    assert doctor.summary(found).startswith("1 failure, 3 not looked at, 1 ok.")
    assert doctor.summary(found[:1]) == "1 ok. All is well."


def test_what_several_mean_is_told_once_below_the_last():
    found = [Finding("rules", "failure", f"{name}.toml is bad", "Mend it.", "mastowatch rules check") for name in "ab"]
    assert list(doctor.told(found, 80, colour=False)) == [
        "FAIL  rules  a.toml is bad",
        "FAIL  rules  b.toml is bad",
        "      Mend it.",
        "      mend: mastowatch rules check",
    ]


def test_json_for_programs_and_colour_for_nobody_who_does_not_want_it(tmp_path, capsys, monkeypatch):
    (tmp_path / "env").write_text("")
    assert main(["--config", str(tmp_path / "env"), "doctor", "--json", "--check", "certificate"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["findings"] == [
        {"check": "certificate", "state": "ok", "says": "no address with TLS in the settings", "means": "", "mend": ""}
    ]
    assert (told["summary"]["ok"], told["exit_status"]) == (1, 0)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    assert doctor._may_colour()
    monkeypatch.setenv("NO_COLOR", "1")
    assert not doctor._may_colour()


def test_quiet_says_nothing_where_all_is_well(tmp_path, capsys):
    (tmp_path / "env").write_text("")
    assert main(["--config", str(tmp_path / "env"), "doctor", "--quiet", "--check", "certificate"]) == 0
    assert capsys.readouterr().out == ""


def test_a_check_that_does_not_exist_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "--check", "nonsense"])
    assert ended.value.code == 2
    assert "redis-persistence" in capsys.readouterr().err


def test_what_is_not_set_up_yet_has_no_work_to_be_looked_at(tmp_path, monkeypatch):
    here = world(tmp_path, f"REDIS_URL=unix://{tmp_path}/none.sock?db=1\n")
    monkeypatch.setattr(World, "of_this_machine", True)
    told = look(here, Check(("workers",), "redis", "set-up", lambda _: []))
    assert [(one.state, one.says) for one in told] == [("unknown", "not looked at: INSTANCE_BASE is not set")]


def test_what_two_checks_tell_of_is_unknown_where_neither_could_look():
    [token] = [check for check in CHECKS if "mastodon-token" in check.names]
    [budget] = [check for check in CHECKS if check.names == ("request-budget",)]
    away = raising(Away("x"))
    assert "request-budget" not in [one.check for one in look(None, replace(token, needs="", look=away))]
    assert [one.check for one in look(None, replace(budget, needs="", look=away))] == ["request-budget"]
