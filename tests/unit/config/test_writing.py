import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from mastowatch.config import envfile
from mastowatch.config.writing import replace_file, rights_of_secret, set_values
from mastowatch.errors import ConfigError

VALUES = some.text(some.characters(exclude_categories=("C", "Z"), include_characters=" \"'\\#$;="), max_size=20)


def changed(tmp_path: Path, before: str, **values: str) -> str:
    path = tmp_path / "mastowatch.env"
    path.write_bytes(before.encode())
    set_values(path, values)
    return path.read_bytes().decode()


def test_a_value_takes_the_place_of_the_old_one_and_nothing_else_changes(tmp_path):
    before = "# first\nDRY_RUN=true\n\n; second\n  LOG_LEVEL = info  \nRESULT_TTL=60\n"
    assert changed(tmp_path, before, LOG_LEVEL="debug") == before.replace("  LOG_LEVEL = info  ", "LOG_LEVEL=debug")


def test_a_value_that_was_at_its_default_comes_under_the_comment_that_shows_it(tmp_path):
    before = "# Rehearse.\n#DRY_RUN=true\n\n# How much to log.\n#LOG_LEVEL=info\n"
    after = "# Rehearse.\n#DRY_RUN=true\nDRY_RUN=false\n\n# How much to log.\n#LOG_LEVEL=info\n"
    assert changed(tmp_path, before, DRY_RUN="false") == after


def test_a_name_that_is_part_of_another_one_or_of_a_sentence_is_not_taken_for_it(tmp_path):
    before = "#API_BIND_TOO=1\n# set BIND=x to open it\nMY_BIND=1\n"
    assert changed(tmp_path, before, BIND="2") == before + "BIND=2\n"


def test_of_a_name_that_stands_there_twice_the_one_in_force_changes(tmp_path):
    assert changed(tmp_path, "A=1\nB=1\nA=2\n", A="3") == "A=1\nB=1\nA=3\n"


def test_values_that_go_on_over_several_lines_are_replaced_whole(tmp_path):
    assert changed(tmp_path, "A=1,\\\n#2,\\\n3\nB=1\n", A="4") == "A=4\nB=1\n"
    assert changed(tmp_path, "A=1,\\\n#B=2\n", B="4") == "A=1,\\\n#B=2\nB=4\n"


def test_windows_line_ends_stay(tmp_path):
    assert changed(tmp_path, "# a\r\nA=1\r\n#B=1\r\n", A="2", B="2", C="2") == "# a\r\nA=2\r\n#B=1\r\nB=2\r\nC=2\r\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "B=2\n"),
        ("A=1", "A=1\nB=2\n"),
        ("#B=1", "#B=1\nB=2\n"),
        ("B=1", "B=2\n"),
        ("A=1\\", "A=1\\\n\nB=2\n"),
        ("A=1\\\n", "A=1\\\n\nB=2\n"),
    ],
)
def test_a_file_without_a_last_line_end_is_none_the_worse_for_it(tmp_path, before, after):
    assert changed(tmp_path, before, B="2") == after


def test_what_has_the_value_already_is_not_told_and_the_file_not_touched(tmp_path):
    path = tmp_path / "mastowatch.env"
    path.write_text("A='1'\nB=2\n")
    before = path.stat()
    assert set_values(path, {"A": "1"}) == []
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert set_values(path, {"A": "1", "B": "3", "C": ""}) == ["B", "C"]
    assert path.read_text() == "A='1'\nB=3\nC=\n"


def test_a_value_is_in_quotes_only_where_it_must(tmp_path):
    url = "unix:///run/redis-mastowatch/redis-server.sock?db=0"
    assert changed(tmp_path, "", A=url) == f"A={url}\n"
    assert changed(tmp_path, "", A="a # b") == "A='a # b'\n"
    assert changed(tmp_path, "", A='it\'s "so"') == 'A="it\'s \\"so\\""\n'


@settings(max_examples=40)
@given(VALUES, VALUES)
def test_every_value_is_read_back_as_it_was_given(tmp_path_factory, one, other):
    path = tmp_path_factory.mktemp("round") / "mastowatch.env"
    path.write_text("# a\n#B=1\nA=0\nC=\\\n1")
    set_values(path, {"A": one, "B": other})
    assert envfile.read(path) == {"A": one, "B": other, "C": "1"}
    set_values(path, {"A": other, "B": one})
    assert envfile.read(path) == {"A": other, "B": one, "C": "1"}


@pytest.mark.parametrize("value", ["a\nDRY_RUN=false", "a\r", "\x0b", "a\u2028b", "\0", "\x1b[2J"])
def test_a_value_that_would_be_more_than_one_line_is_refused_and_nothing_written(tmp_path, value):
    path = tmp_path / "mastowatch.env"
    path.write_text("A=1\n")
    with pytest.raises(ConfigError, match=r"mastowatch\.env: A: the value"):
        set_values(path, {"B": "2", "A": value})
    assert path.read_text() == "A=1\n"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["a", "A B", "A=", "", "1A", "#A"])
def test_what_is_no_name_is_refused(tmp_path, name):
    with pytest.raises(ConfigError, match="no name of a setting"):
        set_values(tmp_path / "mastowatch.env", {name: "1"})


def test_a_file_that_could_not_be_read_by_the_units_is_not_made_worse(tmp_path):
    path = tmp_path / "mastowatch.env"
    path.write_text("A=1\nnonsense\n")
    with pytest.raises(ConfigError, match="line 2"):
        set_values(path, {"A": "2"})
    path.write_bytes(b"A=\xff\n")
    with pytest.raises(ConfigError, match="UTF-8"):
        set_values(path, {"A": "2"})
    with pytest.raises(ConfigError, match="can't be read"):
        set_values(tmp_path, {"A": "2"})


def test_rights_and_owner_stay_and_a_new_file_is_for_all_to_read(tmp_path):
    path = tmp_path / "mastowatch.env"
    set_values(path, {"A": "1"})
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    path.chmod(0o640)
    os.chown(path, 4321, 1234)
    set_values(path, {"A": "2"})
    now = path.stat()
    assert (stat.S_IMODE(now.st_mode), now.st_uid, now.st_gid) == (0o640, 4321, 1234)


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "real.env").write_text("A=1\n")
    link = tmp_path / "mastowatch.env"
    link.symlink_to("real.env")
    set_values(link, {"A": "2"})
    assert link.is_symlink()
    assert (tmp_path / "real.env").read_text() == "A=2\n"


def test_a_secret_has_its_rights_before_it_is_written(tmp_path, monkeypatch):
    path = tmp_path / "secret"
    seen = []
    fchmod = os.fchmod

    def look(handle, mode):
        fchmod(handle, mode)
        seen.append((os.fstat(handle).st_size, stat.S_IMODE(os.fstat(handle).st_mode)))

    monkeypatch.setattr(os, "fchmod", look)
    before = os.umask(0)
    try:
        replace_file(path, b"hidden\n", mode=0o600)
    finally:
        os.umask(before)
    assert seen == [(0, 0o600)]
    assert path.read_bytes() == b"hidden\n"


def test_what_fails_on_the_way_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "secret"
    path.write_text("old")

    def full(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match=r"secret: can't be written \(No space left on device\)"):
        replace_file(path, b"new", mode=0o600)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("before", "after"),
    [(0o600, 0o600), (0o640, 0o640), (0o660, 0o640), (0o644, 0o600), (0o666, 0o600), (0o400, 0o600)],
)
def test_a_secret_written_anew_stays_open_to_a_group_alone_and_to_nobody_by_mistake(tmp_path, before, after):
    path = tmp_path / "token"
    assert rights_of_secret(path) == (0o600, None)
    path.write_text("x")
    path.chmod(before)
    assert rights_of_secret(path) == (after, (os.getuid(), os.getgid()))
