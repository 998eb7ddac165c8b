from __future__ import annotations

import pytest

from mastowatch.web.dashboard.live_routes import Look, tell

HERE, AWAY = Look(redis=True, html="<li>1</li>", stamp=1), Look(redis=False)
BUSIER = Look(redis=True, html="<li>2</li>", stamp=2)
SAME_COUNTERS = Look(redis=True, html="<li>1</li>", stamp=2)


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        (None, HERE, ["counters"]),
        (None, AWAY, ["gone"]),
        (HERE, HERE, []),
        (HERE, BUSIER, ["counters", "changed"]),
        (HERE, SAME_COUNTERS, ["changed"]),
        (HERE, AWAY, ["gone"]),
        (AWAY, AWAY, []),
        (AWAY, HERE, ["back", "counters", "changed"]),
    ],
)
def test_tells_what_has_changed_and_nothing_else(before, now, told):
    assert [one.name for one in tell(before, now)] == told


def test_the_header_is_told_as_it_stands():
    assert next(iter(tell(HERE, BUSIER))).data == "<li>2</li>"
