"""The command that mends it, where the settings that were looked at are not the machine's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from mastowatch.cli.doctor import with_settings


@pytest.mark.parametrize(
    ("mend", "given"),
    [
        ("mastowatch setup --webhooks", "mastowatch --config /srv/x.env setup --webhooks"),
        ("sudo mastowatch doctor", "sudo mastowatch --config /srv/x.env doctor"),
        (
            "sudoedit /etc/mastowatch/x && mastowatch rules check",
            "sudoedit /etc/mastowatch/x && mastowatch --config /srv/x.env rules check",
        ),
        ("sudo systemctl restart mastowatch-api", "sudo systemctl restart mastowatch-api"),
        ("apt install mastowatch", "apt install mastowatch"),
        ("", ""),
    ],
)
def test_our_own_commands_get_the_file_of_settings_and_no_others(mend: str, given: str):
    assert with_settings(mend, Path("/srv/x.env")) == given


def test_a_name_with_a_space_is_quoted():
    assert with_settings("mastowatch setup", Path("/srv/a b")) == "mastowatch --config '/srv/a b' setup"


def test_a_user_of_redis_that_is_called_as_we_are_is_no_command():
    mend = "redis-cli --user mastowatch config set appendonly yes"
    assert with_settings(mend, Path("/srv/x.env")) == mend
