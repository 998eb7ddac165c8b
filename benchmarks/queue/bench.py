"""Starts workers and producers on a private redis-server, and measures one engine at a time."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redis import Redis

from benchmarks.queue import board as boards
from benchmarks.queue import instrument, probes
from benchmarks.queue.engines import QUEUES, REDIS_ENV, ROOT, Engine

DEADLINE_S = 120.0
NAP_S = 0.005
_LOOK_S = 0.02
_SETTLE_S = 0.1
_HOLD_S = 0.4


@dataclass
class Running:
    """Workers of one engine. ``slot`` is the first on the board that is free, ``outsiders`` are other clients."""

    engine: Engine
    processes: int
    workers: list[subprocess.Popen[bytes]]
    log: Path
    outsiders: frozenset[str] = frozenset()
    slot: int = 0
    aside: dict[str, range] = field(default_factory=dict)

    def check(self) -> None:
        """Stop where a worker has ended by itself."""
        if any(worker.poll() is not None for worker in self.workers):
            raise SystemExit(f"{self.engine.title} ended by itself:\n{self.log.read_text()[-3000:]}")


@dataclass(frozen=True)
class Speed:
    """What a run of ``jobs`` jobs gave; CPU in seconds, over the whole run. ``foreign``: see Bench.speed."""

    jobs: int
    seconds: float
    parent_cpu_s: float
    horse_cpu_s: float
    redis_cpu_s: float
    foreign: float

    @property
    def per_second(self) -> float:
        """Return jobs per second."""
        return (self.jobs - 1) / self.seconds


class Bench:
    """One private redis-server at ``url``, one board, and producers that live until ``close``."""

    def __init__(self, url: str, directory: Path, slots: int) -> None:
        self.redis = Redis.from_url(url)
        self.redis_pid = int(self.redis.info("server")["process_id"])
        self._directory = directory
        self.board = boards.Board.create(directory / "board", slots)
        self._environment = os.environ | {
            REDIS_ENV: url,
            boards.ENV: str(directory / "board"),
            "PYTHONPATH": str(ROOT),
        }
        self._producers: dict[str, subprocess.Popen[str]] = {}

    def close(self) -> None:
        """End the producers."""
        for producer in self._producers.values():
            producer.communicate()

    # --- enqueueing --------------------------------------------------------------------------------------

    def order(self, engine: Engine, how: str, job: str, slots: range, *args: object) -> float:
        """Let the engine's producer enqueue a job for each slot; return the seconds that took."""
        producer = self._producers.get(engine.key) or self._start_producer(engine)
        if not producer.stdin or not producer.stdout:
            raise AssertionError
        wanted = {"how": how, "job": job, "first": slots.start, "count": len(slots), "args": args}
        print(json.dumps(wanted), file=producer.stdin, flush=True)
        answer = producer.stdout.readline()
        if not answer:
            raise SystemExit(f"the producer of {engine.title} ended by itself")
        return float(json.loads(answer))

    def _start_producer(self, engine: Engine) -> subprocess.Popen[str]:
        self._producers[engine.key] = subprocess.Popen(
            [engine.python, "-m", "benchmarks.queue.producer", engine.key],
            env=self._environment | engine.environment,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self._producers[engine.key]

    def enqueue(self, engine: Engine, how: str, jobs: int) -> float:
        """Return how many jobs a second can be enqueued; no worker runs."""
        self.redis.flushall()
        self.order(engine, how, "noop", range(6))
        seconds = self.order(engine, how, "noop", range(jobs))
        self.redis.flushall()
        return jobs / seconds

    # --- workers -----------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def running(
        self, engine: Engine, processes: int, aside: dict[str, tuple[int, tuple[float, ...]]], **environment: str
    ) -> Iterator[Running]:
        """Yield workers that are warmed up and idle, with jobs set aside: name of the job, (how many, arguments)."""
        self.redis.flushall()
        self.board.clear()
        log = self._directory / "log"
        run = Running(engine, processes, [], log)
        for job, (count, args) in aside.items():
            self._set_aside(run, job, count, args)
        run.outsiders = probes.clients(self.redis)
        with log.open("wb") as output:
            run.workers += [
                subprocess.Popen(
                    command,
                    env=self._environment | engine.environment | environment,
                    cwd=ROOT,
                    stdout=output,
                    stderr=output,
                )
                for command in engine.commands(processes)
            ]
        try:
            self._warm_up(run)
            yield run
        finally:
            _stop(run.workers)

    def slots(self, run: Running, count: int) -> range:
        """Return slots for ``count`` jobs more."""
        run.slot += count
        return range(run.slot - count, run.slot)

    def _set_aside(self, run: Running, job: str, count: int, args: tuple[float, ...]) -> None:
        run.aside[job] = self.slots(run, count)
        self.order(run.engine, "bulk", job, run.aside[job][: -run.processes], *args)
        for name in QUEUES:
            self.redis.rename(run.engine.queue_key(name), f"aside:{job}:{name}")

    def _warm_up(self, run: Running) -> None:
        until = time.monotonic() + DEADLINE_S
        while not run.engine.is_celery and int(self.redis.scard("rq:workers")) < run.processes:
            run.check()
            if time.monotonic() > until:
                raise SystemExit(f"{run.engine.title} did not start")
            time.sleep(_LOOK_S)
        for _ in range(2):  # the first start what is started at the first job
            slots = self.slots(run, 6 * run.processes)
            self.order(run.engine, "each", "nap", slots, 0.01)
            self.wait(run, slots)

    def wait(self, run: Running, slots: range) -> None:
        """Wait until all jobs have ended, each after one run, and a moment more for what is written after them."""
        until = time.monotonic() + DEADLINE_S
        while not all(self.board.ended(slots)):
            run.check()
            if time.monotonic() > until:
                raise SystemExit(f"{run.engine.title} left {self.board.ended(slots).count(0.0)} jobs undone")
            time.sleep(_LOOK_S)
        time.sleep(_SETTLE_S)
        if set(self.board.runs(slots)) != {1}:
            raise SystemExit(f"{run.engine.title} ran jobs twice")

    # --- what is measured --------------------------------------------------------------------------------

    def speed(self, run: Running, job: str, *args: float) -> Speed:
        """Let in the jobs that were set aside, and time them.

        ``foreign`` is the share of the machine that went elsewhere meanwhile: where it is much, the figures say little.
        """
        slots = run.aside[job]
        machine, before = probes.machine_s(), self._cpu(run)
        self.let_in(run, job, *args)
        self.wait(run, slots)
        parent, horse, redis = (after - begun for after, begun in zip(self._cpu(run), before, strict=True))
        busy, had = (after - begun for after, begun in zip(probes.machine_s(), machine, strict=True))
        ended = self.board.ended(slots)
        foreign = max(0.0, busy - parent - horse - redis) / had
        return Speed(len(slots), max(ended) - min(ended), parent, horse, redis, foreign)

    def let_in(self, run: Running, job: str, *args: float) -> None:
        """Put the lists back in one step, then one job a process as callers do, which wakes whoever sleeps."""
        with self.redis.pipeline(transaction=True) as pipe:
            for name in QUEUES:
                pipe.rename(f"aside:{job}:{name}", run.engine.queue_key(name))
            pipe.execute()
        self.order(run.engine, "each", job, run.aside[job][-run.processes :], *args)

    def _cpu(self, run: Running) -> tuple[float, float, float]:
        each = [probes.cpu_s(worker.pid) for worker in run.workers]
        return sum(own for own, _ in each), sum(theirs for _, theirs in each), probes.cpu_s(self.redis_pid)[0]

    def memory(self, run: Running) -> tuple[float, float]:
        """Return the PSS in MiB of the parents, and of their children, while each runs a job."""
        slots = self.slots(run, run.processes)
        self.order(run.engine, "each", "nap", slots, _HOLD_S)
        until = time.monotonic() + DEADLINE_S
        while not all(self.board.began(slots)) and time.monotonic() < until:
            time.sleep(_LOOK_S)
        time.sleep(_HOLD_S / 4)
        parents = sum(probes.pss_mib(worker.pid) for worker in run.workers)
        horses = sum(probes.pss_mib(child) for worker in run.workers for child in probes.children(worker.pid))
        self.wait(run, slots)
        return parents, horses

    def pickup(self, run: Running, samples: int) -> list[float]:
        """Return how long each of some jobs waited for an idle worker, in seconds."""
        slots = self.slots(run, samples)
        self.order(run.engine, "spaced", "noop", slots)
        self.wait(run, slots)
        return [began - asked for began, asked in zip(self.board.began(slots), self.board.asked(slots), strict=True)]

    def idle(self, run: Running, seconds: float) -> tuple[float, float]:
        """Return the commands a second of idle workers: what they sent, and what INFO's total grew by."""
        time.sleep(5 * _SETTLE_S)  # let whatever follows the last job pass
        with probes.Monitor(self.redis, run.outsiders) as monitor:
            before = probes.processed(self.redis)
            time.sleep(seconds)
            # Ours: the second INFO counts the first.
            executed = probes.processed(self.redis) - before - 1
            sent = monitor.total
        return sent / seconds, executed / seconds

    def commands(self, engine: Engine, jobs: int) -> dict[str, Any]:
        """Return what a job costs in commands and in writes to Redis, in a run of its own."""
        trips = self._directory / "trips"
        trips.unlink(missing_ok=True)
        with self.running(engine, 1, {"noop": (jobs, ())}, **{instrument.TRIPS: str(trips)}) as run:
            written = trips.stat().st_size
            with probes.Monitor(self.redis, run.outsiders) as monitor:
                self.let_in(run, "noop")
                self.wait(run, run.aside["noop"])
            written = trips.stat().st_size - written
        return {
            "commands": monitor.total / jobs,
            "in_scripts": monitor.in_scripts / jobs,
            "trips": written / jobs,
            "by_command": {name: count / jobs for name, count in monitor.sent.most_common()},
        }

    def stacks(self, engine: Engine, jobs: int) -> list[str]:
        """Return the sampled stacks of a run of its own."""
        path = self._directory / "stacks"
        path.unlink(missing_ok=True)
        with self.running(engine, 1, {"noop": (jobs, ())}, **{instrument.STACKS: str(path)}) as run:
            begun = path.stat().st_size if path.exists() else 0
            self.speed(run, "noop")
            return path.read_bytes()[begun:].decode().splitlines()


def _stop(workers: list[subprocess.Popen[bytes]]) -> None:
    """Kill workers and their children, by their ids: nothing they leave is used again, and celery takes 2 s to stop."""
    pids = [pid for worker in workers for pid in (worker.pid, *probes.children(worker.pid))]
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for worker in workers:
        worker.wait()
