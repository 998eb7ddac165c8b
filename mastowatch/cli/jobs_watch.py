"""``mastowatch jobs watch``: the counters as they change."""

from __future__ import annotations

import argparse
import sys
import time

from mastowatch.cli.records import answer
from mastowatch.cli.tables import span, to_json
from mastowatch.config import Loaded
from mastowatch.jobs.context import View
from mastowatch.jobs.pulse import Pulse, read_pulse

_HEAD = (
    f"{'time':>8} {'waiting':>8} {'oldest':>8} {'running':>8} {'delayed':>8} {'failed':>8} {'workers':>8} {'done/s':>8}"
)
# The head is printed anew after so many lines, as a terminal has about that many.
_LINES = 20


def run(loaded: Loaded, arguments: argparse.Namespace) -> int:
    """Print a line a look until Ctrl-C, or until so many were printed."""
    return answer(loaded, lambda view: _watch(view, arguments))


def _watch(view: View, arguments: argparse.Namespace) -> int:
    before, number = None, 0
    try:
        while True:
            now = view.clock()
            pulse = read_pulse(view.redis, now)
            if arguments.json:
                print(to_json(pulse), flush=True)
            else:
                if number % _LINES == 0:
                    print(_HEAD)
                print(_line(pulse, now, before), flush=True)
            number += 1
            if number == arguments.count:
                return 0
            before = (now, pulse)
            time.sleep(arguments.interval)
    except KeyboardInterrupt:
        # The shell shows ^C without a line's end.
        print(file=sys.stderr)
        return 0


def _line(pulse: Pulse, now: float, before: tuple[float, Pulse] | None) -> str:
    clock = time.strftime("%H:%M:%S", time.localtime(now))
    if not pulse.redis:
        return f"{clock} Redis does not answer"
    rate = ""
    if before is not None and before[1].redis and now > before[0]:
        rate = f"{(pulse.finished_total - before[1].finished_total) / (now - before[0]):.1f}"
    oldest = span(pulse.oldest_s) if pulse.waiting else "-"
    told = (pulse.waiting, oldest, pulse.running, pulse.scheduled, pulse.failed, pulse.workers, rate)
    return " ".join([clock, *(f"{one:>8}" for one in told)])
