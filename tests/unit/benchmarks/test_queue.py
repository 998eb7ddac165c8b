"""What the benchmark's figures rest on: ranks, ratios of the same round, times on the board, and what it counts."""

from __future__ import annotations

from pathlib import Path

import pytest
from redis import Redis

from benchmarks.queue.board import Board
from benchmarks.queue.probes import Monitor, clients
from benchmarks.queue.report import percentile, ratio


@pytest.mark.parametrize(("share", "found"), [(0.5, 100), (0.99, 198), (1.0, 200), (0.0, 1)])
def test_a_percentile_is_one_of_the_values(share, found):
    assert percentile(range(200, 0, -1), share) == found


def test_a_slow_round_leaves_the_ratio_as_it_is():
    assert ratio([100, 10, 120], [50, 5, 60]) == 2


def test_the_board_keeps_each_slots_times_and_runs(tmp_path: Path):
    board = Board.create(tmp_path / "board", 4)
    board.ask(1)
    for slot in (1, 2, 2):
        board.begin(slot)
        board.end(slot)
    again = Board(tmp_path / "board")
    assert again.runs(range(4)) == [0, 1, 2, 0]
    assert [bool(at) for at in again.asked(range(1, 3))] == [True, False]
    assert 0 < again.asked(range(1, 2))[0] <= again.began(range(1, 2))[0] <= again.ended(range(1, 2))[0]
    again.clear()
    assert board.runs(range(4)) == [0, 0, 0, 0]


def test_the_monitor_counts_what_the_others_send_and_scripts_apart(redis: Redis, redis_server: str):
    redis.ping()
    but = clients(redis)
    with Redis.from_url(redis_server) as other, Monitor(redis, but) as monitor:
        redis.get("x")  # one that was there before is not counted
        other.set("x", 'a "quoted" \r\n value')
        other.eval("redis.call('GET', 'x') redis.call('GET', 'x')", 0)
        with other.pipeline(transaction=True) as pipe:
            pipe.get("x").execute()
    assert monitor.in_scripts == 2
    assert {name: monitor.sent[name] for name in ("SET", "EVAL", "GET", "MULTI", "EXEC")} == {
        "SET": 1,
        "EVAL": 1,
        "GET": 1,
        "MULTI": 1,
        "EXEC": 1,
    }
