from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from mastowatch.logs import event, set_job_id, set_up


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What is logged, as the journal gets it; logging is as it was before after the test."""
    root, ours = logging.getLogger(), logging.getLogger("mastowatch")
    before = (root.handlers[:], root.level, ours.level)
    stream = io.StringIO()
    set_up("info", stream)
    yield stream
    root.handlers[:], level, our_level = before
    root.setLevel(level)
    ours.setLevel(our_level)
    logging.captureWarnings(capture=False)


def read(lines: io.StringIO) -> list[tuple[str, dict]]:
    return [(line[:3], json.loads(line[3:])) for line in lines.getvalue().splitlines()]


def test_an_event_is_one_line_with_its_priority_name_and_fields(lines):
    event(logging.getLogger("mastowatch.x"), logging.WARNING, "went_wrong", number=3, words="a\nb \u00fc")
    ((priority, found),) = read(lines)
    assert priority == "<4>"
    assert (found["event"], found["level"], found["logger"]) == ("went_wrong", "WARNING", "mastowatch.x")
    assert (found["number"], found["words"]) == (3, "a\nb \u00fc")
    assert "\u00fc" in lines.getvalue()


@pytest.mark.parametrize(
    ("level", "priority"), [(logging.CRITICAL, "<2>"), (logging.ERROR, "<3>"), (logging.INFO, "<6>")]
)
def test_levels_are_the_journals_priorities(lines, level, priority):
    event(logging.getLogger("mastowatch"), level, "one")
    assert read(lines)[0][0] == priority


def test_the_job_at_hand_is_on_each_line_also_on_a_librarys(lines):
    set_job_id("j1")
    try:
        event(logging.getLogger("mastowatch"), logging.INFO, "one")
        logging.getLogger("urllib3").warning("two")
    finally:
        set_job_id(None)
    event(logging.getLogger("mastowatch"), logging.INFO, "three")
    assert [found.get("job_id") for _, found in read(lines)] == ["j1", "j1", None]


def test_a_librarys_words_are_no_event_name(lines):
    logging.getLogger("uvicorn.error").error("Exception in ASGI application\n")
    logging.getLogger("uvicorn.error").info("Started")
    ((priority, found),) = read(lines)
    assert (priority, found["event"], found["text"]) == ("<3>", "library_message", "Exception in ASGI application")


def test_an_error_of_ours_is_one_line_with_its_traceback(lines):
    try:
        int("no number")
    except ValueError as error:
        event(logging.getLogger("mastowatch"), logging.ERROR, "broken", exc_info=error)
    ((_, found),) = read(lines)
    assert found["exc_info"].startswith("Traceback")
