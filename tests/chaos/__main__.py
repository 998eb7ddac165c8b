"""``make chaos``: every run on both engines; ends with 0 only if ours kept every job and stock did not.

``python -m tests.chaos kills ours`` takes one run and one engine. CHAOS=long makes it long, CHAOS_SEED repeats.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.chaos.plans import plans
from tests.chaos.report import LEGEND, explain, figures, table
from tests.chaos.run import Outcome, run
from tests.chaos.seed import chosen_seed

ENGINES = ("ours", "stock")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("run", nargs="?", choices=list(plans()))
    parser.add_argument("engine", nargs="?", choices=ENGINES)
    arguments = parser.parse_args()
    outcomes = [
        _told(name, engine)
        for engine in ([arguments.engine] if arguments.engine else ENGINES)
        for name in ([arguments.run] if arguments.run else plans())
    ]
    print(f"\n{table(outcomes)}\n\n{LEGEND}")
    return 0 if all(outcome.verdict.clean == (outcome.engine == "ours") for outcome in outcomes) else 1


def _told(name: str, engine: str) -> Outcome:
    seed = chosen_seed()
    print(f"{name} on {engine}, CHAOS_SEED={seed}", flush=True)
    directory = Path(tempfile.mkdtemp(prefix=f"chaos-{name}-{engine}-"))
    outcome = run(plans()[name], engine, seed, directory)
    print(figures(outcome) if outcome.verdict.clean else explain(outcome), flush=True)
    return outcome


if __name__ == "__main__":
    sys.exit(main())
