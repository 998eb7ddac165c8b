"""Tells of runs: a table of figures, and for a fault all that helps to find its cause."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.chaos.ledger import Execution, Fault, Hit, Kind, by_job, phases
from tests.chaos.run import Outcome

_JOBS_SHOWN, _HITS_SHOWN, _LINES_SHOWN, _TAIL = 5, 6, 6, 30
_SHORT = {
    Kind.KILL_PARENT: "parent",
    Kind.KILL_HORSE: "horse",
    Kind.TERM: "term",
    Kind.TERM_AGAIN: "again",
    Kind.STOP_PARENT: "stop-p",
    Kind.STOP_HORSE: "stop-h",
    Kind.STOP_BOTH: "stop-b",
    Kind.WATCHDOG: "wdog",
    Kind.TIMEOUT: "t-out",
    Kind.REDIS: "redis",
}
_FAULTS = {
    Fault.LOST: "lost",
    Fault.STUCK: "stuck",
    Fault.FAILED: "failed",
    Fault.NO_EFFECT: "no-eff",
    Fault.TWICE: "unexpl",
    Fault.BEGUN_AGAIN: "again?",
    Fault.FINISHED_TWICE: "fin*2",
    Fault.INTERRUPTED: "interr",
    Fault.LATE: "late",
    Fault.LEFT_OVER: "left",
    Fault.REMARK: "procs",
}


def table(outcomes: Iterable[Outcome]) -> str:
    """Return a line of figures for each run."""
    head = ["run", "engine", "jobs", *_SHORT.values(), *_FAULTS.values(), "expl", "hand-s", "back-s", "secs", "seed"]
    return "\n".join(" ".join(cell.rjust(6) for cell in row) for row in [head, *map(_row, outcomes)])


def _row(outcome: Outcome) -> list[str]:
    verdict = outcome.verdict
    return [
        outcome.plan.name,
        outcome.engine,
        str(len(outcome.evidence.jobs)),
        *(str(outcome.hits[kind]) for kind in _SHORT),
        *(str(len(verdict.faults[fault])) for fault in _FAULTS),
        str(len(verdict.explained)),
        f"{outcome.longest_in_hand_s:.1f}",
        f"{verdict.slowest_return[0]:.1f}",
        f"{outcome.seconds:.0f}",
        str(outcome.seed),
    ]


LEGEND = """\
hits: kill -9 of a parent, of a horse; SIGTERM, a second one; SIGSTOP of parent, horse, both; watchdog; stop time-out;
kill -9 of Redis. lost: in no list or registry. stuck: in one, but unfinished. no-eff: finished without effect.
unexpl: ran twice though no hit had cut it short. again?: begun again, the same. fin*2: finished twice. interr:
interrupted, where nothing may be. late: more than 15 s in the hand of a dead worker. left: left over in Redis. procs:
workers that ended, or hung, by themselves. expl: ran twice, because of a hit. hand-s: the longest in a dead hand.
back-s: the longest until a job that was cut short began again, its wait on the queue included."""


def figures(outcome: Outcome) -> str:
    """Return the figures of one run: its line in the table, and where in a job the hits fell."""
    fell = ", ".join(f"{count} {where}" for where, count in sorted(phases(outcome.evidence).items()))
    counts = ", ".join(f"{count} {what}" for what, count in sorted(outcome.counts.items()) if count)
    slowest = f"slowest to begin again: {outcome.verdict.slowest_return[1] or 'none'}"
    last_s = max((hit.at for hit in outcome.evidence.hits), default=outcome.began) - outcome.began
    told = (
        f"hits fell: {fell or 'on Redis'}",
        f"the last after {last_s:.0f} s",
        counts,
        f"{outcome.refused} batches refused",
        slowest,
    )
    return f"{table([outcome])}\n{'; '.join(told)}"


def explain(outcome: Outcome) -> str:
    """Return what was found that must not be, with what is known about it."""
    parts = [figures(outcome), f"CHAOS_SEED={outcome.seed}, logs in {outcome.logs[0].parent}"]
    for fault, found in outcome.verdict.faults.items():
        if found:
            parts.append(f"\n== {fault}: {len(found)}")
            tell = str if fault in (Fault.LEFT_OVER, Fault.REMARK, Fault.LATE) else lambda job: _job(outcome, job)
            parts += [tell(one) for one in found[:_JOBS_SHOWN]]
    if slowest := outcome.verdict.slowest_return[1]:
        parts += ["\n== slowest to begin again, for comparison", _job(outcome, slowest)]
    return "\n".join([*parts, *_tracebacks(outcome.logs)])


def _job(outcome: Outcome, job_id: str) -> str:
    state = next(job for job in outcome.evidence.jobs if job.id == job_id)
    lines = [f"{job_id} of {state.queue}: {state.status}, in {list(state.places)}, {state.successes} successes"]
    lines += [f"    {state.record}"] if state.record else []
    runs = by_job(outcome.evidence.executions)[job_id]
    lines += [
        f"    ran in {one.life} as {one.pid}: begin {one.begin}, effect {one.effect}, end {one.end}" for one in runs
    ]
    logged = _logged(outcome.logs, job_id)
    lines += [f"    {_hit(hit)}" for hit in _hits_near(outcome.evidence.hits, runs, logged)]
    return "\n".join([*lines, *(f"    log: {line}" for line in logged)])


def _hits_near(hits: Iterable[Hit], runs: Sequence[Execution], logged: Iterable[str]) -> list[Hit]:
    """Return the hits on all that had to do with the job, those nearest in time to its last sign of life."""
    said = [line.split()[:2] for line in logged]  # a line begins with its time and the life that says it
    lives = {one.life for one in runs} | {life for _, life in said} | {""}
    last = max([one.begin for one in runs] + [float(at) for at, _ in said], default=0.0)
    near = sorted((hit for hit in hits if hit.life in lives), key=lambda hit: abs(hit.at - last))
    return sorted(near[:_HITS_SHOWN], key=lambda hit: hit.at)


def _hit(hit: Hit) -> str:
    over = "and nobody saw it go" if hit.over is None else f"gone at {hit.over:.3f}"
    return f"{hit.kind} of {hit.life or 'the server'} ({hit.pid or 'all of it'}) at {hit.at:.3f}, {over}"


def _logged(logs: Sequence[Path], job_id: str) -> list[str]:
    """Return the last lines in which workers tell of the job."""
    lines = [line for log in logs if log.exists() for line in log.read_text(errors="replace").splitlines()]
    return sorted(line for line in lines if job_id in line and line[0].isdigit())[-_LINES_SHOWN:]


def _tracebacks(logs: Sequence[Path]) -> list[str]:
    """Return the end of each log that holds a traceback, from the last one on."""
    parts = []
    for log in logs:
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        at = [number for number, line in enumerate(lines) if line.startswith("Traceback")]
        if at:
            parts += [f"\n== {len(at)} tracebacks in {log}, the last:", *lines[at[-1] : at[-1] + _TAIL]]
    return parts
