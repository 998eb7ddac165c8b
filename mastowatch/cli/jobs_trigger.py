"""``mastowatch jobs trigger TASK [NAME=VALUE ...]``: a task queued now."""

from __future__ import annotations

import argparse

from mastowatch.cli.records import change
from mastowatch.cli.tables import tell
from mastowatch.config import Loaded
from mastowatch.jobs.actions import Actions
from mastowatch.jobs.refusals import BadParameter


def run(loaded: Loaded, arguments: argparse.Namespace) -> int:
    """Queue it and print the job's id; 1 if the same work waits or runs already."""
    return change(loaded, lambda _, actions: _trigger(actions, arguments))


def _trigger(actions: Actions, arguments: argparse.Namespace) -> int:
    job_id = actions.trigger(arguments.task, dict(map(_argument, arguments.arguments)))
    tell(arguments, job_id, {"id": job_id, "status": "queued"})
    return 0


def _argument(word: str) -> tuple[str, str | list[str]]:
    name, sign, value = word.partition("=")
    if not sign:
        raise BadParameter(f"{word!r} is no argument; write it like account_id=109302")
    return name, value.split(",") if name.endswith("_ids") else value
