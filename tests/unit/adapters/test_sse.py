"""Server-sent events: the same whatever the pieces in which they come, bounded, and never an exception."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from mastowatch.adapters.sse import HEARTBEAT, Event, EventReader

POST = 'event: update\ndata: {"content": "Žluťoučký кот 🐈"}\n\n'.encode()
STREAM = b":)\n" + POST + b":thump\n" + b"event: delete\r\ndata: 1\r\n\r\n" + b"data: a\rdata: b\r\r" + POST
EVENTS = [
    HEARTBEAT,
    Event("update", '{"content": "Žluťoučký кот 🐈"}'),
    HEARTBEAT,
    Event("delete", "1"),
    Event("message", "a\nb"),
    Event("update", '{"content": "Žluťoučký кот 🐈"}'),
]


def read(*chunks: bytes, **options) -> list[Event]:
    reader = EventReader(**options)
    return [event for chunk in chunks for event in reader.feed(chunk)]


def test_events_and_heartbeats_come_out_in_their_order():
    assert read(STREAM) == EVENTS


def test_byte_by_byte_nothing_is_different():
    assert read(*(STREAM[at : at + 1] for at in range(len(STREAM)))) == EVENTS


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_cut_anywhere_nothing_is_different(cuts):
    ends = sorted({0, len(STREAM), *cuts})
    assert read(*(STREAM[begin:end] for begin, end in itertools.pairwise(ends))) == EVENTS


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_no_bytes_are_an_error_and_the_cuts_make_no_difference(chunks):
    assert read(*chunks) == read(b"".join(chunks))


def test_half_an_event_is_none():
    assert read(POST[:-1]) == []


def test_an_event_without_data_is_none_and_its_name_goes_with_it():
    assert read(b"event: update\n\ndata: x\n\n") == [Event("message", "x")]


def test_other_fields_and_what_is_no_field_are_passed_over():
    assert read(b"id: 7\nretry: 1\nnonsense\ndata:x\ndata:  y\n\n") == [Event("message", "x\n y")]


def test_broken_utf_8_loses_a_letter_and_no_more():
    assert read(b"data: a\xffb\n\n") == [Event("message", "a�b")]


def test_an_event_that_is_too_long_is_left_out_and_the_next_is_not():
    reader = EventReader(at_most=1000)
    many_lines = b"data: " + b"x" * 90 + b"\n"
    found = [*reader.feed(many_lines * 20 + b"\n"), *reader.feed(POST)]
    assert found == [EVENTS[1]]
    assert reader.left_out == 1


def test_a_line_without_an_end_is_not_kept():
    reader = EventReader(at_most=1000)
    for _ in range(100):
        assert list(reader.feed(b"x" * 100)) == []
        assert len(reader._rest) <= 1100
    assert list(reader.feed(b"\n\n" + POST)) == [EVENTS[1]]
