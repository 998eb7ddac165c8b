"""``mastowatch jobs cancel|requeue|delete|run ID...``: something done to jobs by their ids."""

from __future__ import annotations

import argparse

from mastowatch.cli.records import EXIT_NO, change, refuse
from mastowatch.config import Loaded
from mastowatch.jobs.actions import Actions
from mastowatch.jobs.refusals import Refusal


def run(loaded: Loaded, arguments: argparse.Namespace) -> int:
    """Do it to each, and print a line a job; 1 if it could not be done to one of them."""
    return change(loaded, lambda _, actions: _change(actions, arguments))


def _change(actions: Actions, arguments: argparse.Namespace) -> int:
    status = 0
    for job_id in dict.fromkeys(arguments.ids):
        try:
            print(f"{job_id}: {_one(actions, arguments.action, job_id)}")
        except Refusal as refusal:
            status = refuse(f"{refusal}", EXIT_NO)
    return status


def _one(actions: Actions, action: str, job_id: str) -> str:
    if action == "cancel":
        return "canceled" if actions.cancel(job_id) == "canceled" else "runs; its worker has been told to stop it"
    if action == "requeue":
        actions.requeue(job_id)
        return "queued again"
    if action == "delete":
        actions.delete(job_id)
        return "deleted"
    actions.run_now(job_id)
    return "runs next"
