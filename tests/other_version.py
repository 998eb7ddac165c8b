"""MastoWatch as another version would be: ``python -m tests.other_version LAYOUT COMMAND...``, and asks more often.

It comes to its layout by made-up migrations. The environment's MIGRATION=dies ends the process in their midst.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from redis import Redis

from mastowatch.adapters import redis_layout
from mastowatch.cli import main
from mastowatch.jobs import worker
from mastowatch.processes import absence, layout


def migrate(redis: Redis, alive: Callable[[], None]) -> None:
    redis.rpush("migrated", "half")
    alive()
    if os.environ.get("MIGRATION") == "dies":
        os._exit(9)
    redis.rpush("migrated", "whole")


if __name__ == "__main__":
    known = int(sys.argv[1])
    worker.ONLY = None  # its tests want jobs that sleep
    redis_layout.LAYOUT = known
    redis_layout.MIGRATIONS = tuple(redis_layout.Migration(to, "made up", migrate) for to in range(2, known + 1))
    layout.EVERY_S = absence.LOOK_S = 0.2
    sys.exit(main(sys.argv[2:]))
