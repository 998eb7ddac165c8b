"""``systemctl stop`` in the middle of a job: the job is finished first, by the process that began it."""

from __future__ import annotations

import pytest

from tests.host.suite import WORKER


@pytest.fixture(scope="module")
def stopped(suite):
    """Stop the worker in the middle of a job of four pages; yields (job, its process, a place, the unit's state)."""
    with suite.paused():
        place = suite.now()
        job = suite.running_page(2)
        horses = suite.host.sh(f"cat /proc/{suite.pid(WORKER)}/task/*/children").split()
        suite.systemctl("stop", WORKER)
        yield job, horses, place, suite.state(WORKER)
        suite.systemctl("start", WORKER)


def test_the_job_is_finished(suite, stopped):
    job, _, _, state = stopped
    assert state == "inactive"
    found = suite.job(job)
    assert found["status"] == "finished"
    assert len(found["attempts"]) == 1


# What is logged when a job's process ends otherwise than by itself, or its job comes to another.
HARM = {"horse_killed", "horse_died", "job_recovered", "job_lost_to_another_worker"}


def test_its_process_was_not_harmed(suite, stopped):
    _, horses, place, _ = stopped
    assert len(horses) == 1
    assert not HARM & set(suite.events(place, WORKER))
    assert suite.show(WORKER, "Result", "ExecMainStatus") == {"Result": "success", "ExecMainStatus": "0"}


def test_it_said_that_it_was_stopping(suite, stopped):
    _, _, place, _ = stopped
    assert suite.events(place, WORKER)["worker_stopped"] == 1


def test_only_the_main_process_is_told_to_stop(suite):
    """A job's own children would mind a SIGTERM, if its process doesn't; ours have none to show it by."""
    assert suite.show(WORKER, "KillMode") == {"KillMode": "mixed"}
