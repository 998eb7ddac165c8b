"""Who may do what: by the command line, and on the dashboard for those who sign in by a password."""

from __future__ import annotations

import json
import re

import pytest
import requests

from tests.host.suite import ANSWER_S, API_UNIT, DASHBOARD, DASHBOARD_UNIT
from tests.host.waiting import wait

NAME = "robin"
PASSWORD = "correct horse of the dashboard"
PASSWORDS_FILE = "/etc/mastowatch/credentials/dashboard_passwords"


def command(suite, *words):
    return suite.host.run("mastowatch", *words).out


# --- the command line, over the units that run ---------------------------------------------------------------


def test_the_command_lists_what_the_api_lists(suite):
    named = {one["name"] for one in json.loads(command(suite, "jobs", "workers", "--json"))["workers"]}
    assert named == {one["name"] for one in suite.api("/jobs/workers").json()["workers"]}
    assert len(named) == 1
    assert named.pop() in command(suite, "jobs", "workers")


def test_a_job_is_triggered_by_the_command_and_shown_to_its_end(suite):
    with suite.paused():
        command(suite, "jobs", "trigger", "poll_admin_accounts")
        shown = ("jobs", "show", "poll_admin_accounts", "--json")
        wait(lambda: json.loads(command(suite, *shown))["status"] == "finished", 60, "the job is finished")


def test_dry_run_by_the_command_is_on_everywhere_at_once(suite):
    command(suite, "dry-run", "on")
    try:
        told = suite.api("/switches").json()["dry_run"]
        assert (told["on"], told["from_settings"], told["by"]) == (True, False, "root on the command line")
        assert "Dry run" in requests.get(f"{DASHBOARD}/switches", timeout=ANSWER_S).text
    finally:
        command(suite, "dry-run", "off")
    assert not suite.api("/switches").json()["dry_run"]["on"]


# --- the dashboard --------------------------------------------------------------------------------------------


class Browser:
    """Keeps cookies, and sends forms as a browser does."""

    def __init__(self):
        self._session = requests.Session()
        self._session.headers["Accept"] = "text/html"

    def get(self, path):
        return self._session.get(f"{DASHBOARD}{path}", timeout=ANSWER_S)

    def post(self, page, path, **fields):
        """Send a form that stands on ``page``; the answer is that to the form itself."""
        token = re.search(r'name="csrf" value="(\w+)"', self.get(page).text)
        assert token, f"no form on {page}"
        return self.send(path, csrf=token[1], **fields)

    def send(self, path, **fields):
        options = {"headers": {"Origin": DASHBOARD}, "allow_redirects": False, "timeout": ANSWER_S}
        return self._session.post(f"{DASHBOARD}{path}", data=fields, **options)

    def sign_in(self, password):
        return self.post("/sign-in", "/sign-in", name=NAME, password=password)


@pytest.fixture(scope="module")
def closed(suite):
    """Let one person sign in by a password, and nobody else in; yields a place in the journal."""
    place = suite.now()
    suite.host.run("mastowatch", "sign-in", "password", NAME, "--role", "switch", given=f"{PASSWORD}\n")
    suite.systemctl("restart", DASHBOARD_UNIT)
    yield place
    command(suite, "sign-in", "remove", NAME)
    suite.systemctl("restart", DASHBOARD_UNIT)


@pytest.fixture(scope="module")
def browser(closed):
    one = Browser()
    answer = one.sign_in(PASSWORD)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    return one


def test_only_root_may_read_the_passwords_and_none_stands_there(suite, closed):
    assert suite.host.sh(f"stat -c '%U:%G %a' {PASSWORDS_FILE}") == "root:root 600"
    assert PASSWORD not in suite.host.path(PASSWORDS_FILE).read_text()
    assert NAME in command(suite, "sign-in", "list")


def test_a_stranger_is_led_to_the_sign_in(closed):
    assert Browser().get("/jobs").url == f"{DASHBOARD}/sign-in?next=/jobs"
    assert requests.get(f"{DASHBOARD}/jobs", timeout=ANSWER_S).status_code == 401
    assert Browser().sign_in("a wrong password").status_code == 401


def test_who_has_signed_in_pauses_a_queue_and_is_named(suite, browser):
    answer = browser.post("/queues", "/queues/pause", queue="low")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/queues")
    paused = {one["name"]: one["paused"] for one in suite.queues()}
    assert paused["low"]["by"] == f"{NAME} on the dashboard"
    assert paused["high"] is None
    assert browser.post("/queues", "/queues/resume", queue="low").status_code == 303
    assert NAME in command(suite, "audit", "--by", NAME)


def test_a_form_without_its_token_changes_nothing(suite, browser):
    assert browser.send("/queues/pause", queue="low", csrf="").status_code == 403
    assert not any(one["paused"] for one in suite.queues())


def test_a_session_outlives_a_restart_of_the_dashboard(suite, browser):
    suite.systemctl("restart", DASHBOARD_UNIT)
    answer = browser.get("/queues")
    assert (answer.url, answer.status_code) == (f"{DASHBOARD}/queues", 200)
    assert NAME in answer.text


def test_a_session_that_was_ended_does_not_come_back(suite, browser):
    kept = browser._session.cookies.copy()
    assert browser.post("/queues", "/sign-out").status_code == 303
    browser._session.cookies = kept
    suite.systemctl("restart", DASHBOARD_UNIT)
    assert "/sign-in" in browser.get("/queues").url


def test_the_password_is_in_no_line_of_the_journal(suite, closed):
    events = suite.events(closed, DASHBOARD_UNIT)
    assert (events["signed_in"], events["signed_out"], events["sign_in_refused"]) == (1, 1, 1)
    assert not any(PASSWORD in str(line) for line in suite.journal(closed))
    assert suite.lines(closed, API_UNIT, "-p", "warning") == []
