from __future__ import annotations

import json
import zlib
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastowatch.jobs.celery_move.mapping import Foreign, Recurs, Work, translate
from mastowatch.jobs.celery_move.messages import BODY_MAX, Task, Unread, moment, read, unpack_delivered


def message(body: object, *, kind="application/json", headers=None, packed=lambda raw: raw) -> bytes:
    raw = packed(json.dumps(body).encode())
    told = {
        "body": b64encode(raw).decode(),
        "content-type": kind,
        "headers": headers or {},
        "properties": {"body_encoding": "base64", "correlation_id": "c"},
    }
    return json.dumps(told).encode()


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_said_to_be_unreadable(raw):
    assert isinstance(read(raw), (Task, Unread))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_any_json_as_a_body_is_read_or_said_to_be_unreadable(body):
    for headers in ({}, {"task": "x"}):
        assert isinstance(read(message(body, headers=headers)), (Task, Unread))


def test_a_bomb_is_not_unpacked():
    bomb = message(
        {},
        headers={"task": "x", "compression": "application/x-gzip"},
        packed=lambda _: zlib.compress(b" " * 10 * BODY_MAX),
    )
    assert read(bomb) == Unread("its body can't be read: ValueError", "x")


@pytest.mark.parametrize("kind", ["application/x-python-serialize", "application/x-yaml", "application/x-msgpack"])
def test_what_is_no_json_is_not_read(kind):
    found = read(message([[], {}, {}], kind=kind, headers={"task": "x", "id": "1"}))
    assert isinstance(found, Unread)
    assert found.name == "x"


def test_a_time_without_a_zone_is_utc():
    assert moment("1970-01-01T00:01:00") == moment("1970-01-01T01:01:00+01:00") == 60


def test_what_is_no_delivered_message_stays_as_it_is():
    assert unpack_delivered(b"nonsense") == b"nonsense"
    assert unpack_delivered(b'[{"a": 1}, "", "celery"]') == b'{"a": 1}'


@pytest.mark.parametrize(
    ("name", "args", "kwargs", "here"),
    [
        ("a.analyze_and_maybe_report", ("7",), {}, Work("analyze_and_maybe_report", {"account_id": "7"})),
        ("analyze_and_maybe_report", (7,), {}, Work("analyze_and_maybe_report", {"account_id": "7"})),
        (
            "a.analyze_and_maybe_report",
            ({"id": "7", "account": {"id": "8"}},),
            {},
            Work("analyze_and_maybe_report", {"account_id": "8"}),
        ),
        (
            "a.process_new_status",
            (),
            {"payload": {"object": {"id": "9"}}},
            Work("process_new_status", {"status_id": "9"}),
        ),
        (
            "a.analyze_and_maybe_report",
            (),
            {"retries": 3, "account": {"id": "7"}},
            Work("analyze_and_maybe_report", {"account_id": "7"}),
        ),
        (
            "a.process_new_report",
            (),
            {"attempt": 1, "payload": {"object": {"id": "9"}}},
            Work("annotate_report", {"report_id": "9"}),
        ),
        ("a.process_new_report", (), {"number": "9"}, Work("annotate_report", {"report_id": "9"})),
        ("a.process_new_report", (), {"attempt": 1, "delay": 2}, Foreign("no report_id is in its arguments")),
        ("a.poll_admin_accounts", ("x",), {}, Recurs("poll_admin_accounts")),
        ("a.queue_stats", (), {}, Recurs("record_queue_stats")),
        ("os.system", ("ls",), {}, Foreign("there is no task 'system' here")),
        ("a.analyze_and_maybe_report", ("0x7",), {}, Foreign("no account_id is in its arguments")),
        ("a.analyze_and_maybe_report", (True,), {}, Foreign("no account_id is in its arguments")),
        ("a.process_new_statuses", (["1"],), {}, Foreign("process_new_statuses can't be made of a message")),
    ],
)
def test_what_a_task_is_here(name, args, kwargs, here):
    assert translate(Task("1", name, args, kwargs), {}) == here


@pytest.mark.parametrize(
    ("changes", "headers"),
    [
        ({"content-type": ["application/json"]}, {}),
        ({"content-type": {}}, {}),
        ({}, {"eta": 10**400}),
        ({}, {"expires": float("inf")}),
        ({}, {"eta": float("nan")}),
        ({}, {"id": "\ud800"}),
        ({}, {"task": "x.\ud800"}),
    ],
)
def test_an_odd_message_stops_nobody(changes, headers):
    odd = json.loads(message([["1"], {}, {}], headers={"task": "x", "id": "1"} | headers)) | changes
    found = read(json.dumps(odd).encode())
    assert isinstance(found, Unread)
    assert (found.name + found.id).encode()
