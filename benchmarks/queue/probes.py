"""Looks at processes and at Redis from outside."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import threading
import time
from collections import Counter
from pathlib import Path

from redis import Redis

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_LINE = re.compile(rb'^\+[0-9.]+ \[\d+ (\S+)\] "([^"]*)"')


def children(pid: int) -> list[int]:
    """Return all descendants of a process that live now."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):  # a thread may have ended meanwhile
            for child in map(int, task.read_text().split()):
                found += [child, *children(child)]
    return found


def pss_mib(pid: int) -> float:
    """Return a process' share of memory: what it has alone, and its part of what it shares."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")) / 1024


def cpu_s(pid: int) -> tuple[float, float]:
    """Return the CPU time of a process, and of its children, those that have ended included."""
    own, ended = _cpu_s(pid)
    return own, ended + sum(sum(_cpu_s(child)) for child in children(pid))


def _cpu_s(pid: int) -> tuple[float, float]:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    user, system, ended_user, ended_system = (int(field) * _TICK_S for field in fields[11:15])
    return user + system, ended_user + ended_system


def machine_s() -> tuple[float, float]:
    """Return the CPU time that all processors have ever spent at work, and have had in all."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) * _TICK_S, sum(fields) * _TICK_S


def ping_s(redis: Redis, times: int = 2_000) -> float:
    """Return what one round trip takes: the median of ``times``."""
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        redis.ping()
        taken.append(time.perf_counter() - begun)
    return sorted(taken)[times // 2]


def processed(redis: Redis) -> int:
    """Return what INFO says of all commands ever."""
    return int(redis.info("stats")["total_commands_processed"])


def clients(redis: Redis) -> frozenset[str]:
    """Return the address and port of everyone connected now."""
    return frozenset(client["addr"] for client in redis.client_list())


class Monitor:
    """Counts what clients send, by command, while the block runs; what scripts do within Redis is counted apart.

    Clients in ``but`` (address and port) are not counted.
    """

    def __init__(self, redis: Redis, but: frozenset[str]) -> None:
        options = redis.connection_pool.connection_kwargs
        self._socket = socket.create_connection((options["host"], options["port"]))
        self._redis, self._but = redis, but
        self._thread = threading.Thread(target=self._read, daemon=True)
        self.sent: Counter[str] = Counter()
        self.in_scripts = 0
        self._ended = threading.Event()

    def __enter__(self) -> Monitor:
        self._socket.sendall(b"MONITOR\r\n")
        self._thread.start()
        time.sleep(0.1)
        return self

    def __exit__(self, *_: object) -> None:
        self._redis.echo("the end of the monitored time")
        self._ended.wait(10)
        self._socket.close()

    @property
    def total(self) -> int:
        """Return how many commands clients sent."""
        return self.sent.total()

    def _read(self) -> None:
        with self._socket.makefile("rb") as lines:
            for line in lines:
                found = _LINE.match(line)
                if not found:
                    continue
                source, command = found[1].decode(), found[2].decode().upper()
                if command == "ECHO":
                    self._ended.set()
                    return
                if source == "lua":
                    self.in_scripts += 1
                elif source not in self._but:
                    self.sent[command] += 1
