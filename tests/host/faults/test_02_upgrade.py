"""An upgrade while people ask and jobs run: nobody is refused, nothing is lost, the admin's files stay."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import socket
import threading
import time
from dataclasses import dataclass, field

import pytest
import requests

from tests.host.debs import LATER, OLDER, OTHER_LINE
from tests.host.suite import ANSWER_S, API, DONE_S, ENV_FILE, KEY_FILE, SCHEDULER, SERVICES, SOCKET, WORKER
from tests.host.waiting import wait

RULE = "/etc/mastowatch/rules.d/casino-words.toml"
KEEP = "-oDpkg::Options::=--force-confold"
# What is logged when a job's process ends otherwise than by itself, or its job comes to another.
HARM = {"horse_killed", "horse_died", "job_recovered", "job_lost_to_another_worker"}
PAUSE_S = 0.1  # between two requests of one asker: a busy admin, not a benchmark


class OverSocket(http.client.HTTPConnection):
    """HTTP over the API's unix socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=ANSWER_S)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(ANSWER_S)
        self.sock.connect(self.path)


@dataclass
class Load:
    """People who ask without a break, and jobs that come in; ``answers`` by status, refused ones as "refused"."""

    suite: object
    answers: list[object] = field(default_factory=list)
    jobs: list[str] = field(default_factory=list)

    def __enter__(self):
        self._end, self._threads = threading.Event(), []
        return self

    def begin(self):
        askers = (self._over_tcp, self._over_tcp, self._over_socket, self._submit)
        self._threads = [threading.Thread(target=self._repeat, args=(asker(),)) for asker in askers]
        for thread in self._threads:
            thread.start()

    def __exit__(self, *_):
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _repeat(self, ask):
        while not self._end.wait(PAUSE_S):
            try:
                self.answers.append(ask())
            except (OSError, http.client.HTTPException) as error:
                self.answers.append(f"refused: {error!r}")

    def _over_tcp(self):
        key = {"Authorization": f"Bearer {self.suite.key}"}
        return lambda: requests.get(f"{API}/jobs/queues", headers=key, timeout=ANSWER_S).status_code

    def _over_socket(self):
        path = self.suite.host.path(SOCKET)

        def ask():
            with contextlib.closing(OverSocket(path)) as connection:
                connection.request("GET", "/jobs/workers")
                return connection.getresponse().status

        return ask

    def _submit(self):
        posts = itertools.cycle(self.suite.posts)

        def ask():
            self._end.wait(4 * PAUSE_S)  # jobs that take longer to run than to ask for
            answer = self.suite.api("/jobs/trigger/process_new_status", "POST", json={"status_id": next(posts)})
            if answer.status_code == 202:
                self.jobs.append(answer.json()["id"])
            # 409: the same post is being looked at still.
            return 200 if answer.status_code in (202, 409) else answer.status_code

        return ask


@pytest.fixture(scope="module")
def upgrade(suite, older, measured):
    """Upgrade under load; returns (load, the job that was running, pids before, a place in the journal)."""
    place, before = suite.now(), suite.pids()
    with suite.paused(), Load(suite) as load:
        running = suite.running_page(1, seconds=3.0)
        load.begin()
        wait(lambda: len(load.answers) > 20, 60, "the load is on")
        began = time.monotonic()
        suite.install("deb", KEEP)
        took = time.monotonic() - began
        wait(lambda: all(suite.ready_again(unit, before[unit][0]) for unit in SERVICES), 120, "all run the new version")
        asked = len(load.answers)
        wait(lambda: len(load.answers) > asked + 20, 60, "requests are answered after it")
    refused = [one for one in load.answers if one != 200]
    measured("upgrade under load", f"{took:.0f} s")
    measured("  requests answered, refused", f"{len(load.answers) - len(refused)}, {len(refused)}")
    return load, running, place


def test_no_request_is_refused(upgrade):
    load, _, _ = upgrade
    assert [one for one in load.answers if one != 200] == []


def test_no_job_is_lost(suite, upgrade, measured):
    load, _, _ = upgrade
    accepted = set(load.jobs)
    assert accepted
    wait(lambda: not suite.unfinished(accepted), DONE_S, "all accepted jobs are finished")
    measured("  jobs accepted, lost", f"{len(accepted)}, 0")


def test_the_job_that_ran_was_finished_by_the_old_version(suite, upgrade):
    _, running, place = upgrade
    job = suite.job(running)
    assert job["status"] == "finished"
    assert len(job["attempts"]) == 1
    assert not HARM & set(suite.events(place, WORKER))


def test_the_new_version_runs_and_nothing_failed(suite, upgrade):
    assert suite.host.run("mastowatch", "--version").out == "mastowatch 0.1.0\n"
    assert suite.all_active()
    assert suite.failed() == []
    assert suite.host.run("dpkg", "-V", "mastowatch").out.split() in ([], ["??5??????", "c", ENV_FILE])


def test_an_admins_edit_stays_and_the_new_default_is_offered(suite, older, upgrade):
    _, settings = older
    assert suite.host.path(ENV_FILE).read_text() == settings
    assert suite.host.path(f"{ENV_FILE}.dpkg-dist").exists()
    assert OTHER_LINE.format(OLDER) not in suite.host.path(f"{ENV_FILE}.dpkg-dist").read_text()


def test_a_file_that_nobody_edited_is_the_new_one(suite, upgrade):
    assert OTHER_LINE.format(OLDER) not in suite.host.path(RULE).read_text()


def test_secrets_stay(suite, older, upgrade):
    key, _ = older
    assert suite.host.path(KEY_FILE).read_text() == key


def test_a_later_version_comes_and_this_one_comes_back(suite, upgrade):
    """A downgrade to a version that knows the layout in Redis works like an upgrade."""
    suite.install("later", KEEP)
    assert suite.host.run("mastowatch", "--version").out.split()[1] == LATER
    done = suite.install("deb", KEEP, "--allow-downgrades")
    assert suite.host.run("mastowatch", "--version").out == "mastowatch 0.1.0\n", done.out
    wait(suite.all_active, 120, "all units are active")
    wait(suite.works(), 60, "work goes on")
    assert suite.failed() == []


def test_a_downgrade_to_one_that_does_not_know_the_layout_is_refused_with_a_reason(suite, upgrade):
    before = suite.pids()
    done = suite.install("older", KEEP, "--allow-downgrades", check=False)
    assert done.status != 0
    assert "layout" in done.out + done.err
    assert suite.host.run("mastowatch", "--version").out == "mastowatch 0.1.0\n"
    assert suite.host.sh("dpkg-query -W -f '${Status} ${Version}' mastowatch") == "install ok installed 0.1.0"
    wait(suite.all_active, 120, "all units are active")
    assert suite.failed() == []
    assert suite.pids() == before


def test_a_newer_layout_in_redis_is_told_of_and_left_alone(suite, upgrade):
    place = suite.now()
    with suite.redis() as redis:
        known = redis.get("mastowatch:layout")
        redis.set("mastowatch:layout", int(known) + 1)
        try:
            done = suite.systemctl("restart", SCHEDULER, check=False)
            assert done.status != 0
            assert suite.show(SCHEDULER, "ExecMainStatus", "NRestarts") == {"ExecMainStatus": "2", "NRestarts": "0"}
            told = suite.lines(place, SCHEDULER, "-p", "err")
            assert [line["event"] for line in told] == ["not_usable"]
            assert "layout" in told[0]["error"]
            assert redis.get("mastowatch:layout") == str(int(known) + 1)
        finally:
            redis.set("mastowatch:layout", known)
    suite.systemctl("restart", *SERVICES)
    wait(suite.works(), 60, "work goes on")
