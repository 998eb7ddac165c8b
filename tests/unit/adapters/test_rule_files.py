import os
import re
from pathlib import Path

import pytest

from mastowatch.adapters.rule_files import SIZE_MAX, read_rules, read_what_can_be, write
from mastowatch.errors import RuleErrors


def written(directory, **files):
    for name, content in files.items():
        (directory / f"{name}.toml").write_bytes(content)
    return directory


def complaint(directory):
    with pytest.raises(RuleErrors) as caught:
        read_rules(directory)
    return str(caught.value)


def test_rule_files_are_read_in_the_order_of_their_names(tmp_path):
    written(tmp_path, b=b'id = "b"', a=b'id = "a"')
    (tmp_path / "README").write_text("no rule")
    (tmp_path / ".a.toml").write_text("an editor's own")
    assert read_rules(tmp_path) == [("a.toml", {"id": "a"}), ("b.toml", {"id": "b"})]


def test_the_byte_order_mark_of_some_editors_does_no_harm(tmp_path):
    assert read_rules(written(tmp_path, a=b'\xef\xbb\xbfid = "a"')) == [("a.toml", {"id": "a"})]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'id = "a"\nname = \n', "a.toml: is not TOML: .*line 2"),
        (b'id = "a"\nname = "caf\xe9"', "a.toml: is not UTF-8 at line 2"),
        (b"#" * (SIZE_MAX + 1), f"a.toml: is larger than {SIZE_MAX} bytes .split it"),
        (b'pattern = "\\d"', "patterns stand in single quotes"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_line_and_hint(tmp_path, content, told):
    assert re.search(told, complaint(written(tmp_path, a=content)))


def test_all_bad_files_are_named_and_the_good_ones_are_there(tmp_path):
    documents, errors = read_what_can_be(written(tmp_path, a=b"=", b=b"id = 1", c=b"\xff"))
    assert [name for name, _ in documents] == ["b.toml"]
    assert [error.file for error in errors] == ["a.toml", "c.toml"]


def test_a_directory_that_is_not_there_is_named(tmp_path):
    assert "nowhere: can't be read: No such file or directory (set RULES_DIR" in complaint(tmp_path / "nowhere")


def test_a_rule_that_cannot_be_opened_is_named(tmp_path):
    (tmp_path / "a.toml").mkdir()
    assert "a.toml: can't be read: Is a directory" in complaint(tmp_path)


def test_a_link_put_in_the_way_gets_no_rights_and_no_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Whoever owns the directory swaps what root has just written for a link to a file of root's."""
    directory, secret = tmp_path / "rules.d", tmp_path / "secret"
    directory.mkdir()
    secret.touch(mode=0o600)
    real = os.fsync

    def swapped(handle: int) -> None:
        real(handle)
        beside = next(directory.glob(".*.import"))
        beside.unlink()
        beside.symlink_to(secret)

    monkeypatch.setattr(os, "fsync", swapped)
    write(directory, "a.toml", "x = 1\n")
    assert secret.stat().st_mode & 0o777 == 0o600
