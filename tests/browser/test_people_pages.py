"""Cases, rules, audit and switches in a real browser: both themes, every width, without a script, and every action."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from redis import Redis

from mastowatch.jobs.context import View
from mastowatch.jobs.switches import read_switches
from tests.browser.axe import amiss
from tests.browser.people_seed import GROWN_ID, HOSTILE_ID, LOOK_ID, seed_people
from tests.browser.seed import make_view

pytestmark = [pytest.mark.redis, pytest.mark.unmeasured]
PAGES = [
    "/cases", "/cases?outcome=filed", f"/cases/{GROWN_ID}", f"/cases/{HOSTILE_ID}", "/rules", "/rules/mention-wave",
    "/try", f"/try?account={LOOK_ID}", "/audit", "/switches", "/switches/panic-stop/on", "/rules/mention-wave/arm",
]  # fmt: skip


@pytest.fixture
def view(redis: Redis) -> View:
    view = make_view(redis)
    seed_people(view)
    return view


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_and_hostile_texts_keep_to_their_place(open_page, theme):
    page = open_page("/rules", theme=theme, role="switch")
    address = page.url.removesuffix("/rules")
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    for path in PAGES:
        page.goto(address + path)
        assert amiss(page, theme) == [], path


def test_cases_are_filtered_and_opened_without_a_script(open_page):
    page = open_page("/cases", script=False, width=360)
    page.get_by_role("searchbox", name="Account").fill("lucky.spin")
    page.get_by_role("combobox", name="Outcome").select_option("filed")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_role("link", name="lucky.spin@casino.example").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("lucky.spin@casino.example")
    expect(page.get_by_role("table", name="Rules that count")).to_contain_text("6.583333")
    expect(page.get_by_role("link", name="Report 2210")).to_have_attribute(
        "href", "https://mastodon.example/admin/reports/2210"
    )
    expect(page.get_by_role("button", name="Judge again")).to_have_count(0)


def test_a_case_is_judged_again_and_the_page_says_so(open_page, view: View):
    page = open_page(f"/cases/{GROWN_ID}", role="act", script=False)
    page.get_by_role("button", name="Judge again").click()
    expect(page.locator("p.said")).to_contain_text("judged again")
    assert any(GROWN_ID.encode() in one for one in view.redis.lrange("rq:queue:default", 0, -1))


def test_a_text_is_tried_and_each_rule_says_why(open_page):
    page = open_page("/rules", width=800)
    page.get_by_role("link", name="Try a text or an account").click()
    page.get_by_label("Text of a post").fill("Casino bonus free spins https://spin.example")
    page.get_by_role("combobox", name="Age").select_option("1d")
    page.get_by_label("Followers", exact=True).fill("0")
    page.get_by_label("Posted so often").fill("5")
    page.get_by_role("button", name="Try", exact=True).click()
    expect(page.get_by_role("heading", name="It would be reported.")).to_be_visible()
    row = page.get_by_role("row", name="Casino and betting spam")
    row.get_by_text("Why").click()
    expect(row.get_by_text("is at most", exact=False).first).to_be_visible()
    expect(page.get_by_label("Text of a post")).to_have_value("Casino bonus free spins https://spin.example")


def test_the_panic_stop_is_turned_on_after_a_question_and_off_by_whoever_may(open_page, view: View):
    page = open_page("/switches", role="act", theme="dark", width=360)
    expect(page.get_by_role("link", name="Re-arm")).to_have_count(0)
    page.get_by_role("link", name="Stop all work").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Stop all work?")
    assert not read_switches(view).panic_stop.on, "asking changes nothing"
    page.get_by_role("button", name="Stop all work").click()
    expect(page.locator("p.said")).to_contain_text("panic stop is on")
    expect(page.get_by_role("link", name="Let work go on")).to_have_count(0)
    other = open_page("/switches", role="switch", script=False)
    expect(other.get_by_text("alice on the dashboard").first).to_be_visible()
    other.get_by_role("link", name="Let work go on").click()
    other.get_by_role("button", name="Let work go on").click()
    expect(other.locator("p.said")).to_contain_text("work goes on")
    assert not read_switches(view).panic_stop.on


def test_a_rule_is_re_armed_from_its_page_and_its_accounts_judged_again(open_page, view: View):
    page = open_page("/rules?state=dropped", role="switch")
    page.get_by_role("link", name="Mass-mention wave").click()
    page.get_by_role("link", name="Re-arm").click()
    expect(page.locator(".what")).to_contain_text("3 accounts")
    page.get_by_role("link", name="Leave it as it is").click()
    assert read_switches(view).dropped
    page.get_by_role("link", name="Re-arm").click()
    page.get_by_role("button", name="Re-arm").click()
    expect(page.locator("p.said")).to_contain_text("3 accounts that were held back are judged again")
    assert read_switches(view).dropped == []
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Audit").click()
    page.get_by_role("link", name="What people did").click()
    expect(page.get_by_text("sam on the dashboard").first).to_be_visible()


def test_whoever_may_only_read_is_told_what_it_takes_and_sees_no_button(open_page):
    page = open_page("/switches/panic-stop/off", role="read")
    expect(page.get_by_text("This takes the role switch")).to_be_visible()
    expect(page.locator("main button")).to_have_count(0)


def test_the_pages_are_used_by_keyboard(open_page):
    page = open_page("/switches", role="act")
    page.get_by_role("link", name="Stop all work").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Stop all work").focus()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Leave it as it is")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Switches")
