"""The file for what has no place here: what stands in it already, whoever has written that."""

from __future__ import annotations

import json

import pytest

from mastowatch.jobs.celery_move.broker import Found
from mastowatch.jobs.celery_move.move import Aside
from mastowatch.jobs.celery_move.moving import Place


@pytest.mark.parametrize("held", [b'{"a": 1}\n', b"[]\n", b"7\n", b"\xff\xfe\n", b'{"message_sha256": []}\n', b"{cut"])
def test_a_file_that_holds_something_else_is_gone_on_with(tmp_path, held):
    path = tmp_path / "file"
    path.write_bytes(held)
    found = Found(Place("celery"), b"m", b"m")
    for _ in range(2):
        Aside(path).put(found, "x.y", "why")
    assert path.read_bytes().startswith(held)
    (line,) = path.read_bytes().removeprefix(held).strip().splitlines()
    assert json.loads(line)["message"] == "m"
