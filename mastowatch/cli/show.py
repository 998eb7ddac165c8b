"""``mastowatch config show``: what is in force, with secrets masked, and where each value came from."""

from __future__ import annotations

import argparse

from mastowatch.config import Loaded
from mastowatch.config.loading import masked


def run(loaded: Loaded, arguments: argparse.Namespace) -> int:
    """Print one line a setting."""
    del arguments
    values = masked(loaded)
    width = max(len(f"{name}={value}") for name, value in values.items())
    for name, value in values.items():
        line = f"{name}={value}"
        print(f"{line:<{width}}  # {loaded.origins[name]}")
    return 0
