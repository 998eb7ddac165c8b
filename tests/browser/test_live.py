"""What happens to a page that is open while things change: it follows, and is in nobody's way."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from mastowatch.web.dashboard import create_dashboard
from tests.browser.looking import watched
from tests.browser.seed import fail_job, make_view, seed
from tests.browser.site import served
from tests.redis_server import RedisProcess, running_redis

pytestmark = pytest.mark.unmeasured

HIDE = """hidden => {
  Object.defineProperty(document, 'hidden', {configurable: true, get: () => hidden});
  document.dispatchEvent(new Event('visibilitychange'));
}"""


def failed(page: Page, number: int) -> None:
    """Wait until the header counts so many failed jobs, and the page speaks of them."""
    expect(page.locator("#counters")).to_contain_text(f"{number} failed")
    expect(page.locator("#live")).to_contain_text(f"{number} failed jobs are on record.")


def test_a_job_that_fails_while_you_look_shows_without_a_reload(open_page, redis):
    page = open_page("/")
    failed(page, 16)
    page.evaluate("window.mark = 'same page'")
    fail_job(redis, "analyze_and_maybe_report-7")
    failed(page, 17)
    assert page.evaluate("window.mark") == "same page"


def test_what_happens_before_a_page_hears_anything_shows_as_well(open_page, redis):
    page = open_page("/")
    failed(page, 16)

    def late(route: Route) -> None:
        fail_job(redis, "analyze_and_maybe_report-7")
        route.continue_()

    page.route("**/events", late)
    page.reload()
    failed(page, 17)


def test_leaves_alone_what_somebody_is_at(open_page, redis):
    page = open_page("/")
    page.evaluate("""document.querySelector('#headline').insertAdjacentHTML('afterend',
      '<label>tick <input id="box" type="checkbox"></label> <input id="text" aria-label="text">')""")
    page.locator("#box").check()
    fail_job(redis, "analyze_and_maybe_report-7")
    expect(page.locator("#counters")).to_contain_text("17 failed")
    # One more look at Redis, and so one more chance to swap.
    fail_job(redis, "analyze_and_maybe_report-8")
    expect(page.locator("#counters")).to_contain_text("18 failed")
    assert page.locator("#box").is_checked()
    assert "16 failed jobs" in page.locator("#live").inner_text()
    page.locator("#box").uncheck()
    failed(page, 18)
    expect(page.locator("#box")).to_have_count(0)


def test_keeps_what_is_open_and_where_the_focus_is(open_page, redis):
    page = open_page("/")
    page.locator("#figures summary").click()
    page.locator("#figures summary").focus()
    fail_job(redis, "analyze_and_maybe_report-7")
    failed(page, 17)
    expect(page.locator("#figures")).to_have_attribute("open", "")
    expect(page.locator("#figures summary")).to_be_focused()


def test_new_counters_keep_the_focus_of_the_old(open_page, redis):
    page = open_page("/jobs")
    page.locator("#counters").get_by_role("link", name="running").focus()
    fail_job(redis, "analyze_and_maybe_report-7")
    expect(page.locator("#counters")).to_contain_text("17 failed")
    expect(page.locator("#counters").get_by_role("link", name="running")).to_be_focused()


def test_a_hidden_tab_listens_to_nothing_and_catches_up_when_it_is_seen(open_page, redis):
    hidden, seen = open_page("/"), open_page("/")
    failed(hidden, 16)
    hidden.evaluate(HIDE, True)
    fail_job(redis, "analyze_and_maybe_report-7")
    failed(seen, 17)
    assert "16 failed" in hidden.locator("#counters").inner_text()
    hidden.evaluate(HIDE, False)
    failed(hidden, 17)


def test_a_page_told_to_pause_stands_still_until_told_to_go_on(open_page, redis):
    still, other = open_page("/?span=day"), open_page("/")
    still.get_by_role("link", name="Pause").click()
    assert still.url.endswith("/?span=day&live=off")
    fail_job(redis, "analyze_and_maybe_report-7")
    failed(other, 17)
    assert "16 failed" in still.locator("#counters").inner_text()
    still.get_by_role("link", name="Go on").click()
    failed(still, 17)
    assert still.url.endswith("/?span=day")


def test_without_a_script_a_live_page_is_loaded_anew_and_can_be_paused(open_page):
    page = open_page("/", script=False)
    assert page.locator("meta[http-equiv=refresh]").get_attribute("content") == "10"
    page.get_by_role("link", name="Pause").click()
    assert page.url.endswith("?live=off")
    assert page.locator("meta[http-equiv=refresh]").count() == 0
    page.get_by_role("link", name="Go on").click()
    assert page.locator("meta[http-equiv=refresh]").count() == 1


@pytest.fixture
def mortal(tmp_path) -> Iterator[RedisProcess]:
    with running_redis(tmp_path, "--appendonly", "yes") as process:
        yield process


def test_says_when_redis_goes_and_when_it_is_back(browser: Browser, mortal: RedisProcess):
    with (
        Redis.from_url(mortal.url, retry=Retry(NoBackoff(), 0)) as redis,
        served(create_dashboard(make_view(redis))) as url,
        watched(browser) as one,
    ):
        seed(redis)
        one.allowed = {503}
        page, late = one.page(), one.page()
        page.goto(url)
        failed(page, 16)
        mortal.stop()
        expect(page.get_by_role("status")).to_have_text("Redis is away. What you see is how things were.")
        failed(page, 16)
        late.goto(url)
        expect(late.locator("h1")).to_have_text("Redis is away")
        mortal.start()
        expect(page.get_by_role("status")).to_have_text("Redis is back.")
        expect(late.locator("h1")).to_contain_text("All is well")
        fail_job(redis, "analyze_and_maybe_report-7")
        failed(page, 17)
    assert one.wrong == []


def test_a_page_whose_session_is_over_leads_to_the_sign_in(open_page, redis):
    open_page.allow(401)
    page = open_page("/", role="read")
    failed(page, 16)
    page.context.clear_cookies()
    fail_job(redis, "analyze_and_maybe_report-7")
    expect(page).to_have_url(re.compile(r"/sign-in"))
