"""``python -m benchmarks.queue``: see the package for how it measures, ``--help`` for what can be chosen."""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import redis
import rq.version

from benchmarks.queue import probes, report
from benchmarks.queue.bench import NAP_S, Bench
from benchmarks.queue.engines import CELERY, ENGINES, Engine, celery_version
from benchmarks.queue.report import Results
from tests.redis_server import private_redis

NAPS = 6  # a job of 5 ms takes so many times as long, roughly, as a no-op one of the fast engines
LEAST_JOBS = 24


def main() -> None:
    """Measure, print, and leave the figures in a file if asked to."""
    options = _options()
    version = celery_version() if any(ENGINES[key].is_celery for key in options.engines) else None
    engines = [ENGINES[key] for key in options.engines if version or not ENGINES[key].is_celery]
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as directory, private_redis() as url:
        bench = Bench(url, Path(directory), slots=3 * options.jobs + 4096)
        ping_s = probes.ping_s(bench.redis)
        found = {engine.key: Results() for engine in engines}
        _versions(bench, version)
        try:
            for number in range(1, options.rounds + 1):
                _round(bench, engines, found, options, number)
            for engine in engines:
                found[engine.key].commands = bench.commands(engine, _count(engine, options.jobs // 4))
            stacks = bench.stacks(ENGINES[options.profile], options.jobs) if options.profile in found else []
        finally:
            bench.close()
    report.print_all(found, ping_s)
    if stacks:
        report.print_profile(ENGINES[options.profile].title, stacks)
    print(f"\n{options.rounds} rounds of {options.jobs} jobs in {time.monotonic() - begun:.0f} s")
    if options.json:
        options.json.write_text(json.dumps({key: asdict(results) for key, results in found.items()}, indent=1))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.queue", description="Four ways of running jobs.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=3_000, help="no-op jobs a run; the stock Worker gets a tenth")
    parser.add_argument("--engines", type=_engines, help=f"of {','.join(ENGINES)}")
    parser.add_argument("--no-celery", action="store_true")
    parser.add_argument(
        "--quick", action="store_true", help="under 30 s: one round of few jobs in one process; a look, no figures"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="leave all figures there, each round's own")
    parser.add_argument(
        "--profile", nargs="?", const="ours", choices=ENGINES, metavar="ENGINE", help="where its CPU time goes"
    )
    parser.set_defaults(processes=(1, 2), samples=200, idle_s=10.0)
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.jobs, options.processes, options.samples, options.idle_s = 1, 200, (1,), 8, 1.0
    quick = [key for key in ENGINES if key != "celery-results"]
    options.engines = options.engines or (quick if options.quick else list(ENGINES))
    if options.no_celery:
        options.engines = [key for key in options.engines if not ENGINES[key].is_celery]
    return options


def _engines(text: str) -> Sequence[str]:
    keys = text.split(",")
    if unknown := set(keys) - set(ENGINES):
        raise argparse.ArgumentTypeError(f"there is no {', '.join(sorted(unknown))}")
    return keys


def _versions(bench: Bench, celery: str | None) -> None:
    server = bench.redis.info("server")["redis_version"]
    parts = [f"Python {platform.python_version()}", f"Redis {server}", f"redis-py {redis.__version__}"]
    parts += [f"RQ {rq.version.VERSION}", f"celery {celery}" if celery else f"without celery ({CELERY})"]
    print(", ".join(parts))


def _round(
    bench: Bench, engines: Sequence[Engine], found: dict[str, Results], options: argparse.Namespace, number: int
) -> None:
    for processes in options.processes:
        for engine in engines:
            _progress(f"round {number} of {options.rounds}: {engine.title}, {processes} process(es)")
            _run(bench, engine, found[engine.key], options, processes=processes, first=number == 1)
    for how in ("each", "bulk"):
        for engine in engines:
            found[engine.key].add(how, bench.enqueue(engine, how, options.jobs // 2))


def _run(
    bench: Bench, engine: Engine, results: Results, options: argparse.Namespace, *, processes: int, first: bool
) -> None:
    """Measure all that one start of an engine's workers can give."""
    aside = {
        "noop": (_count(engine, options.jobs), ()),
        "nap": (_count(engine, options.jobs // NAPS), (NAP_S,)),
    }
    with bench.running(engine, processes, aside) as run:
        for job, (_, args) in aside.items():
            results.add_speed(f"{job}/{processes}", bench.speed(run, job, *args))
        results.memory.setdefault(processes, []).append(bench.memory(run))
        if processes == 1:
            results.pickups += bench.pickup(run, -(-options.samples // options.rounds))
            if first:
                results.idle = bench.idle(run, options.idle_s)


def _count(engine: Engine, jobs: int) -> int:
    return max(LEAST_JOBS, int(jobs * engine.share))


def _progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
