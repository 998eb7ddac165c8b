"""docs/quick-start.md: from a bare host to the first verdict that is rehearsed."""

from __future__ import annotations

from tests.host.suite import ENV_FILE
from tests.host.walk.settings import MOCK

PAGE = "docs/quick-start.md"


def test_from_nothing_to_the_first_verdict(suite, walk):
    walk.page(PAGE, "1. Install the package")
    # Beside what the page sets, and kept by it.
    suite.host.write(ENV_FILE, suite.host.path(ENV_FILE).read_text() + MOCK)
    walk.page(PAGE, "3. Set it up")
    walk.page(PAGE, "4. See the first verdicts")
    walk.page(PAGE, "5. Whenever you wonder whether all is well")
    assert walk.left(PAGE) == []
    assert suite.all_active()
    assert suite.failed() == []
    assert MOCK in suite.host.path(ENV_FILE).read_text()
