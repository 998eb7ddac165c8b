"""A board in shared memory where every job leaves its times: costs a microsecond, whatever the engine."""

from __future__ import annotations

import mmap
import os
import time
from functools import cache
from pathlib import Path

ENV = "BENCH_BOARD"
_FIELDS = 4  # asked, began, ended, runs


class Board:
    """The board in the file ``path``; a slot a job. Times are of CLOCK_MONOTONIC, one clock for all processes."""

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._cells = memoryview(mmap.mmap(file.fileno(), 0)).cast("d")

    @staticmethod
    def create(path: Path, slots: int) -> Board:
        """Return a new and empty board."""
        path.write_bytes(bytes(slots * _FIELDS * 8))
        return Board(path)

    def clear(self) -> None:
        """Empty all slots; no worker may run."""
        self._cells[:] = memoryview(bytes(len(self._cells) * 8)).cast("d")

    def ask(self, slot: int) -> None:
        """Note that the job is about to be enqueued."""
        self._cells[slot * _FIELDS] = time.monotonic()

    def begin(self, slot: int) -> None:
        """Note that the job begins."""
        self._cells[slot * _FIELDS + 1] = time.monotonic()
        self._cells[slot * _FIELDS + 3] += 1

    def end(self, slot: int) -> None:
        """Note that the job ends."""
        self._cells[slot * _FIELDS + 2] = time.monotonic()

    def asked(self, slots: range) -> list[float]:
        """Return when each was about to be enqueued."""
        return self._column(slots, 0)

    def began(self, slots: range) -> list[float]:
        """Return when each began, 0 where one has not."""
        return self._column(slots, 1)

    def ended(self, slots: range) -> list[float]:
        """Return when each ended, 0 where one has not."""
        return self._column(slots, 2)

    def runs(self, slots: range) -> list[int]:
        """Return how often each ran."""
        return [int(count) for count in self._column(slots, 3)]

    def _column(self, slots: range, field: int) -> list[float]:
        return [*self._cells[slots.start * _FIELDS + field : slots.stop * _FIELDS : _FIELDS]]


@cache
def board() -> Board:
    """Return the board that the environment names."""
    return Board(Path(os.environ[ENV]))
