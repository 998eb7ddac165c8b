"""Who may use the API: over TCP with the key, over the unix socket as a member of the group, and nobody else."""

from __future__ import annotations

import stat
import threading

import pytest
import requests

from tests.host.suite import ANSWER_S, API, API_SOCKET, API_UNIT, DASHBOARD_UNIT, SOCKET, WORKER
from tests.host.waiting import wait
from tests.webhooks import delivery, signature

MEMBER, STRANGER = "carla", "mallory"
WEBHOOK_SECRET = "/etc/mastowatch/credentials/webhook_secret"
CURL = "curl -sS -o /dev/null -w '%{http_code}'"


@pytest.fixture(scope="module")
def users(suite):
    suite.host.sh(f"useradd -m -G mastowatch {MEMBER} && useradd -m {STRANGER}")


def over_tcp(suite, *options, user=""):
    return suite.host.sh(f"{CURL} {' '.join(options)} {API}/jobs/queues", user=user)


def over_socket(suite, user):
    return suite.host.run(
        *("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "--unix-socket", SOCKET, f"{API}/jobs/queues"),
        user=user,
        check=False,
    )


def test_curl_with_the_key(suite):
    assert over_tcp(suite, f"-H 'Authorization: Bearer {suite.key}'") == "200"
    assert over_tcp(suite, f"-H 'X-API-Key: {suite.key}'") == "200"


@pytest.mark.parametrize("header", ["", "-H 'Authorization: Bearer wrong'", "-H 'X-API-Key: '"])
def test_without_the_key_it_is_refused(suite, users, header):
    assert over_tcp(suite, header) == "401"
    assert over_tcp(suite, header, user=MEMBER) == "401"


def test_over_the_socket_a_member_of_the_group_needs_no_key(suite, users):
    assert over_socket(suite, MEMBER).out == "200"


def test_another_local_user_cant_use_the_socket(suite, users):
    done = over_socket(suite, STRANGER)
    assert (done.status, done.out) == (7, "000")
    assert over_tcp(suite, user=STRANGER) == "401"


def test_the_rights_of_the_socket_file(suite):
    file = suite.host.path(SOCKET)
    assert stat.S_IMODE(file.stat().st_mode) == 0o660
    assert suite.host.sh(f"stat -c '%U %G' {SOCKET}") == "root mastowatch"


def test_a_member_cant_read_the_credentials(suite, users):
    done = suite.host.run("cat", "/etc/mastowatch/credentials/api_key", user=MEMBER, check=False)
    assert done.status != 0
    assert suite.key not in done.out


def test_it_listens_on_loopback_alone(suite):
    told = suite.host.sh("ss -Hltn | awk '{print $4}'").splitlines()
    ours = sorted(one for one in told if one.rsplit(":", 1)[1] in ("8080", "9181"))
    assert ours == ["127.0.0.1:8080", "127.0.0.1:9181"]


def test_a_job_is_triggered_and_seen_to_its_end(suite):
    job = suite.trigger("record_queue_stats")
    wait(lambda: suite.job(job)["status"] == "finished", 60, "the job is finished")


def test_whether_it_lives_and_is_ready_takes_no_key(suite):
    assert requests.get(f"{API}/livez", timeout=ANSWER_S).json() == {"status": "ok"}
    assert requests.get(f"{API}/readyz", timeout=ANSWER_S).json() == {"status": "ready", "redis": "ok"}


def test_the_metrics_take_the_key(suite):
    assert requests.get(f"{API}/metrics", timeout=ANSWER_S).status_code == 401
    lines = suite.api("/metrics").text.splitlines()
    assert "mastowatch_scheduler_alive 1.0" in lines
    assert sum(line.startswith("rq_workers{") for line in lines) == 1


@pytest.mark.parametrize("how", ["reload", "restart"])
def test_a_stream_of_events_ends_well_and_is_there_again(suite, how):
    """The socket that systemd holds stays open: whoever listened comes again at once."""
    for _ in range(2):
        with suite.api("/jobs/events", stream=True) as answer:
            lines = answer.iter_lines(chunk_size=1, decode_unicode=True)
            assert "event: pulse" in lines
            suite.systemctl(how, API_UNIT)
            # To its end: a stream that was cut off raises.
            assert all(isinstance(line, str) for line in lines)


def test_webhooks_are_closed_until_there_is_a_secret(suite):
    body = delivery("status.created", {"id": "7", "visibility": "private"})  # so nothing comes of it

    def sent(secret: str) -> requests.Response:
        return requests.post(f"{API}/webhooks/mastodon", data=body, headers=signature(body, secret), timeout=15)

    assert sent("one").status_code == 403
    suite.host.sh(f"umask 077; echo one >{WEBHOOK_SECRET}")
    suite.systemctl("restart", API_UNIT)
    try:
        assert (sent("one").status_code, sent("two").status_code) == (202, 401)
    finally:
        suite.host.sh(f"rm {WEBHOOK_SECRET}")  # the next test stops the API


def test_the_first_request_starts_a_stopped_api(suite):
    suite.systemctl("stop", API_UNIT)
    assert suite.state(API_SOCKET) == "active"
    assert suite.api("/healthz").status_code == 200
    assert suite.state(API_UNIT) == "active"


def test_no_request_is_refused_while_the_api_restarts(suite):
    answered: list[int | str] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            try:
                answered.append(requests.get(f"{API}/healthz", timeout=ANSWER_S).status_code)
            except requests.RequestException as error:
                answered.append(f"refused: {error!r}")

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    suite.systemctl("restart", API_UNIT)
    stop.set()
    for thread in threads:
        thread.join()
    assert answered
    assert set(answered) == {200}


def test_a_disabled_unit_stays_out(suite):
    """`disable --now` keeps the dashboard out; the target's restart must not bring it back."""
    suite.systemctl("disable", "--now", DASHBOARD_UNIT)
    suite.systemctl("restart", "mastowatch.target")
    wait(lambda: suite.all_active([API_UNIT, WORKER]), 60, "the others are back")
    assert suite.state(DASHBOARD_UNIT) == "inactive"
    suite.systemctl("enable", "--now", DASHBOARD_UNIT)
    assert suite.state(DASHBOARD_UNIT) == "active"
