"""The ledger of a run: what was acknowledged, what ran, what was hit; and what of it must not have happened.

Knows nothing of Redis or processes. Times are monotonic seconds, the same for all processes of a machine.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise

# From a job's effect until its engine has recorded the end: a hit later than that found no job of that id at hand.
HAND_S = 5.0
# A process may do this much longer after a signal was sent to it, on a machine that has more to do.
SLACK_S = 0.25


class Kind(StrEnum):
    """What can befall a worker."""

    KILL_PARENT = "kill -9 parent"
    KILL_HORSE = "kill -9 horse"
    TERM = "SIGTERM"
    TERM_AGAIN = "second SIGTERM"
    STOP_PARENT = "SIGSTOP parent"
    STOP_HORSE = "SIGSTOP horse"
    STOP_BOTH = "SIGSTOP both"
    WATCHDOG = "watchdog"
    TIMEOUT = "stop time-out"
    REDIS = "kill -9 Redis"


class Fault(StrEnum):
    """What must not be found after a run."""

    LOST = "lost"
    STUCK = "stuck"
    FAILED = "failed"
    NO_EFFECT = "finished without effect"
    TWICE = "ran twice, unexplained"
    BEGUN_AGAIN = "begun again, unexplained"
    FINISHED_TWICE = "finished twice"
    INTERRUPTED = "interrupted"
    LATE = "back too late"
    LEFT_OVER = "left over in Redis"
    REMARK = "processes"


@dataclass(frozen=True, slots=True)
class Execution:
    """One run of a job in one process, as its own marks tell; None: it didn't get to its effect, or to its end."""

    job: str
    life: str
    pid: int
    begin: float
    effect: float | None = None
    end: float | None = None


@dataclass(slots=True)
class Hit:
    """A hit on the worker ``life``: on the process ``pid``, or on all of it (None); on every worker if ``life`` is "".

    From ``at`` on the process may be gone, and at ``over`` it was; None while nobody has seen it go.
    """

    kind: Kind
    life: str
    pid: int | None
    at: float
    over: float | None = None

    def cut_short(self, ran: Execution, again: Execution) -> bool:
        """Return whether this is why ``ran`` was followed by ``again``: it fell in between, and on a job at hand."""
        if self.kind == Kind.TERM:  # a first SIGTERM lets the job at hand come to its end
            return False
        if self.life not in ("", ran.life) or self.pid not in (None, ran.pid):
            return False
        last_seen = ran.begin if ran.effect is None else ran.effect
        over = float("inf") if self.over is None else self.over
        return self.at - HAND_S <= last_seen <= over + SLACK_S and self.at <= again.begin


@dataclass(frozen=True, slots=True)
class JobState:
    """An acknowledged job as it stands at the end. ``places``: the lists and registries that name it.

    ``successes`` counts the executions recorded as successful.
    """

    id: str
    queue: str
    status: str
    places: tuple[str, ...] = ()
    successes: int = 0
    record: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known after a run. ``leftovers``, ``remarks`` and ``late`` are texts, one for each thing found."""

    jobs: Sequence[JobState]
    executions: Sequence[Execution]
    hits: Sequence[Hit]
    leftovers: Sequence[str] = ()
    remarks: Sequence[str] = ()
    late: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found: by fault, the jobs' ids or texts; and the jobs that ran twice because of a hit."""

    faults: Mapping[Fault, Sequence[str]]
    explained: Sequence[str]
    slowest_return: tuple[float, str]  # seconds, job

    @property
    def clean(self) -> bool:
        """Whether nothing was found that must not be."""
        return not any(self.faults.values())


def judge(evidence: Evidence, *, may_interrupt: bool = True) -> Verdict:
    """Hold what happened against what must be true; without ``may_interrupt`` each run that began must have ended."""
    runs = by_job(evidence.executions)
    faults: dict[Fault, list[str]] = {fault: [] for fault in Fault}
    explained: list[str] = []
    for job in evidence.jobs:
        own = runs.get(job.id, [])
        found = [*_ending(job, own), *_repeats(job, own, evidence.hits)]
        for fault in found:
            faults[fault].append(job.id)
        if effects(own) > 1 and Fault.TWICE not in found:
            explained.append(job.id)
        if not may_interrupt and any(one.end is None for one in own):
            faults[Fault.INTERRUPTED].append(job.id)
    faults[Fault.LEFT_OVER] = list(evidence.leftovers)
    faults[Fault.REMARK] = list(evidence.remarks)
    faults[Fault.LATE] = list(evidence.late)
    return Verdict(faults, explained, _slowest_return(runs, evidence.hits))


def phases(evidence: Evidence) -> Counter[str]:
    """Return how many hits on parents and horses fell where in a job, or between two: they should fall everywhere."""
    of_life: dict[str, list[Execution]] = defaultdict(list)
    for one in evidence.executions:
        of_life[one.life].append(one)
    return Counter(_phase(hit, of_life[hit.life]) for hit in evidence.hits if hit.life and hit.kind != Kind.WATCHDOG)


def _phase(hit: Hit, own: Iterable[Execution]) -> str:
    at_hand = [one for one in own if one.begin <= hit.at and (one.end is None or hit.at <= one.end)]
    if not at_hand:
        return "between jobs"
    return "before the effect" if at_hand[-1].effect is None or hit.at < at_hand[-1].effect else "after the effect"


def by_job(executions: Iterable[Execution]) -> dict[str, list[Execution]]:
    """Return the executions of each job in the order in which they began."""
    runs: dict[str, list[Execution]] = defaultdict(list)
    for one in sorted(executions, key=lambda one: one.begin):
        runs[one.job].append(one)
    return runs


def effects(executions: Iterable[Execution]) -> int:
    """Return how many times the effect was had."""
    return sum(one.effect is not None for one in executions)


def _ending(job: JobState, own: Sequence[Execution]) -> list[Fault]:
    """Every acknowledged job must be finished, and have had its effect."""
    if job.status == "finished":
        return [] if effects(own) else [Fault.NO_EFFECT]
    if job.status == "failed":
        return [Fault.FAILED]
    return [Fault.STUCK if job.places else Fault.LOST]


def _repeats(job: JobState, own: Sequence[Execution], hits: Sequence[Hit]) -> list[Fault]:
    """A job may run again only because a hit cut it short before its end was recorded."""
    found: list[Fault] = []
    for ran, again in pairwise(own):
        if not any(hit.cut_short(ran, again) for hit in hits):
            found.append(Fault.BEGUN_AGAIN if ran.effect is None else Fault.TWICE)
    # Redis gone in mid-answer leaves a worker in doubt whether the end was recorded, and it must run the job again.
    in_doubt = any(hit.kind == Kind.REDIS for hit in hits)
    if job.successes > 1 and not in_doubt:
        found.append(Fault.FINISHED_TWICE)
    return list(dict.fromkeys(found))


def _slowest_return(runs: Mapping[str, Sequence[Execution]], hits: Sequence[Hit]) -> tuple[float, str]:
    """Return the longest time from a hit's end until the job that it cut short began again, and that job."""
    slowest = (0.0, "")
    for job, own in runs.items():
        for ran, again in pairwise(own):
            over = [hit.over for hit in hits if hit.over is not None and hit.cut_short(ran, again)]
            slowest = max(slowest, (again.begin - min(over, default=again.begin), job))
    return slowest
