from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from mastowatch.jobs.checks.finding import NAMES
from mastowatch.jobs.recurrence import RecurringRow
from mastowatch.jobs.switches import MaintenanceRow, PausedQueueRow
from mastowatch.jobs.workforce import WorkerRow
from mastowatch.ports.types import Dropped
from mastowatch.reliable.facts import QueueFacts
from mastowatch.web.dashboard.findings import Facts, find, headline, rehearsing, summary
from mastowatch.web.dashboard.store_facts import StoreFacts

NOW = 1_800_000_000.0
QUEUE = QueueFacts("default", 0, 0.0, 0, 0, 0, 0, 0, 0, 1, 0, 0)
WORKER = WorkerRow(
    name="w", state="idle", queues=["default"], hostname="h", pid=1, current_job_id=None, started_at=None,
    last_heartbeat=None, finished=0, failed=0, working_s=0,
)  # fmt: skip
RECURRING = RecurringRow(
    id="poll", description="poll()", queue="default", interval_s=30,
    next_run_at=datetime.fromtimestamp(NOW + 10, UTC), last_run_at=None, last_status="finished", skipped=0,
)  # fmt: skip
PAUSED = RECURRING.model_copy(update={"paused": True, "next_run_at": None})


def rehearsing_worker(dry_run):
    return WORKER.model_copy(update={"dry_run": dry_run})


STORE = StoreFacts("7.0.15", 100, 1000, "noeviction", log_on=True, saves=True, last_save_at=NOW, unsettled=0)
PAUSED_QUEUE = PausedQueueRow(queue="default", by="alice", at=datetime.fromtimestamp(NOW, UTC))
MAINTENANCE = MaintenanceRow(by="root", at=PAUSED_QUEUE.at, reason="upgrade", queues=["default"])
WELL = Facts([QUEUE], [WORKER], [RECURRING], scheduler=True, panic="off", blocked_until=0.0, now=NOW, store=STORE)


def test_a_queue_that_was_paused_before_the_maintenance_is_told_of_beside_it():
    low = PAUSED_QUEUE.model_copy(update={"queue": "low"})
    found = find(replace(WELL, paused_queues=[PAUSED_QUEUE, low], maintenance=MAINTENANCE))
    assert [one.what.split(" since")[0] for one in found] == [
        "All work is paused for maintenance",
        "The queue low is paused",
    ]
    assert found[0].command == "mastowatch resume"


def test_says_so_when_all_is_well():
    assert find(WELL) == []
    assert headline([]) == "All is well."
    assert summary(WELL) == "No jobs waiting, 0 running, 1 worker."


@pytest.mark.parametrize(
    ("facts", "level", "says"),
    [
        (replace(WELL, panic="on since noon by root"), "bad", "on since noon by root"),
        (
            replace(WELL, dropped=[Dropped("casino", "20 reports", "breaker", NOW)]),
            "bad",
            "The rule casino was dropped",
        ),
        (replace(WELL, dropped=[Dropped("*", "60 reports", "breaker", NOW)]), "bad", "All reporting is paused: 60"),
        (replace(WELL, workers=[]), "bad", "No worker runs"),
        (replace(WELL, workers=[rehearsing_worker(True), rehearsing_worker(False)]), "bad", "Some workers rehearse"),
        (replace(WELL, scheduler=False), "bad", "No scheduler leads"),
        (replace(WELL, queues=[replace(QUEUE, depth=1, oldest_s=600.0)]), "bad", "waited 10 minutes"),
        (replace(WELL, recurring=[RECURRING.model_copy(update={"next_run_at": None})]), "bad", "not planned"),
        (replace(WELL, recurring=[RECURRING.model_copy(update={"last_status": "stopped"})]), "bad", "was stopped"),
        (replace(WELL, recurring=[PAUSED]), "note", "poll is paused"),
        (replace(WELL, blocked_until=NOW + 60), "note", "asked for a pause"),
        (replace(WELL, paused_queues=[PAUSED_QUEUE]), "note", "default is paused since 08:00 UTC by alice"),
        (
            replace(WELL, paused_queues=[PAUSED_QUEUE], maintenance=MAINTENANCE),
            "note",
            "All work is paused for maintenance since 08:00 UTC by root: upgrade.",
        ),
        (
            replace(WELL, paused_queues=[PAUSED_QUEUE], queues=[replace(QUEUE, depth=1, oldest_s=600.0)]),
            "note",
            "its jobs wait",
        ),
        (replace(WELL, held=3), "note", "3 accounts are kept from being reported"),
        (replace(WELL, rehearsing_by="alice"), "note", "alice has switched the dry run on"),
        (replace(WELL, store=replace(STORE, log_on=False)), "note", "snapshots only"),
        (replace(WELL, store=replace(STORE, saves=False)), "bad", "could not write to its disk"),
        (replace(WELL, store=replace(STORE, used=950)), "bad", "used 95% of its memory; when that is full it refuses"),
        (replace(WELL, store=replace(STORE, used=950, policy="allkeys-lru")), "bad", "it throws jobs away"),
        (replace(WELL, store=replace(STORE, policy="volatile-lru")), "note", "would throw jobs away"),
        (replace(WELL, store=replace(STORE, unsettled=1)), "bad", "One job of a dead worker is set aside"),
        (replace(WELL, queues=[replace(QUEUE, failed=1)]), "note", "One failed job is"),
    ],
)
def test_finds_each_trouble_and_says_what_to_do(facts, level, says):
    (found,) = find(facts)
    assert found.level == level
    assert says in found.what
    assert found.todo


@pytest.mark.parametrize(
    "found", [{"saves": False}, {"used": 950}, {"policy": "volatile-lru"}, {"unsettled": 1}, {"log_on": False}]
)
def test_no_command_about_redis_reaches_another_redis_than_ours(found):
    """``redis-cli`` alone asks the one on port 6379, Mastodon's, also where ours is the private one behind a socket."""
    (told,) = find(replace(WELL, store=replace(STORE, **found)))
    assert re.fullmatch(r"mastowatch doctor --check [a-z-]+", told.command)
    assert told.command.split()[-1] in NAMES


def test_a_redis_without_a_limit_throws_nothing_away():
    assert find(replace(WELL, store=replace(STORE, limit=0, policy="allkeys-lru"))) == []


def test_puts_what_is_bad_before_what_is_worth_a_note():
    found = find(replace(WELL, workers=[], queues=[replace(QUEUE, failed=2)]))
    assert [finding.level for finding in found] == ["bad", "note"]
    assert headline(found) == "One thing needs you."


@pytest.mark.parametrize(
    ("known", "default", "told"),
    [
        ([True], False, "on"),
        ([False], True, "off"),
        ([True, False], True, "mixed"),
        ([None], True, "on"),
        ([], False, "off"),
    ],
)
def test_whether_it_rehearses_is_what_the_workers_say(known, default, told):
    assert rehearsing([rehearsing_worker(one) for one in known], default=default) == told


def test_a_wave_that_drops_many_rules_is_one_thing_and_names_them_all():
    dropped = [Dropped("*", "60 reports", "breaker", NOW)]
    dropped += [Dropped(f"rule-{one}", f"{one} reports", "breaker", NOW - one) for one in range(4)]
    paused, rules = find(replace(WELL, dropped=dropped))
    assert (paused.what, paused.command) == ("All reporting is paused: 60 reports.", "mastowatch rules arm all")
    assert rules.what.startswith("4 rules were dropped to shadow: rule-0, rule-1, rule-2, rule-3.")
    assert rules.what.endswith("The latest, rule-0: 0 reports.")
    assert len(find(replace(WELL, dropped=dropped[:4]))) == 4
