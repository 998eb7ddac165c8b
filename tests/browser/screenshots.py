"""Takes each page, in both themes and three widths: python -m tests.browser.screenshots DIRECTORY [PART ...].

``--docs`` takes those that the documentation shows.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

from playwright.sync_api import sync_playwright
from redis import Redis

from mastowatch.jobs.context import View
from mastowatch.web.dashboard import create_dashboard
from tests.browser.looking import start, watched
from tests.browser.seed import seed
from tests.browser.site import served
from tests.dashboard_people import access_for_tests, cookie_for
from tests.redis_server import private_redis

PAGES = {
    "overview": "/",
    "jobs": "/jobs",
    "jobs-failed": "/jobs?status=failed",
    "job": "/jobs/analyze_and_maybe_report-1150777",
    "failures": "/failures",
    "recurring": "/recurring",
    "workers": "/workers",
    "cases": "/cases",
    "case": "/cases/115301",
    "rules": "/rules",
    "audit": "/audit",
    "switches": "/switches",
    "nothing": "/nothing",
}
# As a host has it that was set up with care.
REDIS = ("--appendonly", "yes", "--maxmemory", "512mb")
DOCS = (
    "overview-light-1280",
    "overview-dark-360",
    "jobs-failed-dark-1280",
    "failures-light-1280",
    "case-light-1280",
    "switches-dark-1280",
)
WIDTHS = (360, 800, 1280)


def standing_still(view: View, at: float) -> View:
    """Return the View with a clock that stands, so that the first screenshot and the last show the same."""
    return replace(view, clock=lambda: at)


def main(out: Path, *parts: str) -> None:
    """Write PAGE-THEME-WIDTH.png for each name that has one of ``parts`` in it; none: for all."""
    wanted = DOCS if parts == ("--docs",) else parts or ("",)
    out.mkdir(parents=True, exist_ok=True)
    with private_redis(*REDIS) as url, Redis.from_url(url) as redis, sync_playwright() as playwright:
        view = standing_still(seed(redis, at := time.time()), at)
        browser = start(playwright)
        with served(create_dashboard(view, access_for_tests(view))) as address:
            for theme in ("light", "dark"):
                for width in WIDTHS:
                    names = {
                        name: path
                        for name, path in PAGES.items()
                        if any(part in f"{name}-{theme}-{width}" for part in wanted)
                    }
                    if not names:
                        continue
                    with watched(browser, theme=theme, width=width) as one:
                        cookies = cookie_for(view, "switch").items()
                        one.context.add_cookies(
                            [{"name": name, "value": value, "url": address} for name, value in cookies]
                        )
                        page = one.page()
                        page.goto(address)
                        page.wait_for_timeout(500)  # the charts' history is read beside the first page
                        for name, path in names.items():
                            page.goto(address + path)
                            page.screenshot(path=out / f"{name}-{theme}-{width}.png", full_page=True)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
