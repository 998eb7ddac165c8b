"""One run: workers under a manager, jobs being enqueued, hits; then time to settle, and the judgement."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from redis import Redis

from tests.chaos import evidence, marks
from tests.chaos.enqueuer import Enqueuer
from tests.chaos.hands import Hands
from tests.chaos.jobs import MARKS, TOUCHED
from tests.chaos.ledger import Evidence, Hit, Kind, Verdict, by_job, judge
from tests.chaos.leftovers import leftovers
from tests.chaos.manager import Manager
from tests.chaos.plans import Plan
from tests.chaos.strikes import AnythingGoes, OneSigtermEach, RedisDies, Striker
from tests.chaos.worker import QUEUES
from tests.redis_server import RedisProcess, running_redis

# What the process has written outlives it: the system keeps it. "everysec" may put a write off while it syncs, and
# then a kill would cost what was acknowledged; that would be measured here as a fault of the worker's.
_APPEND_ONLY = ("--appendonly", "yes", "--appendfsync", "no", "--auto-aof-rewrite-percentage", "0")
# The name of a worker that was killed stands until its registration has run out (9 s) and the next worker tidies up
# (30 s): later than ``settle_s`` if all that live had tidied up in between.
_TIDY_S = 30.0
_AHEAD = 4  # so many strikes' worth of jobs wait at the start


@dataclass(frozen=True, slots=True)
class Outcome:
    """A run's figures, its evidence and the verdict on it. ``began``: monotonic time at its start."""

    plan: Plan
    engine: str
    seed: int
    began: float
    seconds: float
    refused: int
    hits: Counter[Kind]
    counts: Counter[str]
    evidence: Evidence
    verdict: Verdict
    longest_in_hand_s: float
    logs: Sequence[Path]


def run(plan: Plan, engine: str, seed: int, directory: Path) -> Outcome:
    """Carry out ``plan`` on an engine (stock, ours). Logs and sockets are put into ``directory``."""
    began = time.monotonic()
    with ExitStack() as stack:
        queues = stack.enter_context(running_redis(_made(directory / "queues"), *_APPEND_ONLY))
        marked = stack.enter_context(running_redis(_made(directory / "marks")))
        redis = stack.enter_context(Redis.from_url(queues.url))
        executions = stack.enter_context(Redis.from_url(marked.url))
        manager = stack.enter_context(_manager(plan, engine, seed, directory, queues.url, marked.url))
        enqueuer = Enqueuer(queues.url, QUEUES, jobs=plan.jobs, pause_s=plan.pause_s, rng=random.Random(f"{seed} jobs"))
        stack.callback(enqueuer.end)
        enqueuer.start()
        hands = Hands(queues.url, manager.pids)
        stack.callback(hands.end)
        hands.start()
        return _Run(plan, engine, seed, began, manager, enqueuer, hands, redis, executions, queues).outcome()


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory


def _manager(plan: Plan, engine: str, seed: int, directory: Path, queues_url: str, marks_url: str) -> Manager:
    environ = {MARKS: marks_url}
    if plan.name == "redis":
        environ[TOUCHED] = queues_url
    return Manager(
        ["--engine", engine, "--redis", queues_url],
        environ,
        directory,
        workers=plan.workers,
        watched=engine != "stock",
        watchdog_s=plan.watchdog_s,
        rng=random.Random(f"{seed} manager"),
    )


@dataclass
class _Run:
    plan: Plan
    engine: str
    seed: int
    began: float
    manager: Manager
    enqueuer: Enqueuer
    hands: Hands
    redis: Redis
    marks: Redis
    server: RedisProcess

    def outcome(self) -> Outcome:
        self._disturb()
        left_over = self._settle()
        hits = list(self.manager.hits)  # without the SIGTERM that ends the run
        self.hands.end()
        self.manager.stop()
        # Whoever left in good order leaves nothing behind, not even a name.
        left_over += [f"after all had left: {text}" for text in leftovers(self.redis, ())]
        found = self._evidence(hits, left_over)
        return Outcome(
            self.plan,
            self.engine,
            self.seed,
            self.began,
            time.monotonic() - self.began,
            self.enqueuer.refused,
            Counter(hit.kind for hit in hits),
            self.manager.counts,
            found,
            judge(found, may_interrupt=self.plan.may_interrupt),
            self.hands.longest_s,
            self.manager.logs,
        )

    def _striker(self) -> Striker:
        rng = random.Random(f"{self.seed} strikes")
        if self.plan.name == "redis":
            return RedisDies(self.manager, self.server, rng)
        if not self.plan.may_interrupt:
            return OneSigtermEach(self.manager, rng)
        return AnythingGoes(self.manager, rng, stops_until=int(0.7 * self.plan.strikes))

    def _disturb(self) -> None:
        """Hit, and let a share of the jobs in with each hit, until both are through and next to nothing waits."""
        striker, rng, dealt = self._striker(), random.Random(f"{self.seed} pauses"), 0
        due = time.monotonic()
        while dealt < self.plan.strikes or self._backlog():
            if time.monotonic() - self.began > self.plan.limit_s:
                waiting = evidence.waiting(self.redis, QUEUES)
                self.manager.remarks.append(f"only {dealt} strikes in {self.plan.limit_s:.0f} s; {waiting} jobs wait")
                break
            self.enqueuer.allow((dealt + _AHEAD) / self.plan.strikes)
            if time.monotonic() >= due and striker.strike():
                dealt += 1
                due = time.monotonic() + rng.expovariate(1 / self._pause_s(dealt))
            time.sleep(0.02)
        self.enqueuer.end()

    def _pause_s(self, dealt: int) -> float:
        """Return the pause on average. Once enough was dealt it grows, as a busy machine must come to an end too."""
        return self.plan.interval_s * max(1.0, dealt / self.plan.strikes) ** 3

    def _backlog(self) -> int:
        """Return how many jobs wait, beyond one for each worker."""
        to_come = 0 if self.enqueuer.finished else 1
        return to_come + max(0, evidence.waiting(self.redis, QUEUES) - self.plan.workers)

    def _settle(self) -> list[str]:
        """Wait until all is finished, at most ``settle_s`` from the last hit on, and tidy; return what is left."""
        unfinished = list(self.enqueuer.acknowledged)
        while not self._time_is_up(self.plan.settle_s if unfinished else self.plan.settle_s + _TIDY_S):
            unfinished = evidence.unfinished(self.redis, unfinished)
            if not unfinished and not self._left_over():
                break
            time.sleep(0.25)
        return self._left_over()

    def _left_over(self) -> list[str]:
        still_there = [f"{hit.kind}: process {hit.pid} of {hit.life} is still there" for hit in self._open_hits()]
        return still_there + leftovers(self.redis, self.manager.pids())

    def _open_hits(self) -> list[Hit]:
        return [hit for hit in self.manager.hits if hit.over is None]

    def _time_is_up(self, settle_s: float) -> bool:
        """Tell whether the time to settle is over. It begins when all that was hit has gone, if ever."""
        now, hits = time.monotonic(), self.manager.hits
        if self._open_hits():
            return now - max(hit.at for hit in hits) > 3 * settle_s
        return now - max((hit.over or now for hit in hits), default=now) > settle_s

    def _evidence(self, hits: Sequence[Hit], left_over: Sequence[str]) -> Evidence:
        ran = marks.executions(self.marks)
        repeated = {job for job, own in by_job(ran).items() if len(own) > 1}
        states = evidence.job_states(self.redis, self.enqueuer.acknowledged, repeated)
        return Evidence(states, ran, hits, left_over, self.manager.remarks, self.hands.late())
