"""Charts of what the queues have done: nothing is made up where nothing is known."""

from __future__ import annotations

import pytest

from mastowatch.adapters.memory_store import MemoryHistory
from mastowatch.errors import StoreUnavailable
from mastowatch.ports.types import QueuePoint
from mastowatch.web.dashboard.charts import bar_chart, line_chart, nice
from mastowatch.web.dashboard.trends import DAY_S, Trend, TrendReader

NOW = 1_800_000_000.0


def point(at: float, finished: int, failed: int = 0, waited: float = 1.0, queue: str = "default") -> QueuePoint:
    return QueuePoint(at, queue, 2, waited, 1, finished, failed, 1)


def reader(*points: QueuePoint) -> TrendReader:
    history = MemoryHistory()
    history.record(sorted(points, key=lambda one: one.at))
    return TrendReader(history, lambda: ["default", "high"])


def hour_of(rate: int, end: float = NOW, waited: float = 1.0) -> list[QueuePoint]:
    return [point(end - 60 * back, 100_000 - rate * back, waited=waited) for back in range(61)]


def whole(found: TrendReader) -> TrendReader:
    found.trends("hour", NOW)
    found.wait()
    return found


def test_tells_how_many_jobs_were_done_in_a_minute_over_all_queues():
    both = [*hour_of(30), *(point(NOW - 60 * back, 900 - 6 * back, queue="high") for back in range(61))]
    done = reader(*both).trends("hour", NOW).done
    assert [round(one, 3) for one in done.values if one is not None] == [36.0] * 60
    assert round(done.now or 0, 3) == 36.0


def test_a_counter_that_began_anew_is_no_negative_work():
    points = [point(NOW - 180, 500), point(NOW - 120, 530), point(NOW - 60, 4), point(NOW, 34)]
    assert [round(one) for one in reader(*points).trends("hour", NOW).done.values[-3:]] == [30, 0, 30]


def test_each_failure_is_counted_once_and_whole():
    points = [point(NOW - 95 - 7, 0, 3), point(NOW - 41 - 7, 0, 3), point(NOW - 7, 0, 5)]
    failed = [one for one in reader(*points).trends("hour", NOW).failed.values if one]
    assert failed == [2.0]


def test_where_nothing_was_written_down_there_is_a_gap_and_no_zero():
    points = [point(NOW - 3000, 10), point(NOW - 2940, 40), point(NOW - 60, 50), point(NOW, 80)]
    trends = reader(*points).trends("hour", NOW)
    assert trends.done.values[30] is None
    assert trends.waited.values[30] is None
    assert len(line_chart(trends.done).lines) == 2


def test_usual_is_what_two_days_or_more_had_at_that_time():
    one_day = [*hour_of(30), *hour_of(10, NOW - DAY_S)]
    assert set(whole(reader(*one_day)).trends("hour", NOW).done.usual) == {None}
    two_days = [*one_day, *hour_of(20, NOW - 2 * DAY_S)]
    low, high = whole(reader(*two_days)).trends("hour", NOW).done.usual[2] or (0, 0)
    assert (round(low), round(high)) == (10, 20)
    assert whole(reader(*two_days)).trends("week", NOW).done.usual == ()


def test_reads_only_what_is_new_and_not_more_often_than_points_come():
    class Counting(MemoryHistory):
        asked: list[int]

        def recent(self, queue, limit):
            self.asked.append(limit)
            return super().recent(queue, limit)

    history = Counting()
    history.asked = []
    history.record(reversed(hour_of(30)))
    found = TrendReader(history, lambda: ["default"])
    found.trends("hour", NOW)
    found.wait()
    history.asked.clear()
    found.trends("day", NOW + 1)
    assert history.asked == []
    history.record([point(NOW + 60, 100_060)])
    assert round(found.trends("hour", NOW + 60).done.now or 0) == 60
    assert history.asked == [4]


def test_a_store_that_goes_away_is_asked_for_the_whole_again():
    class Failing(MemoryHistory):
        away = False

        def recent(self, queue, limit):
            if self.away and limit > 130:
                raise StoreUnavailable("gone")
            return super().recent(queue, limit)

    history = Failing()
    history.record(
        sorted([*hour_of(30), *hour_of(9, NOW - DAY_S), *hour_of(9, NOW - 2 * DAY_S)], key=lambda one: one.at)
    )
    history.record([point(NOW - back, 100_000) for back in range(130, 0, -1)])
    history.away = True
    found = whole(TrendReader(history, lambda: ["default"]))
    history.away = False
    found.trends("hour", NOW + 20)
    found.wait()
    assert any(found.trends("hour", NOW).done.usual)


def test_an_empty_history_is_no_error():
    trends = reader().trends("day", NOW)
    assert not trends.known
    assert trends.done.now is None
    assert reader().rate("default", NOW) is None
    assert line_chart(trends.done).lines == []


@pytest.mark.parametrize(("value", "top"), [(0, 1), (0.3, 0.4), (1, 1), (3, 4), (41, 50), (100, 100), (101, 200)])
def test_scales_end_at_numbers_that_read_well(value, top):
    assert nice(value) == pytest.approx(top)


def test_a_single_failure_is_seen_beside_many():
    *_, (_, _, _, high) = bar_chart([0, 5000, None, 1]).bars
    assert high == 2.0
    assert len(bar_chart([0, None]).bars) == 0


def test_a_chart_stays_inside_its_box():
    chart = line_chart(Trend([1.0, 7.0, 3.0], [(0.0, 9.0), (1.0, 12.0)]))
    assert chart.top == 20.0
    assert chart.lines == ["M200.0,95.0 L400.0,65.0 L600.0,85.0"]
    assert (
        chart.band == "M0.0,55.0 L150.0,55.0 L450.0,40.0 L600.0,40.0 L600.0,95.0 L450.0,95.0 L150.0,100.0 L0.0,100.0 Z"
    )
