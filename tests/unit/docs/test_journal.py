"""docs/reference/journal.md against the code that logs."""

from pathlib import Path

from mastowatch.logs import LIBRARY
from tests.unit.packaging.programs import load

program = load("journal-reference")
events = load("events.py")
PAGE = Path(__file__).parents[3] / "docs" / "reference" / "journal.md"
REMEDY = (
    "run: .venv/bin/python packaging/journal-reference > /tmp/journal.md, say what new events tell, and put it there"
)


def test_every_event_is_listed_with_the_priorities_and_fields_of_the_code_and_no_other():
    found, page = events.read(), PAGE.read_text()
    listed = [row[1] for row in program.ROW.finditer(page)]
    assert sorted(set(found) ^ set(listed)) == [], REMEDY
    assert len(listed) == len(set(listed))
    assert program.render(page, found) == page, REMEDY
    assert "TODO" not in page


def test_events_are_found_in_the_code(tmp_path):
    (tmp_path / "a.py").write_text(
        'event(log, logging.INFO, "one", a=1)\n'
        'event(log, logging.ERROR if bad else logging.WARNING, "one", b=2, exc_info=error)\n'
        'event(log, level, "up" if x else "down", **fields)\n'
        "event(name)\n"
    )
    found = events.read(tmp_path)
    assert found["one"].told() == ("err, warning, info", "`a`, `b`, `exc_info`")
    assert found["up"].told() == ("any", "")
    assert found["down"].open_ended
    assert set(found) == {"one", "up", "down", "crashed", LIBRARY}


def test_a_row_whose_event_is_gone_is_left_out_and_one_with_other_fields_is_mended():
    page = "| `old` | info |  | that |\n| `new` | info | `x` | this |\n"
    assert program.render(page, {"new": events.Event({"err"}, {"y"})}) == "| `new` | err | `y` | this |\n"
