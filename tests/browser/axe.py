"""Looks at a page with axe-core: contrast, names, roles, order of headings, and the rest of WCAG 2 A and AA."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from playwright.sync_api import Page

VENDOR = Path(__file__).parent / "vendor"
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


# axe takes a second or so a page. These have each theme and each width; all six are looked at for all else.
_LOOKED_AT = {("light", 360), ("dark", 800), ("light", 1280)}


def is_looked_at(theme: str, width: int) -> bool:
    """Tell whether axe is to look at pages in this theme and width."""
    return (theme, width) in _LOOKED_AT


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
