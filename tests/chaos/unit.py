"""A worker as systemd sees it: a unit that is always started again, and its present life."""

from __future__ import annotations

import contextlib
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.ledger import Hit, Kind
from tests.chaos.processes import bearing

STOPS = {Kind.STOP_PARENT, Kind.STOP_HORSE, Kind.STOP_BOTH}


@dataclass
class Life:
    """One start of a worker, from the birth of its process until nothing that it started is left."""

    name: str
    mark: bytes
    process: subprocess.Popen[bytes]
    ready: bool = False
    heard_at: float = 0.0
    hits: list[Hit] = field(default_factory=list)

    @property
    def stopped_at(self) -> float | None:
        """When it was stopped (SIGSTOP), if whatever was stopped is still there."""
        return next((hit.at for hit in self.hits if hit.kind in STOPS and hit.over is None), None)

    @property
    def termed_at(self) -> float | None:
        """When it was told to end."""
        return next((hit.at for hit in self.hits if hit.kind == Kind.TERM), None)

    def horses(self) -> list[int]:
        """Return its other processes."""
        return [pid for pid in bearing(self.mark) if pid != self.process.pid]


class Unit:
    """One worker that is always started again: its notify socket, its log, its present life."""

    def __init__(self, name: str, directory: Path) -> None:
        self.name, self.log = name, directory / f"{name}.log"
        self.life: Life | None = None
        self.starts = 0
        self.start_at = 0.0
        self.address = directory / f"{name}.notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind(str(self.address))

    def said(self) -> Iterator[str]:
        """Take all that was said. A full socket would hold the worker, as sdnotify waits for room."""
        with contextlib.suppress(BlockingIOError):
            while True:
                yield from self.socket.recv(4096).decode().splitlines()
