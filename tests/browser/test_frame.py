"""What every page has in common: the frame around it, in both themes, at every width, with and without a script."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.axe import amiss, axe

pytestmark = pytest.mark.unmeasured

# The others have their own tests of the same kind.
PAGES = ["/", "/?span=hour", "/?span=week", "/?live=off"]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_and_no_page_is_wider_than_the_window(open_page, theme):
    page = open_page("/", theme=theme)
    address = page.url.rstrip("/")
    for path in PAGES:
        page.goto(address + path)
        assert amiss(page, theme) == [], path


def test_without_a_script_each_page_is_all_there(open_page):
    page = open_page("/", script=False, width=800)
    for name in ("Jobs", "Failures", "Recurring", "Workers", "Cases", "Rules", "Audit", "Switches", "Overview"):
        page.get_by_role("navigation", name="Pages").get_by_role("link", name=name, exact=True).click()
        expect(page.locator("h1")).to_be_visible()
        expect(page.locator("#counters")).to_contain_text("16 waiting")


def test_the_keyboard_comes_first_to_the_content_then_through_the_frame_in_order(open_page):
    page = open_page("/")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport(ratio=1)
    order = []
    for _ in range(8):
        page.keyboard.press("Tab")
        order.append(page.evaluate("document.activeElement.textContent.replace(/\\s+/g, ' ').trim()"))
    assert order[:2] == ["MastoWatch", "16 waiting"]
    assert order[6:] == ["Pause", "Overview"]
    skip.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()


def test_what_is_not_there_is_a_page_that_leads_on(open_page):
    open_page.allow(404)
    page = open_page("/nothing", width=360)
    expect(page.locator("h1")).to_have_text("Not Found")
    assert axe(page) == []
    page.get_by_role("link", name="To the overview").click()
    expect(page.locator("h1")).to_contain_text("All is well")


def test_the_charts_go_over_an_hour_a_day_and_a_week(open_page):
    page = open_page("/", width=800)
    for span, first in (("a day", "a minute"), ("a week", "a minute"), ("an hour", "usually")):
        page.get_by_role("link", name=span, exact=True).click()
        expect(page.get_by_role("link", name=span, exact=True)).to_have_attribute("aria-current", "true")
        expect(page.locator(".chart.is-done .value")).to_contain_text(first)
        assert page.locator(".chart svg").count() == 3
    page.locator("#figures summary").click()
    expect(page.get_by_role("rowheader").filter(has_text=":").first).to_be_visible()
