"""Prints what was measured, for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from statistics import median
from typing import Any

from benchmarks.queue.bench import Speed
from benchmarks.queue.engines import ENGINES

NAMES = {
    "noop/1": "no-op jobs, 1 process: jobs a second",
    "noop/2": "no-op jobs, 2 processes: jobs a second",
    "nap/1": "jobs of 5 ms, 1 process: jobs a second",
    "nap/2": "jobs of 5 ms, 2 processes: jobs a second",
    "each": "enqueued one by one: jobs a second",
    "bulk": "enqueued in bulk: jobs a second",
}

_BUSY = 0.1  # of the machine for others: beyond it, ratios of even one round waver


@dataclass
class Results:
    """All that one engine gave, a list entry a round."""

    rates: dict[str, list[float]] = field(default_factory=dict)
    speeds: dict[str, list[Speed]] = field(default_factory=dict)
    memory: dict[int, list[tuple[float, float]]] = field(default_factory=dict)
    pickups: list[float] = field(default_factory=list)
    idle: tuple[float, float] | None = None
    commands: dict[str, Any] = field(default_factory=dict)

    def add(self, what: str, rate: float) -> None:
        """Add a round's rate."""
        self.rates.setdefault(what, []).append(rate)

    def add_speed(self, what: str, speed: Speed) -> None:
        """Add a round's run of jobs."""
        self.add(what, speed.per_second)
        self.speeds.setdefault(what, []).append(speed)


All = Mapping[str, Results]


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the median of the ratios of each round: what slowed a whole round down is not in it."""
    return median(one / other for one, other in zip(ours, theirs, strict=True))


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that ``share`` of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, ceil(share * len(ordered)) - 1)]


def print_all(found: All, ping_s: float) -> None:
    """Print all tables."""
    for what, name in NAMES.items():
        if all(what in results.rates for results in found.values()):
            _print_rates(name, {key: results.rates[what] for key, results in found.items()})
    _print_pickups(found)
    _print_memory(found)
    _print_commands(found)
    _print_bounds(found, ping_s)
    _print_foreign(found)


def _head(title: str, *columns: str) -> None:
    print(f"\n{title:44}" + "".join(f"{column:>13}" for column in columns))


def _row(key: str, *cells: str) -> None:
    print(f"  {ENGINES[key].title:42}" + "".join(f"{cell:>13}" for cell in cells))


def _print_rates(name: str, rates: Mapping[str, Sequence[float]]) -> None:
    others = [key for key in ("stock", "celery") if key in rates]
    _head(name, "median", "least", "most", *(f"x {'rq Worker' if key == 'stock' else key}" for key in others))
    for key, each in rates.items():
        ratios = [f"{ratio(each, rates[other]):.2f}" for other in others]
        _row(key, f"{median(each):,.0f}", f"{min(each):,.0f}", f"{max(each):,.0f}", *ratios)


def _print_pickups(found: All) -> None:
    _head("pickup by an idle worker, ms", "p50", "p99", "max", "samples")
    for key, results in found.items():
        each = results.pickups
        if each:
            figures = (percentile(each, 0.5), percentile(each, 0.99), max(each))
            _row(key, *(f"{figure * 1000:.2f}" for figure in figures), str(len(each)))


def _print_memory(found: All) -> None:
    _head("memory while a job runs, PSS in MiB", "parent", "horse", "together", "2 processes")
    for key, results in found.items():
        if not results.memory:
            continue
        parent, horse = (median(column) for column in zip(*results.memory[1], strict=True))
        both = f"{median(map(sum, results.memory[2])):.1f}" if 2 in results.memory else ""
        _row(key, f"{parent:.1f}", f"{horse:.1f}", f"{parent + horse:.1f}", both)


def _print_commands(found: All) -> None:
    _head("commands to Redis", "sent a job", "in scripts", "writes a job", "idle sent/s", "idle INFO/s")
    for key, results in found.items():
        cost, idle = results.commands, results.idle or (0.0, 0.0)
        if cost:
            figures = [cost["commands"], cost["in_scripts"], cost["trips"], *idle]
            _row(key, *(f"{figure:.1f}" for figure in figures))


def _print_bounds(found: All, ping_s: float) -> None:
    _head("a no-op job, 1 process, ms", "in all", "CPU parent", "CPU horse", "CPU Redis", "writes x RTT")
    for key, results in found.items():
        speeds = results.speeds.get("noop/1", [])
        each = [(1 / speed.per_second, *(cpu / speed.jobs for cpu in _cpus(speed))) for speed in speeds]
        figures = [median(column) for column in zip(*each, strict=True)]
        figures.append(results.commands.get("trips", 0.0) * ping_s)
        _row(key, *(f"{figure * 1000:.3f}" for figure in figures))
    print(f"  (one PING there and back, RTT: {ping_s * 1e6:.0f} us; a write is one round trip, however many commands)")


def _print_foreign(found: All) -> None:
    each = [speed.foreign for results in found.values() for speeds in results.speeds.values() for speed in speeds]
    print(
        f"\nof the machine's CPU, others had {median(each):.0%} while jobs were timed (median of {len(each)} runs, at "
        f"most {max(each):.0%})" + ("; TOO BUSY for figures, run it again" if median(each) > _BUSY else "")
    )


def _cpus(speed: Speed) -> tuple[float, float, float]:
    return speed.parent_cpu_s, speed.horse_cpu_s, speed.redis_cpu_s


def print_profile(title: str, stacks: Sequence[str], lines: int = 14) -> None:
    """Print where the CPU time went: by package where the innermost frame was, and by function with all it called."""
    for role in ("parent", "horse"):
        each = [stack.split(";")[1:] for stack in stacks if stack.startswith(f"{role};")]
        if not each:
            continue
        print(f"\n{title}, {role}: {len(each)} samples of CPU time; the share of each package, then of functions")
        packages = Counter(_package(stack[-1]) for stack in each)
        functions = Counter(name for stack in each for name in set(stack) if _of_interest(name))
        for name, count in [*packages.most_common(8), *functions.most_common(lines)]:
            print(f"  {count / len(each):6.1%}  {name}")


def _package(name: str) -> str:
    # A signal is handled only after the call it fell into, and after a fork this is the first that Python runs.
    return "os.fork" if name == "logging:_releaseLock" else name.partition(":")[0].partition(".")[0]


def _of_interest(name: str) -> bool:
    return name.startswith(("rq.", "redis.", "mastowatch.", "benchmarks.queue.jobs", "celery.", "kombu.", "billiard."))
