"""What people can do that no other test here does; without a script, as with one the same forms are sent."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from playwright.sync_api import Page, expect
from redis import Redis

from mastowatch.jobs.context import View
from mastowatch.jobs.records import read_row
from mastowatch.jobs.switches import read_switches
from mastowatch.web.dashboard import create_dashboard
from tests.browser.axe import axe
from tests.browser.looking import overflow
from tests.browser.people_seed import LOOK_ID, seed_people
from tests.browser.seed import make_view
from tests.browser.site import served
from tests.dashboard_people import access_for_tests, cookie_for

pytestmark = pytest.mark.unmeasured

WAITING, RUNNING = "analyze_and_maybe_report-1152000", "poll_admin_accounts-now"
FAILED, DELAYED = "analyze_and_maybe_report-1150777", "analyze_and_maybe_report-1153001"
WORKER = "mod-1-4711-3f2a9c"


def status_of(view: View, job_id: str) -> str | None:
    row = read_row(view.redis, job_id, time.time())
    return row.status if row else None


def press(page: Page, name: str) -> str:
    """Press a button and return what the next page says of it."""
    page.locator("main").get_by_role("button", name=name, exact=True).click()
    return page.locator(".said").inner_text()


@contextmanager
def told(redis: Redis, worker: str) -> Iterator[list[dict[str, str]]]:
    """Listen in the place of a worker; yields what it was told, once the block has ended."""
    heard: list[dict[str, str]] = []
    with redis.pubsub(ignore_subscribe_messages=True) as channel:
        channel.subscribe(f"rq:pubsub:{worker}")
        channel.get_message(timeout=30)
        yield heard
        message = channel.get_message(timeout=30)
        assert message is not None
        heard.append(json.loads(message["data"]))


@pytest.mark.parametrize("script", [True, False])
def test_a_job_is_put_first_and_canceled(open_page, view: View, script):
    page = open_page(f"/jobs/{DELAYED}", role="act", script=script)
    assert press(page, "Run now") == "It is first on its queue."
    assert view.redis.lindex("rq:queue:default", 0) == DELAYED.encode()
    assert press(page, "Cancel") == "It is canceled."
    assert status_of(view, DELAYED) == "canceled"


def test_a_job_that_runs_is_told_to_stop(open_page, view: View, redis: Redis):
    worker = redis.hget(f"rq:job:{RUNNING}", "worker_name").decode()
    page = open_page(f"/jobs/{RUNNING}", role="act", script=False)
    with told(redis, worker) as heard:
        assert press(page, "Cancel").startswith("It is told to stop")
    assert heard == [{"command": "stop-job", "job_id": RUNNING}]


def test_a_worker_is_stopped(open_page, redis: Redis):
    page = open_page("/workers", role="act", script=False)
    with told(redis, WORKER) as heard:
        page.get_by_role("link", name=f"Stop … {WORKER}").click()
        assert press(page, "Stop") == f"{WORKER} stops as soon as its job at hand has ended."
    assert len(heard) == 1


def test_all_recurring_jobs_are_planned_anew(open_page, redis: Redis):
    redis.delete("rq:scheduler:scheduled_jobs")
    page = open_page("/recurring", role="switch", script=False)
    assert "planned" in press(page, "Reschedule all: plan each anew, the next run now")
    assert redis.zcard("rq:scheduler:scheduled_jobs") == 7


@pytest.mark.parametrize(
    ("verb", "button", "said", "left"),
    [
        ("cancel", "Cancel 14 jobs", "14 jobs canceled.", "canceled"),
        ("delete", "Delete 14 jobs", "14 jobs deleted.", None),
        ("run", "Run now 14 jobs", "14 jobs put first on their queues.", "queued"),
    ],
)
def test_all_that_wait_are_dealt_with_at_once(open_page, view: View, verb, button, said, left):
    page = open_page("/jobs?queue=default&status=queued", role="act", script=False)
    page.locator(f"a[href^='/matching/{verb}?']").first.click()
    assert status_of(view, WAITING) == "queued"
    assert press(page, button) == said
    assert status_of(view, WAITING) == left


def test_ticked_jobs_are_canceled_after_a_question_and_put_first_without(open_page, view: View):
    page = open_page("/jobs?queue=default&status=queued", role="act", script=False)
    page.get_by_role("checkbox").nth(3).check()
    assert press(page, "Run now") == "1 job put first on their queues."
    page.get_by_role("checkbox").nth(0).check()
    first = page.get_by_role("checkbox").nth(0).get_attribute("value")
    page.get_by_role("group", name="With the ticked jobs").get_by_role("button", name="Cancel").click()
    assert status_of(view, first) == "queued"
    assert press(page, "Cancel 1 job") == "1 job canceled."
    assert status_of(view, first) == "canceled"


def test_every_switch_is_turned_both_ways(open_page, view: View):
    seed_people(view)
    page = open_page("/switches", role="switch", script=False)
    for name in ("Only rehearse", "Turn dry run on"), ("File reports", "Turn dry run off"):
        page.get_by_role("link", name=name[0]).click()
        assert "ry run is o" in press(page, name[1])
    page.get_by_role("link", name="Let reports go out again").click()
    assert press(page, "Let reports go out again").startswith("Reports go out again.")
    page.get_by_role("link", name="Resume").click()
    assert press(page, "Resume low") == "Jobs of the queue low are taken again."
    page.get_by_role("link", name="Pause high").click()
    assert press(page, "Pause high") == "The queue high is paused."
    board = read_switches(view)
    assert (board.dry_run.on, board.dry_run.by, board.reporting_paused) == (False, "sam on the dashboard", None)
    assert [(one.queue, one.by) for one in board.paused_queues] == [("high", "sam on the dashboard")]


def test_the_rules_are_tried_on_an_account(open_page, view: View):
    seed_people(view)
    page = open_page("/try", role="read", script=False)
    page.get_by_label("Account", exact=False).first.fill(LOOK_ID)
    page.get_by_role("button", name="Try", exact=True).click()
    expect(page.get_by_role("heading", name="It would be")).to_be_visible()
    expect(page.locator("#verdict + p")).to_contain_text("user83920174@spam.example")


@pytest.mark.parametrize(
    ("path", "button"),
    [
        (f"/jobs/{FAILED}", "Queue again"),
        ("/recurring", "Pause: send_alerts"),
        ("/queues", "Pause: low"),
        ("/switches/panic-stop/on", "Stop all work"),
    ],
)
def test_a_page_from_before_the_rights_were_lost_does_nothing(open_page, view: View, signed_url, path, button):
    open_page.allow(403)
    page = open_page(path, role="switch")
    before = view.redis.xlen("mastowatch:audit") if view.redis.type("mastowatch:audit") == b"stream" else None
    cookies = cookie_for(view, "read").items()
    page.context.add_cookies([{"name": name, "value": value, "url": signed_url} for name, value in cookies])
    page.get_by_role("button", name=button, exact=True).click()
    expect(page.locator("h1")).to_have_text("Not allowed")
    assert axe(page) == []
    assert before is None or view.redis.xlen("mastowatch:audit") == before
    page.get_by_role("link", name="Overview", exact=True).click()
    expect(page.get_by_role("banner")).to_contain_text("rita")


def test_where_all_is_read_only_nobody_sees_a_button(open_page, view: View):
    shut = replace(view, settings=view.settings.model_copy(update={"dashboard_read_only": True}))
    with served(create_dashboard(shut, access_for_tests(shut))) as url:
        page = open_page("/")
        cookies = cookie_for(shut, "switch").items()
        page.context.add_cookies([{"name": name, "value": value, "url": url} for name, value in cookies])
        for path in ("/jobs", f"/jobs/{FAILED}", "/recurring", "/workers", "/queues", "/switches", "/rules", "/cases"):
            page.goto(url + path)
            expect(page.get_by_role("banner")).to_contain_text("sam")
            buttons = page.locator("main").get_by_role("button").all_inner_texts()
            assert [name for name in buttons if name != "Apply"] == [], path
            assert page.get_by_role("checkbox").count() == 0, path
        page.goto("about:blank")


@pytest.mark.parametrize(("theme", "width"), [("dark", 360), ("light", 1280)])
def test_where_nothing_is_yet_every_page_says_what_to_check(open_page, redis: Redis, theme, width):
    with served(create_dashboard(make_view(redis))) as url:
        page = open_page("/", theme=theme, width=width)
        redis.flushdb()
        for path in ("/", "/jobs", "/failures", "/recurring", "/workers", "/queues", "/cases", "/audit", "/switches"):
            page.goto(url + path)
            assert axe(page) == [], path
            assert overflow(page) <= 0, path
            assert page.locator("main .empty, main .findings li, main tbody tr").count() > 0, path
        page.goto("about:blank")
