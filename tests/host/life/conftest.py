"""What this host was like before anything was installed."""

from __future__ import annotations

import json
import os

import pytest

# What another release of Debian would show again is told on one alone: these cost a minute each.
_ELSEWHERE = {"bookworm": ["test_05_people.py", "test_10_autopkgtest.py"], "trixie": ["test_07a_doctor.py"]}
collect_ignore = _ELSEWHERE.get(json.loads(os.environ.get("MASTOWATCH_HOST", "{}")).get("release", ""), [])


@pytest.fixture(scope="session")
def before_installation(suite):
    """The names of all files of the host that is still without the package."""
    return suite.files()
