"""``mastowatch jobs cancel|requeue|delete|run ID...``: something done to jobs by their ids."""

from __future__ import annotations

import argparse

from mastowatch.cli.records import EXIT_NO, change, refuse
from mastowatch.cli.tables import tell
from mastowatch.config import Loaded
from mastowatch.jobs.actions import Actions
from mastowatch.jobs.refusals import Refusal

# What a person reads in place of the status.
_SAID = {
    ("cancel", "stopping"): "runs; its worker has been told to stop it",
    ("requeue", "queued"): "queued again",
    ("run", "queued"): "runs next",
}


def run(loaded: Loaded, arguments: argparse.Namespace) -> int:
    """Do it to each, and print a line a job; 1 if it could not be done to one of them."""
    return change(loaded, lambda _, actions: _change(actions, arguments))


def _change(actions: Actions, arguments: argparse.Namespace) -> int:
    status = 0
    for job_id in dict.fromkeys(arguments.ids):
        try:
            status_now = _one(actions, arguments.action, job_id)
            said = _SAID.get((arguments.action, status_now), status_now)
            tell(arguments, f"{job_id}: {said}", {"id": job_id, "status": status_now})
        except Refusal as refusal:
            status = refuse(f"{refusal}", EXIT_NO)
    return status


def _one(actions: Actions, action: str, job_id: str) -> str:
    """Do it, and return the job's status, as the API tells it."""
    if action == "cancel":
        return actions.cancel(job_id)
    if action == "delete":
        actions.delete(job_id)
        return "deleted"
    if action == "requeue":
        actions.requeue(job_id)
    else:
        actions.run_now(job_id)
    return "queued"
