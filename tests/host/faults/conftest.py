"""The earlier version, configured and at work: what this host has until it is upgraded."""

from __future__ import annotations

import pytest

from tests.host.debs import OLDER
from tests.host.suite import ENV_FILE, KEY_FILE
from tests.host.waiting import wait


@pytest.fixture(scope="session", autouse=True)
def older(suite):
    """Install the earlier version; return the API's key and the settings as the admin left them."""
    suite.install("older")
    suite.configure()
    suite.start()
    wait(suite.works(), 60, "work is done")
    assert suite.host.run("mastowatch", "--version").out.split()[1] == OLDER
    return suite.host.path(KEY_FILE).read_text(), suite.host.path(ENV_FILE).read_text()
