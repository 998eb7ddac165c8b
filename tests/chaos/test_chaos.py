"""Whatever is done to workers or to Redis, no job is lost; and stock RQ, held to the same ledger, loses some."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from tests.chaos.ledger import Fault
from tests.chaos.plans import Plan, long_form, plans
from tests.chaos.report import explain, figures
from tests.chaos.run import Outcome, run
from tests.chaos.seed import chosen_seed

pytestmark = [pytest.mark.chaos, pytest.mark.redis, pytest.mark.unmeasured]
RUNS = tuple(plans())


def carried_out(plan: Plan, engine: str, directory: Path) -> Outcome:
    outcome = run(plan, engine, chosen_seed(), directory)
    print(figures(outcome))
    return outcome


@pytest.mark.alone
@pytest.mark.parametrize("name", RUNS)
def test_no_job_is_lost_and_none_runs_again_without_cause(name: str, tmp_path: Path):
    outcome = carried_out(plans()[name], "ours", tmp_path)
    if not outcome.verdict.clean:
        pytest.fail(explain(outcome), pytrace=False)


def lost(outcomes: Iterator[Outcome]) -> list[str]:
    """Return the jobs that the first of the runs lost that lost any."""
    return next((ids for outcome in outcomes if (ids := list(outcome.verdict.faults[Fault.LOST]))), [])


# It may lose more where others are at work; so it keeps nobody waiting.
def test_stock_loses_jobs_under_sigterm(tmp_path: Path):
    # A job that is in no list and no registry stays so: there is nothing to wait for, as there is with a stuck one.
    plan = replace(plans()["sigterm"], jobs=300, strikes=40, interval_s=0.1, settle_s=2.0, limit_s=20.0)
    directories = (tmp_path / str(number) for number in count())
    runs = (carried_out(plan, "stock", made(directory)) for _, directory in zip(range(4), directories, strict=False))
    assert lost(runs), "about one SIGTERM in ten costs stock RQ a job; four runs cost none"


def made(directory: Path) -> Path:
    directory.mkdir()
    return directory


if long_form():  # stock RQ takes minutes to recover what it does not lose

    @pytest.mark.alone
    @pytest.mark.parametrize("name", RUNS)
    def test_stock_loses_jobs_or_leaves_them_lying(name: str, tmp_path: Path):
        outcome = carried_out(plans()[name], "stock", tmp_path)
        assert outcome.verdict.faults[Fault.LOST] or outcome.verdict.faults[Fault.STUCK], figures(outcome)
