"""Opens pages in Chromium and takes down what goes wrong on them: errors, what the CSP stops, requests that fail."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, Request, Response

# Chromium without its own windows and pages, which take twice as long as ours.
CHROMIUM = "/usr/bin/chromium-headless-shell"
# A machine with much else to do takes its time; what is right comes at once, and nobody waits so long for it.
PATIENCE_MS = 90_000
_NO_FAULTS = ("Failed to load resource", "[object Event]")
# What a page breaks of its policy is an event on it; kept here until the test ends.
_REPORT_CSP = """
document.addEventListener('securitypolicyviolation', event =>
  console.error('CSP ' + event.violatedDirective + ' ' + event.blockedURI + ' ' + event.sourceFile))
"""


def start(playwright: Playwright) -> Browser:
    """Return Debian's Chromium, without a window."""
    # Its sandbox does not work for root, who runs tests in a container.
    return playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--force-device-scale-factor=1"])


@dataclass
class Watched:
    """A context and what has gone wrong in it. ``allowed``: statuses that a test expects, Redis being away, say."""

    context: BrowserContext
    wrong: list[str] = field(default_factory=list)
    allowed: set[int] = field(default_factory=set)

    def page(self) -> Page:
        """Return a new page that is watched."""
        page = self.context.new_page()
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        page.on("requestfailed", self._failed)
        page.on("response", self._response)
        return page

    def _console(self, message: ConsoleMessage) -> None:
        # The status of an answer is judged where it comes in. htmx shows the bare event where a stream of events has
        # ended, as it does for whoever signs out.
        if message.type in ("error", "warning") and not any(one in message.text for one in _NO_FAULTS):
            self.wrong.append(f"{message.type}: {message.text}")

    def _failed(self, request: Request) -> None:
        # A stream of events, or a fetch, that a page has left behind is no fault.
        if request.failure != "net::ERR_ABORTED" and 503 not in self.allowed:
            self.wrong.append(f"failed: {request.url} {request.failure}")

    def _response(self, response: Response) -> None:
        if response.status >= 400 and response.status not in self.allowed:
            self.wrong.append(f"{response.status}: {response.url}")


@contextmanager
def watched(browser: Browser, *, theme: str = "light", width: int = 1280, script: bool = True) -> Iterator[Watched]:
    """Yield a fresh context, as another person would have it: ``theme`` is light or dark, ``width`` in CSS pixels."""
    context = browser.new_context(
        viewport={"width": width, "height": 800},
        color_scheme=theme,  # type: ignore[arg-type]
        java_script_enabled=script,
        locale="en-GB",
    )
    context.set_default_timeout(PATIENCE_MS)
    if script:
        context.add_init_script(_REPORT_CSP)
    try:
        yield Watched(context)
    finally:
        context.close()


def overflow(page: Page) -> int:
    """Return by how many pixels the page is wider than the window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))
