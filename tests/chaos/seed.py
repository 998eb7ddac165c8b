"""The seed of a run: CHAOS_SEED, or one that nobody chose. It settles the draws, not the machine's timing."""

from __future__ import annotations

import os
import secrets


def chosen_seed() -> int:
    """Return the seed to use now."""
    return int(os.environ.get("CHAOS_SEED") or secrets.randbelow(1_000_000))
