"""All processes together under all of Mastodon's limits; `python -m tests.budget_run` prints a longer run's figures.

One test, as the run takes half a minute and the machine: several would be given to several processes, with a run each.
"""

from __future__ import annotations

import pytest

from tests.budget_run import LIMIT, Figures, run

pytestmark = [pytest.mark.redis, pytest.mark.alone, pytest.mark.unmeasured]


def test_all_processes_together_keep_mastodons_limits_and_serve_webhooks_first():
    figures = run()
    never_429(figures)
    more_to_do_than_the_limits_allow(figures)
    webhooks_never_wait_for_budget(figures)
    many_accounts_a_request(figures)
    posts_are_seen_and_reports_filed(figures)


def never_429(figures: Figures) -> None:
    assert set(figures.codes) == {200}, "an answer of 429, or of another code"
    assert all(count <= LIMIT for name in ("token", "paging") for count in figures.windows[name])


def more_to_do_than_the_limits_allow(figures: Figures) -> None:
    assert figures.tally["jobs_deferred"] > 0
    # A full window but the room that is kept for webhooks and reports.
    assert max(figures.windows["token"]) >= 0.75 * LIMIT


def webhooks_never_wait_for_budget(figures: Figures) -> None:
    assert len(figures.webhooks) >= 5
    assert all(kinds == ["SUCCESSFUL"] for kinds in figures.webhooks), figures.webhooks


def many_accounts_a_request(figures: Figures) -> None:
    assert figures.accounts_a_page >= 150


def posts_are_seen_and_reports_filed(figures: Figures) -> None:
    assert figures.tally["posts_seen"] > 0
    assert figures.tally["posts_handed_on"] > 0
    assert figures.reports > 0
    assert figures.reports == figures.accounts_reported, "one an account"
