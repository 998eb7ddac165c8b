"""The dashboard in a real browser: one Chromium a process of pytest, a context a test, a seeded Redis.

``open_page("/jobs", theme="dark", width=360, script=False, role="act")`` returns a Playwright page. When the test ends,
no page of its may have had an error on its console, a report of its policy, or a request that failed;
``open_page.allow(404)`` names the statuses that the test provokes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from redis import Redis

from mastowatch.jobs.context import View
from mastowatch.web.dashboard import create_dashboard
from mastowatch.web.dashboard.access import Role
from tests.browser.looking import PATIENCE_MS, Watched, start, watched
from tests.browser.seed import seed
from tests.browser.site import served
from tests.dashboard_people import access_for_tests, cookie_for

expect.set_options(timeout=PATIENCE_MS)


class OpenPage:
    """Opens pages, each in a context of its own: with a ``role``, as somebody who has signed in."""

    def __init__(self, browser: Browser, view: View, open_url: str, signed_url: str) -> None:
        self._browser, self._view, self._open_url, self._signed_url = browser, view, open_url, signed_url
        self._stack, self._all = ExitStack(), list[Watched]()
        self._allowed: set[int] = set()

    def __call__(
        self,
        path: str = "/",
        *,
        theme: str = "light",
        width: int = 1280,
        script: bool = True,
        role: Role | None = None,
    ) -> Page:
        """Return the page at ``path``, loaded."""
        one = self._stack.enter_context(watched(self._browser, theme=theme, width=width, script=script))
        one.allowed = self._allowed
        self._all.append(one)
        url = self._signed_url if role else self._open_url
        if role:
            cookies = cookie_for(self._view, role).items()
            one.context.add_cookies([{"name": name, "value": value, "url": url} for name, value in cookies])
        page = one.page()
        page.goto(url + path)
        return page

    def allow(self, *statuses: int) -> None:
        """Take these statuses for no fault, from now on."""
        self._allowed |= set(statuses)

    def close(self) -> list[str]:
        """Close all, and return what has gone wrong."""
        self._stack.close()
        return [line for one in self._all for line in one.wrong]


@pytest.fixture(scope="session")
def _playwright_loop() -> Iterator[tuple[Browser, asyncio.AbstractEventLoop]]:
    with sync_playwright() as playwright:
        browser = start(playwright)
        loop = asyncio.get_running_loop()
        asyncio._set_running_loop(None)
        yield browser, loop
        asyncio._set_running_loop(loop)
        browser.close()


@pytest.fixture
def browser(_playwright_loop: tuple[Browser, asyncio.AbstractEventLoop]) -> Iterator[Browser]:
    """Chromium. Playwright's loop counts as running for as long as it is there, and no other could run beside it; so it
    does during the tests here only, and not during others of this process.
    """
    found, loop = _playwright_loop
    asyncio._set_running_loop(loop)
    yield found
    asyncio._set_running_loop(None)


@pytest.fixture
def view(redis: Redis) -> View:
    """The records of a server that has run for a week."""
    return seed(redis)


@pytest.fixture
def site_url(view: View) -> Iterator[str]:
    """The address of a dashboard where nobody can sign in."""
    with served(create_dashboard(view)) as url:
        yield url


@pytest.fixture
def signed_url(view: View) -> Iterator[str]:
    """The address of a dashboard where people sign in."""
    with served(create_dashboard(view, access_for_tests(view))) as url:
        yield url


@pytest.fixture
def open_page(browser: Browser, view: View, site_url: str, signed_url: str) -> Iterator[OpenPage]:
    opened = OpenPage(browser, view, site_url, signed_url)
    yield opened
    assert opened.close() == []
