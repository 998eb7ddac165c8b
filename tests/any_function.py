"""MastoWatch with workers that call whatever a job names: ``python -m tests.any_function COMMAND...``.

A test wants a job that sleeps, and MastoWatch's own workers call its tasks and nothing else.
"""

from __future__ import annotations

import sys

from mastowatch.cli import main
from mastowatch.jobs import worker

worker.ONLY = None

if __name__ == "__main__":
    sys.exit(main())
