"""What is made of workers, scheduler, queues, jobs and switches."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mastowatch.jobs.checks import work
from mastowatch.jobs.checks.work import RunningJob
from mastowatch.jobs.recurrence import RecurringRow
from mastowatch.jobs.switches import MaintenanceRow, PausedQueueRow, Switchboard, SwitchRow
from mastowatch.jobs.workforce import WorkerRow
from mastowatch.reliable.facts import QueueFacts

NOW = 1_800_000_000.0


def at(epoch: float) -> datetime:
    return datetime.fromtimestamp(epoch, UTC)


def worker(**changes: object) -> WorkerRow:
    fields = {
        "name": "a-1-2-abcdef", "state": "idle", "queues": ["high", "default", "low"], "hostname": "a", "pid": 2,
        "current_job_id": None, "started_at": None, "last_heartbeat": None, "finished": 0, "failed": 0,
        "working_s": 0.0, "dry_run": True, "rules": "x",
    }  # fmt: skip
    return WorkerRow(**{**fields, **changes})


def recurring(**changes: object) -> RecurringRow:
    fields = {
        "id": "poll", "description": "", "queue": "default", "interval_s": 30, "next_run_at": at(NOW + 10),
        "last_run_at": at(NOW - 20), "last_status": "finished", "skipped": 0,
    }  # fmt: skip
    return RecurringRow(**{**fields, **changes})


def queue(**changes: object) -> QueueFacts:
    counts = dict.fromkeys(
        ("started", "finished", "failed", "scheduled", "deferred", "canceled", "workers", "finished_total",
         "failed_total"), 0
    )  # fmt: skip
    return QueueFacts(**{"name": "default", "depth": 3, "oldest_s": 1.0, **counts, **changes})


def states(found):
    return [(one.state, one.says) for one in found]


def test_workers():
    assert states(work.judge_workers([worker(), worker(hostname="b")])) == [("ok", "1 on a, 1 on b")]
    [none] = work.judge_workers([])
    assert (none.state, none.mend) == ("failure", "systemctl start mastowatch-worker@1")
    [odd] = work.judge_workers([worker(), worker(dry_run=False)])
    assert (odd.state, odd.mend) == ("failure", "systemctl restart 'mastowatch-worker@*'")
    [older] = work.judge_workers([worker(), worker(rules="y")])
    assert (older.state, older.mend) == ("warning", "systemctl reload 'mastowatch-worker@*'")
    assert states(work.judge_workers([worker(queues=["high", "low"])])) == [
        ("failure", "nobody serves the queue default")
    ]


def test_scheduler():
    assert work.judge_scheduler("a-1", 2, NOW - 4, NOW).says == "a-1 leads, last tick 4 s ago, one stands by"
    assert work.judge_scheduler("a-1", 1, 0.0, NOW).says == "a-1 leads"
    assert work.judge_scheduler("", 0, 0.0, NOW).mend == "systemctl start mastowatch-scheduler"


@pytest.mark.parametrize(
    ("changes", "state", "says"),
    [
        ({}, "ok", "1 on time"),
        ({"paused": True, "next_run_at": None}, "note", "poll is paused"),
        ({"next_run_at": at(NOW - 50)}, "failure", "poll is 50 s late"),
        ({"next_run_at": None}, "failure", "poll is not planned"),
        ({"last_run_at": at(NOW - 600)}, "warning", "poll last ran 10 min ago, and should every 30 s"),
        ({"last_status": "failed"}, "warning", "the last run of poll failed"),
        ({"last_status": "stopped"}, "warning", "the last run of poll was stopped"),
    ],
)
def test_recurring_jobs(changes, state, says):
    assert (state, says) in states(work.judge_recurring([recurring(**changes)], NOW, leads=True, held=False))


def test_nothing_is_late_while_nobody_leads_or_all_is_held_back():
    late = [recurring(next_run_at=at(NOW - 500), last_run_at=at(NOW - 5000))]
    assert states(work.judge_recurring(late, NOW, leads=False, held=False)) == [
        ("unknown", "1, and nobody queues them")
    ]
    waits = [recurring(last_run_at=at(NOW - 5000))]
    assert states(work.judge_recurring(waits, NOW, leads=True, held=True)) == [("ok", "1 on time")]


@pytest.mark.parametrize(("oldest", "state"), [(100.0, "ok"), (121.0, "warning"), (1000.0, "failure")])
def test_queues(oldest, state):
    [found] = work.judge_queues([queue(oldest_s=oldest)], 2, held=False)
    assert found.state == state
    assert state == "ok" or found.mend == "systemctl enable --now mastowatch-worker@3"
    assert work.judge_queues([queue(oldest_s=oldest)], 2, held=True)[0].state == "ok"


def test_deferred_jobs_are_a_note():
    assert [one.state for one in work.judge_queues([queue(deferred=2)], 1, held=False)] == ["ok", "note"]


def test_a_queue_that_takes_nothing_more_is_told_of():
    [found] = work.judge_queues([queue(depth=10_000)], 1, held=False)
    assert (found.state, "10000 jobs wait, and no more are looked for" in found.says) == ("warning", True)
    assert work.judge_queues([queue(depth=9_999)], 1, held=False)[0].state == "ok"


def test_stuck_jobs():
    assert states(work.judge_stuck([RunningJob("a", 100.0, 60.0), RunningJob("b", 9e9, 0.0)], 0)) == [("ok", "none")]
    [found] = work.judge_stuck([RunningJob("a", 400.0, 60.0)], 0)
    assert found.says == "a has run for 7 min, and may for 60 s"
    many = work.judge_stuck([RunningJob(str(n), 400.0, 60.0) for n in range(5)], 2)
    assert [one.says for one in many[3:]] == ["and 2 more", "2 jobs of dead workers are set aside"]


@pytest.mark.parametrize(("of_late", "state"), [(0, "ok"), (1, "note"), (99, "note"), (100, "warning")])
def test_failed_jobs(of_late, state):
    assert work.judge_failed(of_late, 500).state == state


def test_switches_are_notes_and_each_names_who_and_how_to_go_on():
    off = SwitchRow(on=False, from_settings=False, by=None, at=None)
    board = Switchboard(dry_run=off, panic_stop=off, reporting_paused=None, dropped=[], paused_queues=[])
    assert work.judge_switches(board)[0].state == "ok"
    board = Switchboard(
        dry_run=SwitchRow(on=True, from_settings=True, by=None, at=None),
        panic_stop=SwitchRow(on=True, from_settings=False, by="alice", at=at(NOW)),
        reporting_paused=None,
        dropped=[],
        paused_queues=[PausedQueueRow(queue="low", by="bob", at=at(NOW))],
    )
    found = work.judge_switches(board)
    assert {one.state for one in found} == {"note"}
    assert found[0].says == "the panic stop is on (by alice since 2027-01-15 08:00 UTC)"
    assert (found[0].mend, found[2].mend) == ("mastowatch panic off", "mastowatch jobs resume low")
    assert found[1].says == "the dry run is on (DRY_RUN in the settings)"
    assert found[1].mend == "mastowatch setup --no-dry-run"


def test_a_pause_for_maintenance_is_told_once_and_not_for_each_queue():
    off = SwitchRow(on=False, from_settings=False, by=None, at=None)
    board = Switchboard(
        dry_run=off,
        panic_stop=off,
        reporting_paused=None,
        dropped=[],
        paused_queues=[PausedQueueRow(queue=one, by="bob", at=at(NOW)) for one in ("high", "low")],
        maintenance=MaintenanceRow(by="bob", at=at(NOW), reason="upgrade", queues=["high"]),
    )
    first, second = work.judge_switches(board)
    assert first.says == "all work is paused for maintenance (by bob since 2027-01-15 08:00 UTC): upgrade"
    assert (first.mend, second.mend) == ("mastowatch resume", "mastowatch jobs resume low")
