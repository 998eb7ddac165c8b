"""Jobs that do to their process what no job should. The record says what happened, and the worker goes on."""

from __future__ import annotations

import asyncio
import ctypes
import faulthandler
import itertools
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
from redis import Redis
from rq.job import Retry, get_current_job

from mastowatch.reliable.ending import TEXT_MAX
from mastowatch.reliable.keeper import _resident_mib
from mastowatch.reliable.serializer import JsonJob, JsonQueue
from mastowatch.reliable.worker import WORDS_MAX, ReliableWorker
from tests.both_engines import OURS, running
from tests.both_engines import run as run_engine
from tests.engine import FORK, expire_registration, gone, leftovers, pid, start, wait, work

pytestmark = pytest.mark.redis

MIB = 2**20


# --- helpers ---------------------------------------------------------------------------------------------


@pytest.fixture
def queue(redis: Redis) -> JsonQueue:
    return JsonQueue("default", connection=redis)


def run(queue: JsonQueue, func: Callable[..., Any], *args: Any, **options: Any) -> JsonJob:
    """Run one nasty job, and behind it on the same worker one that must not notice."""
    worker_options = {name: options.pop(name) for name in ("grace_s", "horse_mib") if name in options}
    redis = queue.connection
    job = queue.enqueue(func, *args, **options)
    following = queue.enqueue(surroundings)
    run_engine(OURS, redis, **worker_options)
    assert following.get_status(refresh=True) == "finished", following.latest_result().exc_string
    assert following.return_value() == surroundings(), "the next job finds the process as it should be"
    assert leftovers(redis) == []
    assert redis.smembers("rq:takers") == set()
    return job


def status(job: JsonJob) -> str:
    return job.get_status(refresh=True).value


def words(job: JsonJob) -> str:
    return job.latest_result().exc_string


def surroundings() -> dict[str, Any]:
    """What a job finds around it."""
    umask = os.umask(0)
    os.umask(umask)
    # Proves that a subprocess's end can be seen, and that files can be opened.
    ended = subprocess.run([sys.executable, "-S", "-c", "raise SystemExit(5)"], check=False).returncode
    return {
        "cwd": str(Path.cwd()),
        "umask": umask,
        "blocked": [int(one) for one in signal.pthread_sigmask(signal.SIG_BLOCK, ())],
        "recursion limit": sys.getrecursionlimit(),
        "memory": list(resource.getrlimit(resource.RLIMIT_AS)),
        "files": list(resource.getrlimit(resource.RLIMIT_NOFILE)),
        "ended": ended,
        "timers": [signal.getitimer(one)[0] for one in (signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)],
        "nice": os.nice(0),
    }


def note(text: str) -> None:
    get_current_job().connection.rpush("notes", text)


def texts(redis: Redis) -> list[str]:
    return [raw.decode() for raw in redis.lrange("notes", 0, -1)]


def nap(seconds: float) -> None:
    time.sleep(seconds)


# --- ends of the process ---------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, 1, 3, 255])
def test_a_job_that_exits_fails_with_its_status(queue, code):
    job = run(queue, leave, code)
    assert status(job) == "failed"
    assert words(job) == f"Work-horse terminated unexpectedly: its process exited with status {code}."


def leave(code: int) -> None:
    os._exit(code)


def test_a_job_that_exits_is_tried_again_as_often_as_it_may(queue, redis):
    job = run(queue, note_and_leave, retry=Retry(max=2))
    assert status(job) == "failed"
    assert texts(redis) == ["x"] * 3
    assert [result.type.name for result in job.results()] == ["FAILED", "RETRIED", "RETRIED"]


def note_and_leave() -> None:
    note("x")
    os._exit(1)


@pytest.mark.parametrize("name", ["SystemExit", "KeyboardInterrupt", "BaseException", "GeneratorExit"])
def test_a_job_that_raises_what_ends_programs_just_fails(queue, name):
    job = run(queue, raise_by_name, name)
    assert status(job) == "failed"
    assert f"{name}: 3" in words(job)
    assert "Traceback" in words(job)


def raise_by_name(name: str) -> None:
    raise {
        "SystemExit": SystemExit,
        "KeyboardInterrupt": KeyboardInterrupt,
        "BaseException": BaseException,
        "GeneratorExit": GeneratorExit,
    }[name](3)


def test_a_job_that_cancels_itself_as_a_task_just_fails(queue):
    job = run(queue, cancel_itself)
    assert status(job) == "failed"
    assert "CancelledError" in words(job)


async def cancel_itself() -> None:
    asyncio.current_task().cancel()
    await asyncio.sleep(1)


@pytest.mark.parametrize("name", ["SIGKILL", "SIGSEGV", "SIGABRT", "SIGUSR2", "SIGALRM"])
def test_a_job_killed_by_a_signal_fails_with_its_name(queue, name):
    job = run(queue, kill_itself, name)
    assert status(job) == "failed"
    number = signal.Signals[name].value
    if name == "SIGALRM":
        assert "JobTimeoutException" in words(job), "which is how RQ ends a job in time"
    else:
        assert f"its process was killed by signal {number} ({name})" in words(job)


def kill_itself(name: str) -> None:
    faulthandler.disable()
    os.kill(os.getpid(), signal.Signals[name])
    time.sleep(5)


def test_a_job_that_reads_memory_that_is_not_there_fails(queue):
    job = run(queue, read_nowhere)
    assert "signal 11 (SIGSEGV)" in words(job)


def read_nowhere() -> None:
    faulthandler.disable()
    ctypes.string_at(0)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_signals_that_are_meant_for_the_worker_do_not_end_a_job(queue, name):
    job = run(queue, survive, name)
    assert (status(job), job.return_value()) == ("finished", "alive")


def survive(name: str) -> str:
    os.kill(os.getpid(), signal.Signals[name])
    time.sleep(0.05)
    return "alive"


# --- memory ----------------------------------------------------------------------------------------------


def test_a_job_that_takes_all_memory_is_killed_and_the_record_tells_how_much_it_may(queue):
    mib = int(_resident_mib(os.getpid())) + 64  # a horse begins with what this process has
    job = run(queue, take_memory, horse_mib=mib)
    assert status(job) == "failed"
    assert words(job) == f"Work-horse terminated unexpectedly: its process passed {2 * mib} MiB of memory."


def take_memory() -> None:
    held = []
    while True:
        held.append(bytearray(b"x") * (16 * MIB))
        time.sleep(0.01)


def test_a_job_that_gets_no_more_memory_fails(queue):
    job = run(queue, exceed_memory_limit)
    assert status(job) == "failed"
    assert "MemoryError" in words(job)


def exceed_memory_limit() -> None:
    size = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (size + 50 * MIB, resource.RLIM_INFINITY))
    held = []
    while True:
        held.append(bytearray(10 * MIB))


# --- limits of time --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "how", ["in C", "signals blocked", "alarm ignored", "swallowed", "in another group", "stopped"]
)
def test_a_job_that_no_alarm_ends_is_killed_after_its_limit_and_grace(queue, how):
    job = run(queue, hang, how, job_timeout=1, grace_s=0.3)
    assert status(job) == "failed"
    assert "it passed its limit of 1 s and heard no signal for" in words(job)


def hang(how: str) -> NoReturn:
    if how == "in C":
        sum(itertools.repeat(0))  # holds the lock of the interpreter, and never looks for signals
    if how in ("signals blocked", "in another group"):
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    if how == "in another group":
        os.setpgid(0, os.getpgid(os.getppid()))
    if how == "alarm ignored":
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
    if how == "stopped":
        os.kill(os.getpid(), signal.SIGSTOP)
    while True:
        try:
            time.sleep(60)
        except BaseException:  # noqa: BLE001 -- what is tested
            time.sleep(0)


def test_a_job_that_swallows_its_timeout_and_ends_in_time_has_ended(queue):
    job = run(queue, swallow_once, job_timeout=1)
    assert (status(job), job.return_value()) == ("finished", "late")


def swallow_once() -> str:
    try:
        time.sleep(30)
    except BaseException:  # noqa: BLE001 -- what is tested
        return "late"
    return "never"


@pytest.mark.parametrize("how", ["blocked", "ignored", "turned off"])
def test_a_job_that_turns_the_alarm_off_does_not_take_it_from_the_next_one(queue, how):
    first = queue.enqueue(turn_alarm_off, how)
    job = run(queue, nap, 30, job_timeout=1)
    assert status(first) == "finished"
    assert "JobTimeoutException" in words(job)


def turn_alarm_off(how: str) -> None:
    if how == "blocked":
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
    elif how == "ignored":
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
    else:
        signal.alarm(0)


# --- other processes and threads -------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["returns", "raises", "exits", "exits at once"])
def test_a_child_that_comes_out_of_the_job_is_no_second_horse(queue, redis, how):
    job = run(queue, fork_and_come_out, how)
    assert (status(job), job.return_value()) == ("finished", "parent")
    assert [result.type.name for result in job.results()] == ["SUCCESSFUL"]
    assert redis.hgetall("rq:totals") == {b"default:finished": b"2"}


def fork_and_come_out(how: str) -> str:
    child = os.fork()
    if child == 0:
        if how == "raises":
            raise RuntimeError("in the child")
        if how == "exits":
            sys.exit(3)
        if how == "exits at once":
            os._exit(3)
        return "child"
    os.waitpid(child, 0)
    return "parent"


def test_a_child_that_comes_out_of_the_job_long_after_its_end_is_none_either(queue, redis):
    job = queue.enqueue(fork_and_come_out_late)
    waiting = queue.enqueue(nap, 0.6)
    run(queue, nap, 0.01)
    assert (status(job), job.return_value(), status(waiting)) == ("finished", "parent", "finished")
    assert redis.hget("rq:totals", "default:finished") == b"4"


def fork_and_come_out_late() -> str:
    if os.fork() == 0:
        time.sleep(0.3)
        return "child"
    return "parent"


def test_a_child_that_lives_on_ends_with_its_horse(queue):
    job = run(queue, leave_a_child)
    wait(lambda: gone(job.return_value()))  # it would live for ten minutes


def leave_a_child() -> int:
    child = os.fork()
    if child == 0:
        time.sleep(600)
        os._exit(0)
    return child


def test_a_child_that_lives_on_does_not_keep_a_horse_from_being_replaced(queue):
    job = run(queue, leave_a_child_and_the_process)
    assert status(job) == "failed"
    assert "status 3" in words(job)


def leave_a_child_and_the_process() -> None:
    leave_a_child()
    os._exit(3)


@pytest.mark.parametrize("daemon", [True, False])
def test_a_thread_that_never_ends_ends_with_its_horse(queue, daemon):
    job = run(queue, start_thread, daemon)
    assert status(job) == "finished"


def start_thread(daemon: bool) -> None:  # noqa: FBT001 -- a job's argument
    threading.Thread(target=time.sleep, args=(600,), daemon=daemon).start()


def test_a_thread_that_raises_changes_nothing(queue):
    job = run(queue, raise_in_thread)
    assert status(job) == "finished"


def raise_in_thread() -> None:
    thread = threading.Thread(target=raise_by_name, args=("SystemExit",))
    thread.start()
    thread.join()


def test_a_horse_leads_its_group_so_that_no_job_can_become_its_session_s_leader(queue):
    job = run(queue, os.setsid)
    assert status(job) == "failed"
    assert "PermissionError" in words(job)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_job_that_tells_its_worker_s_whole_group_to_stop_is_finished_before(redis, queue, redis_server, name):
    job, following = queue.enqueue(signal_the_parents_group, name), queue.enqueue(pid)
    process = FORK.Process(target=work_in_a_group, args=(redis_server,))
    process.start()
    process.join(60)
    assert process.exitcode == 0
    assert (status(job), status(following)) == ("finished", "queued")
    assert leftovers(redis) == []


def test_a_job_that_kills_its_worker_s_whole_group_is_brought_back_by_another(redis, queue, redis_server):
    job, following = queue.enqueue(signal_the_parents_group, "SIGKILL"), queue.enqueue(pid)
    process = FORK.Process(target=work_in_a_group, args=(redis_server,))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    expire_registration(redis)
    other = start(redis_server, ["default"])
    wait(lambda: status(job) == "failed" and status(following) == "finished")
    other.terminate()
    other.join(60)
    assert "Its worker " in words(job)
    assert leftovers(redis) == []


def work_in_a_group(url: str) -> None:
    os.setpgrp()
    work(url, ["default"], ReliableWorker, {})


def signal_the_parents_group(name: str) -> None:
    os.killpg(os.getpgid(os.getppid()), signal.Signals[name])
    time.sleep(1.0)  # until the worker has heard, for which there is no sign


# --- files -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [0, 3])
@pytest.mark.parametrize("others", ["", "files", "sockets", "pipes"])
def test_a_job_that_closes_all_files_has_ended_all_the_same(queue, redis, first, others):
    before = queue.enqueue(pid)
    job = run(queue, close_files, first, others)
    assert (status(job), job.return_value()) == ("finished", "done")
    after = queue.enqueue(pid)
    run(queue, pid)
    assert status(before) == status(after) == "finished"


_HELD: list[Any] = []


def close_files(first: int, others: str) -> str:
    os.closerange(first, 1000)
    for _ in range(50):
        if others == "files":
            _HELD.append(os.open("/dev/null", os.O_RDWR))
        elif others == "sockets":
            _HELD.append(socket.socketpair())
        elif others == "pipes":
            _HELD.append(os.pipe())
    return "done"


def test_a_job_that_closes_all_files_and_fails_has_its_error_recorded(queue):
    job = run(queue, close_files_and_fail)
    assert status(job) == "failed"
    assert "RuntimeError: after closing" in words(job)


def close_files_and_fail() -> None:
    os.closerange(0, 1000)
    raise RuntimeError("after closing")


def test_a_job_that_leaves_no_file_to_open_has_ended_all_the_same(queue):
    job = run(queue, open_all_files)
    assert (status(job), job.return_value()) == ("finished", "no more")


def open_all_files() -> str:
    try:
        while True:
            _HELD.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        return "no more"


def test_a_job_that_prints_megabytes_is_a_job_like_any_other(queue):
    job = run(queue, print_much)
    assert status(job) == "finished"


def print_much() -> None:
    for _ in range(50):
        print("x" * 100_000)
        print("x" * 100_000, file=sys.stderr)


@pytest.mark.parametrize("value", [None, "closed"])
def test_a_job_that_takes_the_streams_away_has_ended_all_the_same(queue, value):
    job = run(queue, take_streams, value)
    assert status(job) == "failed"
    assert "RuntimeError: silent" in words(job)


def take_streams(value: str | None) -> None:
    if value == "closed":
        sys.stdout.close()
        sys.stderr.close()
    else:
        sys.stdout = sys.stderr = None
    raise RuntimeError("silent")


# --- what a process has only once ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "what", ["cwd", "cwd is gone", "umask", "signals", "recursion", "memory", "files", "timer", "nice"]
)
def test_a_job_that_changes_its_process_does_not_change_the_next_one_s(queue, what, tmp_path):
    job = run(queue, change_process, what, str(tmp_path))
    assert (status(job), job.return_value()) == ("finished", "changed")


def change_process(what: str, directory: str) -> str:
    if what in ("cwd", "cwd is gone"):
        place = Path(directory, "x")
        place.mkdir()
        os.chdir(place)
        if what == "cwd is gone":
            place.rmdir()
    elif what == "umask":
        os.umask(0o777)
    elif what == "signals":
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    elif what == "recursion":
        sys.setrecursionlimit(5000)
    elif what == "memory":
        resource.setrlimit(resource.RLIMIT_AS, (2**33, resource.RLIM_INFINITY))
    elif what == "files":
        resource.setrlimit(resource.RLIMIT_NOFILE, (5, 5))
    elif what == "timer":
        signal.setitimer(signal.ITIMER_PROF, 5.0)
    elif what == "nice":
        os.nice(1)
    return "changed"


def test_a_job_that_leaves_hardly_any_stack_has_ended_all_the_same(queue):
    job = run(queue, leave_no_stack)
    assert (status(job), job.return_value()) == ("finished", "done")


def leave_no_stack() -> str:
    limit = 1
    while True:
        try:
            sys.setrecursionlimit(limit)
        except RecursionError:
            limit += 1
        else:
            sys.setrecursionlimit(limit + 10)
            return "done"


def test_a_job_that_calls_itself_without_end_fails(queue):
    job = run(queue, call_itself)
    assert status(job) == "failed"
    assert "RecursionError" in words(job)


def call_itself() -> None:
    call_itself()


def test_a_job_whose_stack_overflows_fails(queue):
    job = run(queue, overflow_the_stack)
    assert status(job) == "failed"
    assert "signal 11 (SIGSEGV)" in words(job)


class Bottomless:
    def __getattr__(self, name: str) -> Any:
        return getattr(self, name)


def overflow_the_stack() -> None:
    faulthandler.disable()
    sys.setrecursionlimit(10**8)
    Bottomless().deep  # noqa: B018 -- what is tested


# --- its own record --------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["delete", "raw", "delete and fail", "delete and die", "raw and die", "delete and ask"])
def test_a_job_that_deletes_its_own_record_leaves_nothing(queue, redis, how):
    job = run(queue, delete_itself, how, job_id="deleted")
    assert job.id == "deleted"
    assert redis.keys("*deleted*") == []
    assert redis.zcard("rq:failed:default") == 0


def delete_itself(how: str) -> Any:
    job = get_current_job()
    if how.startswith("raw"):
        job.connection.delete(job.key)
    else:
        job.delete()
    if how.endswith("fail"):
        raise RuntimeError("deleted")
    if how.endswith("die"):
        os._exit(1)
    return Retry(max=3) if how.endswith("ask") else "done"


def test_a_job_that_enqueues_itself_anew_runs_anew(queue, redis):
    run(queue, enqueue_itself, job_id="same")
    assert texts(redis) == ["1", "2", "3"]
    assert JsonJob.fetch("same", connection=redis).return_value() == 3


def enqueue_itself() -> int:
    job = get_current_job()
    tries = job.connection.incr("tries")
    note(str(tries))
    if tries < 3:
        JsonQueue("default", connection=job.connection).enqueue(enqueue_itself, job_id=job.id)
    return tries


def test_a_job_that_empties_its_queue_has_ended_all_the_same(queue, redis):
    job = queue.enqueue(empty_queue)
    queue.enqueue(note, "never")
    run_engine(OURS, redis)
    assert (status(job), texts(redis), leftovers(redis)) == ("finished", [], [])


def empty_queue() -> None:
    JsonQueue("default", connection=get_current_job().connection).empty()


# --- what can't be written down --------------------------------------------------------------------------


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise ValueError("no words")


class Deadly(Exception):
    def __str__(self) -> str:
        raise SystemExit(9)


class Wordless(Exception):
    def __str__(self) -> str:
        return 5


class Clinging(Exception):
    """Has a cause of its own making each time that it is asked."""

    @property
    def __notes__(self) -> Any:
        raise RuntimeError("no notes")


@pytest.mark.parametrize("kind", [Unspeakable, Deadly, Wordless, Clinging])
def test_an_error_that_can_not_be_printed_is_recorded_by_its_name(queue, kind):
    job = run(queue, raise_kind, kind.__name__)
    assert status(job) == "failed"
    assert kind.__name__ in words(job)
    assert "raise_kind" in words(job), "the traceback is there"


def raise_kind(name: str) -> None:
    raise globals()[name]("x")


def test_an_error_with_what_is_no_text_is_recorded(queue):
    job = run(queue, raise_surrogates)
    assert status(job) == "failed"
    assert "RuntimeError: \\udc80" in words(job)


def raise_surrogates() -> None:
    raise RuntimeError("\udc80\x00\x1b[31m")


def test_an_error_of_50_mb_is_recorded_without_its_middle(queue):
    job = run(queue, raise_much)
    assert status(job) == "failed"
    assert "Traceback" in words(job)
    assert "characters left out" in words(job)
    assert words(job).endswith("the end\n")
    assert len(words(job)) < TEXT_MAX + 100


def raise_much() -> None:
    raise RuntimeError("x" * 50_000_000 + "the end")


def test_the_journal_gets_the_beginning_of_a_long_error(redis, queue, caplog):
    error = RuntimeError("x" * 1_000_000)
    ReliableWorker(["default"], connection=redis).handle_exception(queue.enqueue(pid), RuntimeError, error, None)
    assert len(caplog.records[-1].error) < WORDS_MAX + 50


def test_a_chain_of_errors_without_end_is_recorded(queue):
    job = run(queue, raise_chain)
    assert status(job) == "failed"
    assert "RuntimeError: 2999" in words(job)


def raise_chain() -> None:
    error: Exception | None = None
    for number in range(3000):
        try:
            raise RuntimeError(str(number)) from error  # noqa: TRY301 -- it needs a traceback
        except RuntimeError as caught:
            error = caught
    raise error


def test_errors_in_groups_in_groups_are_recorded(queue):
    job = run(queue, raise_groups)
    assert status(job) == "failed"
    assert "RuntimeError: inner" in words(job) or "ExceptionGroup" in words(job)


def raise_groups() -> None:
    error: Exception = RuntimeError("inner")
    for _ in range(3000):
        error = ExceptionGroup("g", [error])
    raise error


@pytest.mark.parametrize("what", ["object", "bytes", "circle", "depth", "key", "deadly"])
def test_what_has_no_json_form_is_replaced_by_a_note_that_says_so(queue, what):
    job = run(queue, return_what, what)
    assert status(job) == "finished"
    assert job.return_value() == "Unserializable return value"


class DeadlyDict(dict):
    def items(self) -> Any:
        raise SystemExit(9)

    def __iter__(self) -> Any:
        raise SystemExit(9)


def return_what(what: str) -> Any:
    circle: list[Any] = []
    circle.append(circle)
    depth: list[Any] = []
    for _ in range(100_000):
        depth = [depth]
    found = {
        "object": object(),
        "bytes": b"x",
        "circle": circle,
        "depth": depth,
        "key": {(1, 2): 3},
        "deadly": DeadlyDict(a=1),
    }
    return found[what]


@pytest.mark.parametrize("value", ["\udc80", "x" * 5_000_000, [1.5, None, True, {"a": "\x00"}], {"a": [[]]}])
def test_what_has_a_json_form_is_returned_whole(queue, value):
    job = run(queue, return_json, json.dumps(value))
    assert job.return_value() == value


def return_json(text: str) -> Any:
    return json.loads(text)


def test_a_worker_runs_thirty_nasty_jobs_and_then_a_good_one(redis, queue, redis_server):
    kinds: list[tuple[Callable[..., Any], tuple[Any, ...]]] = [
        (leave, (1,)),
        (kill_itself, ("SIGKILL",)),
        (raise_by_name, ("SystemExit",)),
        (close_files, (0, "sockets")),
        (raise_kind, ("Deadly",)),
        (return_what, ("circle",)),
        (fork_and_come_out, ("raises",)),
        (start_thread, (False,)),
        (change_process, ("signals", "")),
        (call_itself, ()),
    ]
    jobs = [queue.enqueue(func, *args) for _ in range(3) for func, args in kinds]
    good = queue.enqueue(pid)
    with running(OURS, redis_server) as process:
        wait(lambda: status(good) == "finished", 240.0)  # nine horses die meanwhile
        assert process.is_alive()
    assert {status(job) for job in jobs} == {"failed", "finished"}
    assert leftovers(redis) == []
