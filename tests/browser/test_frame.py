"""What every page has in common: the frame around it, in both themes, at every width, with and without a script."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.axe import axe
from tests.browser.looking import overflow

PAGES = ["/", "/jobs", "/failures", "/recurring", "/workers", "/cases", "/rules", "/audit", "/switches"]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_axe_finds_nothing_and_no_page_is_wider_than_the_window(open_page, theme, width):
    page = open_page("/", theme=theme, width=width)
    address = page.url.rstrip("/")
    for path in PAGES:
        page.goto(address + path)
        assert axe(page) == [], path
        assert overflow(page) <= 0, path


def test_without_a_script_each_page_is_all_there(open_page):
    page = open_page("/", script=False, width=800)
    for name in ("Jobs", "Failures", "Recurring", "Workers", "Cases", "Rules", "Audit", "Switches", "Overview"):
        page.get_by_role("navigation", name="Pages").get_by_role("link", name=name, exact=True).click()
        expect(page.locator("h1")).to_be_visible()
        expect(page.locator("#counters")).to_contain_text("16 waiting")
