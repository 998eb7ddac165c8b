"""What this host was like before anything was installed."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def before_installation(suite):
    """The names of all files of the host that is still without the package."""
    return suite.files()
