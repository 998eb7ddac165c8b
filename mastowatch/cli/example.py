"""``mastowatch config example``: the settings file with every setting, its default and what is allowed."""

from __future__ import annotations

import argparse
import textwrap

from mastowatch.config import Loaded, Settings

HEAD = """\
# Settings of MastoWatch, for the units and the command line alike; written like an EnvironmentFile of systemd.
# What is commented out stands at its default. After a change: systemctl reload mastowatch.target
# (`mastowatch config check` tells before that whether all is usable.)
# `mastowatch config show` tells what the files say. Secrets don't belong here: they have files of their own.
# Settings of worker N alone: worker@N.env beside this file, in the same form.
"""


def render() -> str:
    """Return the text of ``etc/mastowatch.env``, from the one table of settings."""
    return HEAD + "".join(_entry(*row) for row in Settings.table())


def run(loaded: Loaded, arguments: argparse.Namespace) -> int:
    """Print it."""
    del loaded, arguments
    print(render(), end="")
    return 0


def _entry(name: str, default: str, allowed: str, about: str) -> str:
    text = textwrap.fill(f"{about} Allowed: {allowed}.", 110, initial_indent="# ", subsequent_indent="# ")
    return f"\n{text}\n#{name}={default}\n"
