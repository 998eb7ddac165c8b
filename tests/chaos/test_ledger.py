"""What the ledger takes for a fault, and what it lets pass."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.chaos.ledger import Evidence, Execution, Fault, Hit, JobState, Kind, Verdict, judge, phases

DONE = JobState("a", "high", "finished")
ONCE = Execution("a", "w0.1", 10, 1.0, 1.1, 1.2)
AGAIN = Execution("a", "w1.1", 20, 5.0, 5.1, 5.2)
KILL = Hit(Kind.KILL_PARENT, "w0.1", None, 1.15, 1.16)


def judged(
    *executions: Execution,
    job: JobState = DONE,
    hits: Sequence[Hit] = (),
    may_interrupt: bool = True,
    leftovers: Sequence[str] = (),
    remarks: Sequence[str] = (),
) -> Verdict:
    evidence = Evidence([job], executions, hits, leftovers, remarks)
    return judge(evidence, may_interrupt=may_interrupt)


def found(verdict: Verdict) -> set[Fault]:
    return {fault for fault, what in verdict.faults.items() if what}


def test_a_job_that_ran_once_and_finished_is_no_fault():
    assert judged(ONCE).clean
    assert judged(ONCE).explained == []


@pytest.mark.parametrize(
    ("job", "fault"),
    [
        (JobState("a", "high", "queued"), Fault.LOST),
        (JobState("a", "high", "no record"), Fault.LOST),
        (JobState("a", "high", "started", ("rq:wip:high",)), Fault.STUCK),
        (JobState("a", "high", "queued", ("rq:queue:high",)), Fault.STUCK),
        (JobState("a", "high", "failed", ("rq:failed:high",)), Fault.FAILED),
    ],
)
def test_a_job_that_is_not_finished_is_lost_stuck_or_failed(job: JobState, fault: Fault):
    assert judged(ONCE, job=job).faults[fault] == ["a"]
    assert found(judged(job=job)) == {fault}


def test_a_job_that_finished_without_its_effect_is_a_fault():
    assert found(judged()) == {Fault.NO_EFFECT}
    assert found(judged(Execution("a", "w0.1", 10, 1.0))) == {Fault.NO_EFFECT}


@pytest.mark.parametrize(
    "hit",
    [
        KILL,
        Hit(Kind.KILL_HORSE, "w0.1", 10, 1.15, 1.16),
        Hit(Kind.STOP_BOTH, "w0.1", None, 0.9, 4.0),
        Hit(Kind.STOP_HORSE, "w0.1", 10, 1.15, None),
        Hit(Kind.TERM_AGAIN, "w0.1", None, 1.15, 1.16),
        Hit(Kind.REDIS, "", None, 1.15, 2.0),
    ],
    ids=lambda hit: hit.kind,
)
def test_a_job_may_run_twice_if_a_hit_on_the_process_that_ran_it_cut_it_short(hit: Hit):
    verdict = judged(ONCE, AGAIN, hits=[hit])
    assert verdict.clean
    assert verdict.explained == ["a"]


@pytest.mark.parametrize(
    "hit",
    [
        Hit(Kind.TERM, "w0.1", None, 1.15, 1.3),
        Hit(Kind.KILL_PARENT, "w1.1", None, 1.15, 1.16),
        Hit(Kind.KILL_HORSE, "w0.1", 11, 1.15, 1.16),
        Hit(Kind.KILL_PARENT, "w0.1", None, 0.5, 0.6),
        Hit(Kind.KILL_PARENT, "w0.1", None, 5.05, 5.06),
        Hit(Kind.KILL_PARENT, "w0.1", None, 60.0, 60.1),
    ],
    ids=[
        "a first SIGTERM",
        "another worker",
        "another horse",
        "before the effect",
        "after it began again",
        "much later",
    ],
)
def test_no_other_hit_explains_that_it_ran_twice(hit: Hit):
    assert found(judged(ONCE, AGAIN, hits=[hit])) == {Fault.TWICE}
    assert judged(ONCE, AGAIN, hits=[hit]).explained == []


def test_each_of_three_runs_needs_a_hit_of_its_own():
    third = Execution("a", "w2.1", 30, 9.0, 9.1, 9.2)
    assert found(judged(ONCE, AGAIN, third, hits=[KILL])) == {Fault.TWICE}
    assert judged(ONCE, AGAIN, third, hits=[KILL, Hit(Kind.KILL_HORSE, "w1.1", 20, 5.15, 5.16)]).clean


def test_a_job_begun_again_without_a_hit_is_a_fault_even_if_it_had_no_effect_yet():
    begun = Execution("a", "w0.1", 10, 1.0)
    assert found(judged(begun, AGAIN)) == {Fault.BEGUN_AGAIN}
    assert judged(begun, AGAIN, hits=[Hit(Kind.KILL_HORSE, "w0.1", 10, 1.05, 1.06)]).clean


def test_two_successes_are_a_fault_unless_redis_died_and_left_the_worker_in_doubt():
    job = JobState("a", "high", "finished", successes=2)
    assert found(judged(ONCE, AGAIN, job=job, hits=[KILL])) == {Fault.FINISHED_TWICE}
    assert judged(ONCE, AGAIN, job=job, hits=[Hit(Kind.REDIS, "", None, 1.15, 2.0)]).clean


def test_where_nothing_may_be_interrupted_each_run_must_come_to_its_end():
    cut = Execution("a", "w0.1", 10, 1.0, 1.1)
    assert found(judged(cut, may_interrupt=False)) == {Fault.INTERRUPTED}
    assert judged(cut).clean
    assert judged(ONCE, may_interrupt=False).clean


def test_what_is_left_over_and_what_was_remarked_are_faults():
    assert found(judged(ONCE, leftovers=["rq:wip:high"])) == {Fault.LEFT_OVER}
    assert found(judged(ONCE, remarks=["w0.1 ended by itself"])) == {Fault.REMARK}


def test_the_slowest_return_counts_from_when_the_process_had_gone():
    assert judged(ONCE, AGAIN, hits=[KILL]).slowest_return == (pytest.approx(5.0 - 1.16), "a")


def test_hits_are_counted_by_where_in_a_job_they_fell():
    hits = [
        Hit(Kind.KILL_HORSE, "w0.1", 10, 1.05),
        KILL,
        Hit(Kind.TERM, "w0.1", None, 3.0),
        Hit(Kind.TERM, "w9.9", None, 1.05),
        Hit(Kind.REDIS, "", None, 1.05),
    ]
    assert phases(Evidence([DONE], [ONCE], hits)) == {"before the effect": 1, "after the effect": 1, "between jobs": 2}
