"""Looks at a page with axe-core: contrast, names, roles, order of headings, and the rest of WCAG 2 A and AA."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from playwright.sync_api import Page

from tests.browser.looking import overflow

VENDOR = Path(__file__).parent / "vendor"
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


WIDTHS = (360, 800, 1280)
# axe takes a second or so a page. Each theme and each width is looked at by it; all six are looked at for all else.
_LOOKED_AT = {("light", 360), ("dark", 800), ("light", 1280)}


def amiss(page: Page, theme: str) -> list[str]:
    """Return what is wrong with the page that is open, in this theme, in windows of all WIDTHS, a line each.

    That is what axe finds, and by how much it is wider than the window.
    """
    found = []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        wide = overflow(page)
        found += [f"{wide} pixels wider than {width}"] if wide > 0 else []
        found += axe(page) if (theme, width) in _LOOKED_AT else []
    return found


def script() -> str:
    """Return axe-core, unless it has been changed since it came."""
    source = (VENDOR / "axe.min.js").read_bytes()
    (known,) = re.findall(r"`axe.min.js`.*`([0-9a-f]{64})`", (VENDOR / "VENDORED.md").read_text())
    assert hashlib.sha256(source).hexdigest() == known
    return source.decode()


def axe(page: Page) -> list[str]:
    """Return what axe finds, a line each: rule, element, and what is wrong. No script of the page's is in its way."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(script())
    found = page.evaluate("tags => axe.run({runOnly: tags})", _RULES)
    return [
        f"{one['id']}: {node['html'][:160]} -- {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"]
    ]
