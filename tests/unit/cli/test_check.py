from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from mastowatch.cli import check
from mastowatch.config import Sources

ROOT = Path(__file__).parents[3]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "x.env"
    path.write_text(f"INSTANCE_BASE=https://mastodon.example\nRULES_DIR={ROOT}/etc/rules.d\n")
    return path


def checked(file: Path, *, quiet: bool = False, **environ: str) -> tuple[int, list[str]]:
    complaints: list[str] = []
    status = check.run(Sources(environ, file), argparse.Namespace(quiet=quiet), complaints.append)
    return status, complaints


def test_all_is_well(file, capsys):
    assert checked(file) == (0, [])
    rules = len(list((ROOT / "etc" / "rules.d").glob("*.toml")))
    assert capsys.readouterr().out == f"OK: {file}; {rules} rules\n"
    assert checked(file, quiet=True) == (0, [])
    assert capsys.readouterr().out == ""


def test_each_fault_is_a_line_of_its_own(file, tmp_path):
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "a.toml").write_text("id = ")
    (tmp_path / "rules" / "b.toml").write_text("name = ")
    (tmp_path / "empty").touch()
    status, complaints = checked(
        file, RULES_DIR=str(tmp_path / "rules"), INSTANCE_BASE="", API_KEY_FILE=str(tmp_path / "empty")
    )
    assert status == 2
    assert [one.partition(":")[0].split()[0] for one in complaints] == [
        "a.toml",
        "b.toml",
        "INSTANCE_BASE",
        str(tmp_path / "empty"),
    ]
    assert not any("\n" in one for one in complaints)


def test_a_wrong_setting_is_told_of_before_all_else(file):
    status, complaints = checked(file, DRY_RUN="maybe", REPORT_THRESHOLD="lots")
    assert status == 2
    assert ["DRY_RUN" in complaints[0], "REPORT_THRESHOLD" in complaints[1]] == [True, True]


def test_what_this_user_may_not_read_is_a_fault_only_to_a_process_of_the_suite(file, capsys, monkeypatch):
    secret = file.with_name("secret")
    read = Path.read_text

    def refuse(path: Path, *args: str, **options: str) -> str:
        if path == secret:
            raise PermissionError(13, "Permission denied")  # root, as which the tests may run, is refused nothing
        return read(path, *args, **options)

    monkeypatch.setattr(Path, "read_text", refuse)
    assert checked(file, ACCESS_TOKEN_FILE=str(secret)) == (0, [])
    assert f"not checked, as this user may not read it: {secret}" in capsys.readouterr().out
    monkeypatch.setattr("mastowatch.journal.is_stderr", lambda: True)
    status, complaints = checked(file, ACCESS_TOKEN_FILE=str(secret))
    assert status == 2
    assert "can't be read: PermissionError" in complaints[0]
