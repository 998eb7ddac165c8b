"""The pages about jobs in a real browser: how they look at every width, by keyboard, without a script, and live."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Page, expect
from redis import Redis
from rq.results import Result

from mastowatch.jobs.context import View
from mastowatch.jobs.records import read_row
from mastowatch.reliable.serializer import JsonQueue
from tests.browser.axe import amiss, axe
from tests.browser.looking import overflow
from tests.browser.seed import fail_job

pytestmark = pytest.mark.unmeasured

FAILED = "analyze_and_maybe_report-1150777"
WAITING = "analyze_and_maybe_report-1152000"
RUNNING = "poll_admin_accounts-now"
PAGES = [
    "/jobs",
    "/jobs?status=failed&error=timed+out&within=1d&since=2026-01-01T10:00",
    "/jobs?text=nothing-such",
    f"/jobs/{FAILED}",
    f"/jobs/{RUNNING}",
    f"/jobs/{FAILED}/delete",
    "/matching/requeue?status=failed",
    "/failures",
    "/recurring",
    "/recurring/poll_admin_accounts/interval",
    "/workers",
    "/workers/stop?name=mod-1-4711-3f2a9c",
    "/queues",
    "/queues/empty-failed?queue=default",
]
LONG = "w" * 300
EVIL = f"<img src=x onerror=alert(1)>\u202e{LONG}"


def status_of(view: View, job_id: str) -> str | None:
    row = read_row(view.redis, job_id, time.time())
    return row.status if row else None


def go(page: Page, path: str) -> None:
    page.goto(re.sub(r"(https?://[^/]+).*", r"\1", page.url) + path)


def said(page: Page) -> str:
    return page.locator(".said").inner_text()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_and_no_page_is_wider_than_the_window(open_page, theme):
    page = open_page("/jobs", theme=theme, role="switch")
    for path in PAGES:
        go(page, path)
        assert amiss(page, theme) == [], path


@pytest.mark.parametrize("width", [360, 1280])
def test_what_strangers_wrote_is_text_and_breaks_no_page(open_page, view: View, width):
    fail_job(view.redis, "evil", f"Traceback (most recent call last):\nValueError: {EVIL}")
    view.redis.hset("rq:job:evil", mapping={"description": EVIL, "worker_name": EVIL})
    view.redis.sadd("rq:queues", f"rq:queue:{EVIL}")
    view.redis.sadd("rq:workers", f"rq:worker:{EVIL}")
    view.redis.hset(f"rq:worker:{EVIL}", mapping={"state": "idle", "queues": EVIL, "rules": EVIL})
    page = open_page("/jobs", width=width, role="switch")
    for path in ("/jobs", "/jobs?status=failed", "/jobs/evil", "/jobs/evil/delete", "/failures", "/workers", "/queues"):
        go(page, path)
        assert overflow(page) <= 0, path
        assert page.locator("main img").count() == 0
        assert "\u202e" not in page.locator("body").inner_text()


def test_without_a_script_jobs_are_found_ticked_and_deleted(open_page, view: View):
    page = open_page("/jobs", script=False, role="act", width=800)
    page.get_by_label("Error", exact=True).fill("timed out")
    page.get_by_label("When").select_option("the last day")
    page.get_by_role("button", name="Apply").click()
    assert page.url.endswith("/jobs?error=timed+out&within=1d")
    expect(page.get_by_text("12 jobs found")).to_be_visible()
    boxes = page.get_by_role("checkbox")
    boxes.nth(0).check()
    boxes.nth(2).check()
    page.get_by_role("group", name="With the ticked jobs").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", name="Delete 2 jobs?")).to_be_visible()
    expect(page.get_by_role("link", name="analyze_and_maybe_report(1151002)")).to_be_visible()
    page.get_by_role("button", name="Delete 2 jobs").click()
    assert page.url.endswith("/jobs?error=timed+out&within=1d")
    assert said(page) == "2 jobs deleted."
    expect(page.get_by_text("10 jobs found")).to_be_visible()
    assert status_of(view, "analyze_and_maybe_report-1151002") is None


@pytest.mark.parametrize("script", [True, False])
def test_all_that_match_are_counted_and_then_queued_again(open_page, view: View, script):
    page = open_page("/jobs?status=failed&error=timed+out", script=script, role="act")
    page.get_by_role("group", name="With all jobs that match").get_by_role("link", name="Queue again …").click()
    expect(page.get_by_role("heading", name="Queue again 12 jobs?")).to_be_visible()
    expect(page.get_by_text("All failed jobs with “timed out” in the error.")).to_be_visible()
    page.get_by_role("button", name="Queue again 12 jobs").click()
    assert said(page) == "12 jobs queued again."
    assert view.redis.zcard("rq:failed:default") == 4


def test_each_condition_is_taken_off_by_itself(open_page):
    page = open_page("/jobs?status=failed&error=timed+out&queue=default")
    page.get_by_role("link", name="Without error timed out").click()
    assert page.url.endswith("/jobs?queue=default&status=failed")
    page.get_by_role("link", name="Clear all").click()
    assert page.url.endswith("/jobs")


def test_the_id_of_a_job_jumps_to_it_by_keyboard(open_page):
    page = open_page("/jobs")
    page.get_by_label("Id or words").focus()
    page.keyboard.type(FAILED)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/jobs/{FAILED}")
    expect(page.locator("h1")).to_contain_text("analyze_and_maybe_report(1150777)")


def test_a_list_is_ticked_and_acted_on_by_keyboard_alone(open_page, view: View):
    page = open_page("/jobs?status=failed", role="act")
    page.get_by_role("checkbox").first.focus()
    page.keyboard.press("Space")
    expect(page.get_by_role("checkbox").first).to_be_checked()
    page.get_by_role("button", name="Queue again").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".said")).to_have_text("1 job queued again.")


@pytest.mark.parametrize("path", ["/jobs", f"/jobs/{FAILED}", "/failures", "/recurring", "/workers", "/queues"])
def test_who_may_only_read_sees_no_button(open_page, path):
    page = open_page(path, role="read")
    main = page.locator("main")
    names = [one.inner_text() for one in main.get_by_role("button").all()]
    assert [name for name in names if name != "Apply"] == []
    assert main.locator("a.button, input[type=checkbox]").count() == 0


def test_a_job_that_fails_while_somebody_looks_shows_it(open_page, redis: Redis):
    page = open_page(f"/jobs/{WAITING}", role="act")
    expect(page.locator("h1")).to_contain_text("waiting")
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    redis.lrem("rq:queue:default", 0, WAITING)
    fail_job(redis, WAITING, "Traceback (most recent call last):\nRuntimeError: just now")
    expect(page.locator("h1")).to_contain_text("failed")
    expect(page.get_by_text("RuntimeError: just now").first).to_be_visible()
    expect(page.get_by_role("button", name="Queue again")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)


def test_a_list_shows_a_new_failure_and_leaves_ticked_rows_alone(open_page, redis: Redis):
    page = open_page("/jobs?status=failed", role="act")
    fail_job(redis, "judge_again-1")
    expect(page.get_by_role("link", name="analyze_and_maybe_report(1)", exact=True)).to_be_visible()
    page.get_by_role("checkbox").first.check()
    fail_job(redis, "judge_again-2")
    expect(page.locator("#counters")).to_contain_text("18 failed")
    expect(page.get_by_role("checkbox").first).to_be_checked()


@pytest.mark.parametrize("script", [True, False])
def test_one_job_is_queued_again_and_another_deleted(open_page, view: View, script):
    page = open_page(f"/jobs/{FAILED}", script=script, role="act")
    page.get_by_role("button", name="Queue again").click()
    assert said(page) == "It is queued again."
    assert status_of(view, FAILED) == "queued"
    go(page, "/jobs/annotate_report-880")
    page.get_by_role("link", name="Delete …").click()
    page.get_by_role("link", name="Leave it as it is").click()
    assert page.url.endswith("/jobs/annotate_report-880")
    page.get_by_role("link", name="Delete …").click()
    page.get_by_role("button", name="Delete").click()
    assert said(page) == "annotate_report-880 is deleted."
    assert status_of(view, "annotate_report-880") is None


def test_the_last_attempt_is_open_and_earlier_ones_are_not(open_page, redis: Redis):
    fail_job(redis, "judge_again-9", "Traceback (most recent call last):\nKeyError: 'first'")
    job = JsonQueue("default", connection=redis).fetch_job("judge_again-9")
    assert job is not None
    Result.create_failure(job, 600, exc_string="Traceback (most recent call last):\nKeyError: 'second'")
    page = open_page("/jobs/judge_again-9")
    attempts = page.locator("#live details")
    expect(attempts).to_have_count(2)
    assert [one.get_attribute("open") for one in attempts.all()] == ["", None]
    expect(attempts.nth(0)).to_contain_text("KeyError: 'second'")


def test_what_can_not_be_done_any_more_is_a_page_that_leads_on(open_page, redis: Redis):
    open_page.allow(409)
    page = open_page(f"/jobs/{FAILED}", role="act")
    redis.hset(f"rq:job:{FAILED}", "status", "queued")
    page.get_by_role("button", name="Queue again").click()
    expect(page.get_by_text("only what has ended can be queued again")).to_be_visible()
    assert axe(page) == []


def test_a_group_of_failures_leads_to_its_jobs_and_is_queued_again(open_page, view: View):
    page = open_page("/failures", role="act")
    row = page.get_by_role("row").filter(has_text="MastodonRefused")
    row.get_by_role("link", name="3 jobs").click()
    expect(page.get_by_text("3 jobs found")).to_be_visible()
    page.go_back()
    row.get_by_role("link", name="Queue all again …").click()
    page.get_by_role("button", name="Queue again up to 3 jobs").click()
    assert said(page) == "3 jobs queued again."
    assert status_of(view, "annotate_report-881") == "queued"


@pytest.mark.parametrize("script", [True, False])
def test_a_recurring_job_is_paused_run_and_given_another_interval(open_page, script):
    page = open_page("/recurring", script=script, role="switch")
    page.get_by_role("button", name="Pause: send_alerts").click()
    assert said(page) == "send_alerts is paused: it does not run until it is resumed."
    page.get_by_role("button", name="Resume: send_alerts").click()
    assert said(page) == "send_alerts is resumed: it runs at its next tick."
    page.get_by_role("link", name="change how often poll_admin_accounts runs").click()
    page.get_by_label("Every").fill("5")
    page.get_by_label("Unit").select_option("min")
    page.get_by_role("button", name="Set").click()
    assert "poll_admin_accounts runs every 5" in said(page)
    expect(page.get_by_text("by sam on the dashboard").first).to_be_visible()
    page.get_by_role("button", name="Run now: record_queue_stats").click()
    assert page.url.endswith("/jobs/record_queue_stats")


def test_a_queue_is_paused_and_what_failed_on_it_deleted(open_page, redis: Redis):
    page = open_page("/queues", role="switch")
    page.get_by_role("button", name="Pause: low").click()
    expect(page.get_by_text("by sam on the dashboard")).to_be_visible()
    page.get_by_role("button", name="Resume: low").click()
    assert said(page) == "The queue low is resumed."
    page.get_by_role("link", name="Empty failed … on default").click()
    page.get_by_role("button", name="Delete 16 failed jobs").click()
    assert said(page) == "16 failed jobs deleted."
    assert redis.zcard("rq:failed:default") == 0


def test_stopping_a_worker_asks_and_says_how_to_start_it(open_page):
    page = open_page("/workers", role="act")
    page.get_by_role("link", name="Stop … mod-1-4711-3f2a9c").click()
    expect(page.get_by_role("heading", name="Stop this worker?")).to_be_visible()
    expect(page.locator("code", has_text="systemctl start mastowatch-worker@")).to_be_visible()
    page.get_by_role("link", name="Leave it as it is").click()
    assert page.url.endswith("/workers")


def test_a_phone_shows_each_row_as_a_block_with_its_words(open_page):
    page = open_page("/queues", width=360, role="switch")
    row = page.get_by_role("row").filter(has_text="default")
    box, table = row.bounding_box(), page.locator(".scroll").bounding_box()
    assert box["width"] <= table["width"]
    assert row.locator("td").first.evaluate("one => getComputedStyle(one, '::before').content") == '"Waiting "'
