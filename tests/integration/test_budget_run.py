"""All processes together under all of Mastodon's limits; `python -m tests.budget_run` prints a longer run's figures."""

from __future__ import annotations

import pytest

from tests.budget_run import LIMIT, Figures, run

pytestmark = [pytest.mark.redis, pytest.mark.alone]


@pytest.fixture(scope="module")
def figures() -> Figures:
    return run()


def test_mastodon_never_has_to_answer_429_nor_anything_else_but_200(figures):
    assert set(figures.codes) == {200}
    assert all(count <= LIMIT for name in ("token", "paging") for count in figures.windows[name])


def test_there_was_more_to_do_than_the_limits_allow(figures):
    assert figures.tally["jobs_deferred"] > 0
    # A full window but the room that is kept for webhooks and reports.
    assert max(figures.windows["token"]) >= 0.75 * LIMIT


def test_what_webhooks_bring_never_waits_for_budget_while_polls_and_judgements_do(figures):
    assert len(figures.webhooks) >= 5
    assert all(kinds == ["SUCCESSFUL"] for kinds in figures.webhooks), figures.webhooks


def test_at_least_150_accounts_are_screened_a_request(figures):
    assert figures.accounts_a_page >= 150


def test_the_stream_and_the_looks_see_posts_and_reports_are_filed(figures):
    assert figures.tally["posts_seen"] > 0
    assert figures.tally["posts_handed_on"] > 0
    assert figures.reports > 0
    assert figures.reports == figures.accounts_reported, "one an account"
