from __future__ import annotations

import logging
from pathlib import Path

import pytest

from mastowatch.jobs.context import load_rules
from mastowatch.jobs.rule_reload import LOOK_S, QUIET_S, RuleFiles

SHIPPED = Path(__file__).parents[3] / "etc" / "rules.d"
GOOD = (SHIPPED / "casino-words.toml").read_text()


class Watched:
    """A directory with one good rule, looked at by a clock that stands still until it is told to go on."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.now = directory, 100.0
        self.write("one.toml", GOOD)
        self.files = RuleFiles(directory, lambda: self.now)
        self.rules = load_rules(directory)

    def write(self, name: str, text: str) -> None:
        (self.directory / name).write_text(text)

    def after(self, seconds: float) -> bool:
        self.now += seconds
        return self.files.changed()

    def read(self) -> str:
        self.rules = self.files.read(self.directory, self.rules)
        return self.rules.digest


@pytest.fixture
def watched(tmp_path):
    return Watched(tmp_path)


def test_files_that_stay_as_they_are_are_not_read_again(watched):
    assert not any(watched.after(LOOK_S) for _ in range(5))


def test_a_change_counts_when_nothing_has_changed_for_a_second(watched):
    watched.write("two.toml", "id = ")
    assert not watched.after(LOOK_S / 2), "not looked yet"
    assert not watched.after(LOOK_S / 2), "seen"
    watched.write("two.toml", GOOD.replace('"casino-words"', '"two"'))
    assert not watched.after(QUIET_S), "still being written"
    assert watched.after(QUIET_S)
    watched.read()
    assert len(watched.rules) == 2
    assert not any(watched.after(LOOK_S) for _ in range(3))


@pytest.mark.parametrize(
    "change",
    [
        lambda directory: (directory / "one.toml").unlink(),
        lambda directory: (directory / "one.toml").rename(directory / "two.toml"),
        lambda directory: (directory / "one.toml").write_text(GOOD + "\n"),
        lambda directory: ((directory / "lists").mkdir(), (directory / "lists" / "hosts.txt").write_text("a.example")),
        lambda directory: (directory / "link.toml").symlink_to(directory / "nowhere"),
    ],
    ids=["gone", "renamed", "written", "list", "link to nowhere"],
)
def test_every_kind_of_change_is_seen(watched, change):
    change(watched.directory)
    assert [watched.after(LOOK_S), watched.after(QUIET_S)] == [False, True]


def test_what_is_no_rule_is_no_change(watched):
    watched.write("README", "x")
    watched.write("one.toml~", "x")
    assert not any(watched.after(LOOK_S) for _ in range(3))


def test_a_bad_file_is_told_of_once_and_the_rules_from_before_stay(watched, caplog):
    before = watched.rules
    watched.write("one.toml", GOOD.replace("weight = 5.0", "weight = -1"))
    assert [watched.after(LOOK_S), watched.after(QUIET_S)] == [False, True]
    watched.read()
    assert watched.rules is before
    (record,) = caplog.records
    assert (record.levelno, record.message, record.in_force) == (logging.ERROR, "rules_not_reloaded", before.digest)
    assert "one.toml: weight: -1 is not a number from 0" in record.error
    assert not any(watched.after(LOOK_S) for _ in range(5)), "it is the same bad file"
    watched.write("one.toml", GOOD)
    assert [watched.after(LOOK_S), watched.after(QUIET_S)] == [False, True], "mended"


def test_a_set_with_one_bad_file_comes_into_force_not_even_in_part(watched):
    before = watched.read()
    watched.write("good.toml", GOOD.replace('"casino-words"', '"two"'))
    watched.write("bad.toml", "x = 1")
    assert watched.read() == before
    assert len(watched.rules) == 1


def test_what_changes_while_the_files_are_read_is_a_change(watched, monkeypatch):
    def load_slowly(directory):
        rules = load_rules(directory)
        watched.write("late.toml", GOOD.replace('"casino-words"', '"late"'))
        return rules

    watched.write("one.toml", GOOD + "\n")
    with monkeypatch.context() as patch:
        patch.setattr("mastowatch.jobs.rule_reload.load_rules", load_slowly)
        watched.read()
    assert [watched.after(LOOK_S), watched.after(QUIET_S)] == [False, True]


def test_of_very_many_faults_some_are_told(watched, caplog):
    for number in range(20):
        watched.write(f"bad{number:02}.toml", "x = 1")
    watched.read()
    assert len(caplog.records[0].error) < 1000
    assert "more: mastowatch rules check names all" in caplog.records[0].error


def test_a_directory_that_is_gone_leaves_the_rules_in_force(watched, caplog):
    for path in watched.directory.iterdir():
        path.unlink()
    watched.directory.rmdir()
    assert [watched.after(LOOK_S), watched.after(QUIET_S)] == [False, True]
    watched.read()
    assert len(watched.rules) == 1
    assert "can't be read" in caplog.records[0].error
