"""Signing in and out over the whole app: by a password, and through a Mastodon over real HTTP."""

from __future__ import annotations

import html
import json
import re
import secrets
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import requests
from mastodon_mock.db.models import OAuthToken
from redis import Redis
from sqlalchemy import select
from starlette.types import ASGIApp

from mastowatch.adapters.mastodon_sign_in import MastodonSignIn, register
from mastowatch.config import Loaded, Settings
from mastowatch.errors import MastodonRefused, MastodonUnreachable
from mastowatch.jobs import context as contexts
from mastowatch.jobs.context import View
from mastowatch.ports.sign_in import Identity
from mastowatch.web.dashboard import create_dashboard
from mastowatch.web.dashboard.access import routes
from mastowatch.web.dashboard.access.passwords import Line
from tests.asgi import client_of
from tests.dashboard_people import PASSWORD, access_for_tests, cookie_for
from tests.local_http import serving
from tests.mastodon_server import MockMastodon, add_account, running_mock

pytestmark = pytest.mark.redis

HERE = "http://127.0.0.1:9181"
FROM_HERE = {"Origin": HERE, "Sec-Fetch-Site": "same-origin"}
STARTED = 1_750_000_000.0


class Clock:
    def __init__(self) -> None:
        self.now = STARTED

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def view_of(redis: Redis, clock: Callable[[], float], **settings: object) -> View:
    given = {"instance_base": "https://mastodon.example", **settings}
    view = contexts.view(Loaded(Settings(**given), {}), redis)
    object.__setattr__(view, "clock", clock)
    return view


@pytest.fixture
def view(redis: Redis, clock: Clock) -> View:
    return view_of(redis, clock)


@pytest.fixture
def client(view: View) -> Iterator[httpx.Client]:
    with browser_of(create_dashboard(view, access_for_tests(view))) as client:
        yield client


def browser_of(app: ASGIApp) -> httpx.Client:
    client = client_of(app, HERE)
    client.headers["Accept"] = "text/html,*/*;q=0.8"
    return client


def field(page: str, name: str) -> str:
    return html.unescape(re.search(rf'name="{name}" value="([^"]*)"', page)[1])


def by_password(client: httpx.Client, name: str, password: str, wanted: str = "/") -> httpx.Response:
    page = client.get("/sign-in", params={"next": wanted}).text
    data = {"csrf": field(page, "csrf"), "next": field(page, "next"), "name": name, "password": password}
    return client.post("/sign-in", data=data, headers=FROM_HERE)


def sign_out(client: httpx.Client) -> httpx.Response:
    return client.post("/sign-out", data={"csrf": field(client.get("/").text, "csrf")}, headers=FROM_HERE)


# By password ---------------------------------------------------------------------------------------------------------


def test_the_right_password_leads_to_the_page_that_was_asked_for(client: httpx.Client):
    answer = by_password(client, "alice", PASSWORD, "/jobs?status=failed")
    assert (answer.status_code, answer.headers["location"]) == (303, "/jobs?status=failed")
    assert "alice" in client.get("/").text


@pytest.mark.parametrize(
    ("name", "password"),
    [("alice", "wrong"), ("nobody", PASSWORD), ("", ""), ("alice", PASSWORD * 100), ("alice", "\ud800x"), ("é", "x")],
)
def test_anything_else_is_refused_in_the_same_words(client: httpx.Client, name: str, password: str):
    page = client.get("/sign-in").text
    body = {"csrf": field(page, "csrf"), "name": name, "password": password.encode("utf-8", "surrogatepass")}
    answer = client.post("/sign-in", data=body, headers=FROM_HERE)
    if answer.status_code != 415:  # bytes that are no text
        assert answer.status_code == 401
        assert "The name or the password is not right." in answer.text
    assert "mastowatch" not in client.cookies


def test_signing_out_ends_the_session_also_for_whoever_copied_the_cookie(client: httpx.Client, view: View):
    by_password(client, "alice", PASSWORD)
    copied = dict(client.cookies)
    answer = sign_out(client)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert "You are signed out." in client.get("/sign-in").text
    client.cookies.clear()
    client.cookies.update(copied)
    assert client.get("/").status_code == 303
    (key,) = view.redis.scan_iter("mastowatch:session:*")
    assert 0 < view.redis.ttl(key) <= 12 * 3600 + 60
    assert b"alice" not in key


def test_a_session_ends_after_its_hours(client: httpx.Client, clock: Clock):
    by_password(client, "alice", PASSWORD)
    clock.now += 12 * 3600 - 1
    assert client.get("/").status_code == 200
    clock.now += 2
    assert client.get("/").status_code == 303


def test_too_many_wrong_ones_have_to_wait_even_with_the_right_one(client: httpx.Client, clock: Clock):
    for _ in range(5):
        assert by_password(client, "alice", "wrong").status_code == 401
    answer = by_password(client, "alice", PASSWORD)
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 3
    assert "Try again in" in answer.text
    assert by_password(client, "sam", PASSWORD).status_code == 303
    clock.now += int(answer.headers["retry-after"])
    client.cookies.delete("mastowatch")
    assert by_password(client, "alice", PASSWORD).status_code == 303


def test_what_is_logged_has_no_password_and_no_unknown_name(client: httpx.Client, caplog):
    with caplog.at_level("INFO"):
        by_password(client, "alice", PASSWORD)
        client.cookies.clear()
        by_password(client, "alice", "a wrong password")
        by_password(client, "a mistyped secret", "another")
    told = [record.__dict__ for record in caplog.records if record.name.startswith("mastowatch")]
    assert [(one["msg"], one.get("person")) for one in told] == [
        ("signed_in", "alice"),
        ("sign_in_refused", "alice"),
        ("sign_in_refused", None),
    ]
    assert not any(secret in str(told) for secret in (PASSWORD, "a wrong password", "mistyped", "another"))


def test_a_role_or_password_that_changes_ends_the_sessions(view: View, redis: Redis):
    cookies = cookie_for(view, "switch")
    for changed in (
        lambda passwords: passwords._lines.pop("sam"),
        lambda passwords: passwords._lines.update(sam=Line("sam", "read", "scrypt...")),
    ):
        access = access_for_tests(view)
        with browser_of(create_dashboard(view, access)) as client:
            client.cookies.update(cookies)
            assert client.get("/").status_code == 200
            changed(access.passwords)
            assert client.get("/").status_code == 303


# Through Mastodon ----------------------------------------------------------------------------------------------------

ROLES = {"owner": "owner", "admin": "admin", "moderator": "moderator", "user": "user"}


@pytest.fixture(scope="module")
def mock() -> Iterator[MockMastodon]:
    def people(session) -> None:
        for name, role in ROLES.items():
            add_account(session, f"the_{name}", role=role)

    with running_mock(populate=people) as mock:
        yield mock


def registered(mock: MockMastodon, url: str = HERE) -> MastodonSignIn:
    client_id, secret, scope = register(mock.url, f"{url}/sign-in/mastodon/answer", user_agent="tests", timeout_s=10)
    return MastodonSignIn(mock.url, client_id, secret, scope, user_agent="tests", timeout_s=10)


@pytest.fixture
def through(view: View, mock: MockMastodon) -> Iterator[httpx.Client]:
    with browser_of(create_dashboard(view, access_for_tests(view, registered(mock)))) as client:
        yield client


def at_mastodon(mock: MockMastodon, client: httpx.Client, username: str, wanted: str = "/") -> str:
    """Go to Mastodon as the browser does, pick an account there, and return where it sends the browser."""
    to = client.get("/sign-in/mastodon", params={"next": wanted})
    assert to.status_code == 303
    asked = {name: values[0] for name, values in parse_qs(urlsplit(to.headers["location"]).query).items()}
    assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
    answer = requests.post(f"{mock.url}/oauth/authorize", data={**asked, "username": username}, allow_redirects=False)
    return answer.headers["location"].removeprefix(HERE)


def tokens(mock: MockMastodon) -> int:
    with mock.sessions() as session:
        return len(session.scalars(select(OAuthToken)).all())


@pytest.mark.mastodon
def test_whoever_has_a_role_on_the_server_comes_in_and_no_token_stays(through: httpx.Client, mock: MockMastodon):
    before = tokens(mock)
    answer = through.get(at_mastodon(mock, through, "the_admin", "/jobs?status=failed"))
    assert answer.status_code == 200
    assert '<meta http-equiv="refresh" content="0; url=/jobs?status=failed">' in answer.text
    assert "@the_admin" in through.get("/").text
    assert tokens(mock) == before


@pytest.mark.mastodon
def test_an_address_longer_than_a_cookie_may_be_leads_to_the_overview(through: httpx.Client, mock: MockMastodon):
    to = through.get("/sign-in/mastodon", params={"next": f"/jobs?text={secrets.token_hex(5000)}"})
    assert to.status_code == 303
    assert len(to.headers["set-cookie"]) < 4096


def test_an_account_without_a_role_is_told_so(through: httpx.Client, mock: MockMastodon):
    answer = through.get(at_mastodon(mock, through, "the_user"))
    assert answer.status_code == 403
    assert "@the_user has no role on Mastodon that gives access here" in answer.text
    assert through.get("/").status_code == 303


@pytest.mark.mastodon
def test_the_smallest_scope_that_the_server_knows_is_registered(mock: MockMastodon):
    assert register(mock.url, f"{HERE}/x", user_agent="tests", timeout_s=10)[2] == "read:accounts"


@pytest.mark.mastodon
def test_an_answer_is_good_once_and_only_in_the_browser_that_asked(through: httpx.Client, mock: MockMastodon):
    answer_path = at_mastodon(mock, through, "the_admin")
    carried = dict(through.cookies)
    through.cookies.clear()
    assert through.get(answer_path).status_code == 400
    through.cookies.update(carried)
    swapped = re.sub("state=[^&]*", "state=another", answer_path)
    assert through.get(swapped).status_code == 400
    through.cookies.update(carried)
    assert through.get(answer_path).status_code == 200
    through.cookies.clear()
    through.cookies.update(carried)
    replayed = through.get(answer_path)
    assert replayed.status_code == 400
    assert "has been used already" in replayed.text


@pytest.mark.mastodon
def test_the_servers_own_words_are_never_shown(through: httpx.Client, mock: MockMastodon):
    for error, status, told in (
        ("access_denied", 403, "You have not let MastoWatch see who you are"),
        ("<script>alert(1)</script>", 502, "Mastodon has answered with an error."),
    ):
        state = parse_qs(urlsplit(at_mastodon(mock, through, "the_admin")).query)["state"][0]
        query = {"error": error, "error_description": "<b>evil</b>", "state": state}
        answer = through.get("/sign-in/mastodon/answer", params=query)
        assert answer.status_code == status
        assert told in answer.text
        assert "evil" not in answer.text
        assert "<script" not in answer.text


@pytest.mark.mastodon
@pytest.mark.parametrize("path", ["/oauth/token", "/api/v1/accounts/verify_credentials"])
def test_a_server_that_fails_is_a_clear_page(through: httpx.Client, mock: MockMastodon, path: str):
    answer_path = at_mastodon(mock, through, "the_admin")
    mock.fault("status", path=path, status=503, count=1)
    try:
        answer = through.get(answer_path)
    finally:
        mock.clear_faults()
    assert answer.status_code == 502
    assert "Mastodon does not answer." in answer.text
    assert through.get("/").status_code == 303


def test_a_failing_revoke_does_not_stop_a_sign_in(mock: MockMastodon):
    server = registered(mock)
    mock.fault("status", path="/oauth/revoke", status=503, count=1)
    try:
        assert server.identify(code="mockcode_the_admin", verifier="v", answer_to=HERE).name == "the_admin"
    finally:
        mock.clear_faults()


@pytest.mark.parametrize(
    ("permissions", "role"),
    [
        (1 << 0, "switch"), (1 << 1, "switch"), (1 << 6, "switch"), (1 << 4 | 1 << 3, "act"), (1 << 10, "act"),
        (1 << 3, "read"), (1 << 2, "read"), (1 << 16, None), (0, None),
    ],
)  # fmt: skip
def test_the_rights_of_a_role_decide(view: View, permissions: int, role: str | None):
    class Stub:
        mark = "app"

        def ask_at(self, **asked: str) -> str:
            return f"https://mastodon.example/?{asked['state']}"

        def identify(self, **asked: str):
            return Identity("carol", permissions)

    access = access_for_tests(view, Stub())
    with browser_of(create_dashboard(view, access)) as client:
        state = client.get("/sign-in/mastodon").headers["location"].partition("?")[2]
        answer = client.get("/sign-in/mastodon/answer", params={"state": state, "code": "c"})
        assert answer.status_code == (200 if role else 403)
        session = access.sessions.read(client.cookies.get("mastowatch"))
        assert (session.role if session else None) == role


class Elsewhere(BaseHTTPRequestHandler):
    """A server that sends the dashboard's secret on to another, or answers with what is none of ours."""

    got: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        self.got.append(self.path)
        if self.path == "/oauth/token":
            self.send_response(307)
            self.send_header("Location", "/stolen")
            self.end_headers()

    do_GET = do_POST  # noqa: N815 -- the name that http.server calls

    def log_message(self, *args: object) -> None:
        pass


def test_a_redirect_of_the_server_is_not_followed():
    Elsewhere.got = []
    with serving(Elsewhere) as url:
        server = MastodonSignIn(url, "id", "secret", "profile", user_agent="tests", timeout_s=5)
        with pytest.raises(MastodonRefused, match="was redirected"):
            server.identify(code="c", verifier="v", answer_to=HERE)
    assert Elsewhere.got == ["/oauth/token"]


_SENSELESS = [
    *(b"", b"[]", b"<html>", b"x" * 300_000, b"[" * 100_000),
    *(json.dumps({"access_token": one}).encode() for one in (5, "", "snow\u2603", "half\ud800", "two\r\nlines")),
]


@pytest.mark.parametrize("body", _SENSELESS)
def test_an_answer_that_makes_no_sense_is_an_error_of_ours(body: bytes):
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    with serving(Handler) as url:
        server = MastodonSignIn(url, "id", "very secret", "profile", user_agent="tests", timeout_s=5)
        with pytest.raises((MastodonRefused, MastodonUnreachable)) as caught:
            server.identify(code="the code", verifier="the verifier", answer_to=HERE)
    assert caught.value.__context__ is None
    assert not any(secret in str(caught.value) for secret in ("very secret", "the code", "the verifier"))


def test_a_code_that_is_none_asks_nobody(through: httpx.Client, mock: MockMastodon):
    answer_path = at_mastodon(mock, through, "the_admin")
    before = len(mock.asked)
    bad = re.sub("code=[^&]*", "code=%0d%0aX", answer_path)
    assert through.get(bad).status_code == 400
    assert len(mock.asked) == before


def test_strangers_can_not_have_the_server_asked_without_end(view: View, mock: MockMastodon, monkeypatch):
    monkeypatch.setattr("mastowatch.web.dashboard.access.limiter.AT_ONCE", 1)
    with browser_of(create_dashboard(view, access_for_tests(view, registered(mock)))) as client:
        assert client.get(at_mastodon(mock, client, "the_user")).status_code == 403
        answer = client.get(at_mastodon(mock, client, "the_user"))
        assert answer.status_code == routes.TooManyAttempts.status
