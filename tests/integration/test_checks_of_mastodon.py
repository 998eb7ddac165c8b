"""The checks of the Mastodon server and of our token, over real HTTP."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

import pytest

from mastowatch.config import Settings
from mastowatch.jobs.checks.finding import Finding
from mastowatch.jobs.checks.mastodon import check_server, check_token
from tests.local_http import serving
from tests.mastodon_server import add_account, running_mock

SECRET = "t0p-s3cret-t0ken"
ALL = {"read:accounts", "admin:read:accounts", "admin:read:reports", "read:statuses", "write:reports"}
ENFORCING = {"admin:write:accounts", "admin:write:reports"}
MODERATOR = (1 << 10) | (1 << 4)
NO_SCOPE = (403, {"error": "This action is outside the authorized scopes"})
NO_ROLE = (403, {"error": "This action is not allowed"})


class Real:
    """Answers as a Mastodon does: the scope is looked at first, then the role, then what is asked for."""

    def __init__(self, scopes: set[str] = ALL, permissions: int = MODERATOR, version: str = "4.4.22") -> None:
        self.scopes, self.permissions, self.version = scopes, permissions, version
        self.ahead_s, self.age_s = 0.0, 0
        self.asked: list[str] = []
        self.redirect = ""

    def answer(self, method: str, path: str, token: str) -> tuple[int, object]:
        self.asked.append(f"{method} {path}")
        if path == "/api/v2/instance":
            return 200, {"version": self.version, "domain": "m.example"}
        if token != SECRET:
            return 401, {"error": "The access token is invalid"}
        scope, right, found = self._routes()[f"{method} {path}"]
        if scope not in self.scopes:
            return NO_SCOPE
        return NO_ROLE if right and not self.permissions & right else found

    def _routes(self) -> Mapping[str, tuple[str, int, tuple[int, object]]]:
        me = {"id": "7", "username": "bot", "role": {"id": "3", "permissions": str(self.permissions)}}
        none = (404, {"error": "Record not found"})
        return {
            "GET /api/v1/accounts/verify_credentials": ("read:accounts", 0, (200, me)),
            "GET /api/v2/admin/accounts": (
                "admin:read:accounts",
                1 << 10,
                (200, [{"email": "someone@secret.example"}]),
            ),
            "GET /api/v1/admin/reports": ("admin:read:reports", 1 << 4, (200, [])),
            "GET /api/v1/accounts/7/statuses": ("read:statuses", 0, (200, [])),
            "POST /api/v1/reports": ("write:reports", 0, none),
            "POST /api/v1/admin/accounts/0/action": ("admin:write:accounts", 0, none),
            "POST /api/v1/admin/reports/0/reopen": ("admin:write:reports", 0, none),
        }


@contextmanager
def served(real: Real) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if real.redirect:
                self.send_response(302)
                self.send_header("Location", real.redirect)
                self.end_headers()
                return
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            code, found = real.answer(self.command, urlsplit(self.path).path, token)
            body = json.dumps(found).encode()
            self.send_response_only(code)
            self.send_header("Date", formatdate(time.time() + real.ahead_s, usegmt=True))
            if real.age_s:
                self.send_header("Age", str(real.age_s))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 -- the name is BaseHTTPRequestHandler's

        def log_message(self, *args: object) -> None:
            pass

    with serving(Handler) as url:
        yield url


def states(found: list[Finding]) -> dict[str, str]:
    assert SECRET not in repr(found)
    assert "secret.example" not in repr(found)
    return {one.check: one.state for one in found}


def one(found: list[Finding], check: str) -> Finding:
    return next(finding for finding in found if finding.check == check)


def test_a_server_and_a_token_that_are_as_they_must_be():
    real = Real()
    with served(real) as url:
        assert states(check_server(url, Settings())) == dict.fromkeys(
            ["mastodon-server", "mastodon-version", "clock"], "ok"
        )
        found = check_token(url, SECRET, Settings())
    assert states(found) == dict.fromkeys(["mastodon-token", "mastodon-scopes", "mastodon-role"], "ok")
    assert "@bot" in one(found, "mastodon-token").says
    assert not [asked for asked in real.asked if "/admin/accounts/0" in asked]


@pytest.mark.parametrize("lacking", sorted(ALL))
def test_a_scope_that_lacks_is_named_and_no_right_is_blamed(lacking: str):
    with served(Real(ALL - {lacking})) as url:
        found = check_token(url, SECRET, Settings())
    scopes = [finding for finding in found if finding.check == "mastodon-scopes"]
    assert (scopes[0].state, scopes[0].says) == ("failure", f"the access token lacks {lacking}")
    assert scopes[0].mend == "mastowatch setup --authorize"
    assert not [finding for finding in found if finding.check == "mastodon-role" and finding.state == "failure"]


@pytest.mark.parametrize(
    ("permissions", "lacks"),
    [(1 << 4, "manage_users"), (1 << 10, "manage_reports"), (0, "manage_reports and manage_users")],
)
def test_a_right_that_the_role_lacks_is_named_and_no_scope_is_blamed(permissions: int, lacks: str):
    with served(Real(permissions=permissions)) as url:
        found = check_token(url, SECRET, Settings())
    assert one(found, "mastodon-role").state == "failure"
    assert lacks in one(found, "mastodon-role").says
    assert one(found, "mastodon-scopes").state == "ok"


def test_an_administrator_has_every_right():
    real = Real(permissions=1)
    real._routes = lambda: {name: (scope, 0, found) for name, (scope, _, found) in Real._routes(real).items()}
    with served(real) as url:
        assert one(check_token(url, SECRET, Settings()), "mastodon-role").state == "ok"


def test_scopes_for_measures_are_asked_for_only_where_measures_are_allowed():
    real = Real()
    with served(real) as url:
        found = check_token(url, SECRET, Settings(allow_enforcement=True))
        assert one(found, "mastodon-scopes").says == "the access token lacks admin:write:accounts, admin:write:reports"
        real.scopes = ALL | ENFORCING
        assert one(check_token(url, SECRET, Settings(allow_enforcement=True)), "mastodon-scopes").state == "ok"


def test_a_refused_token_is_told_of_once():
    real = Real()
    with served(real) as url:
        found = check_token(url, "another", Settings())
    assert states(found) == {"mastodon-token": "failure"}
    assert len(real.asked) == 1


@pytest.mark.parametrize(("ahead_s", "state"), [(10, "ok"), (-100, "warning"), (100, "warning"), (1000, "failure")])
def test_clocks_that_are_apart_are_told_of(ahead_s: float, state: str):
    real = Real()
    real.ahead_s = ahead_s
    with served(real) as url:
        clock = one(check_server(url, Settings()), "clock")
    assert clock.state == state
    if state != "ok":
        assert ("behind" if ahead_s > 0 else "ahead of") in clock.says


def test_an_answer_out_of_a_cache_is_no_clock_that_is_apart():
    real = Real()
    real.ahead_s, real.age_s = -100, 100
    with served(real) as url:
        assert one(check_server(url, Settings()), "clock").state == "ok"


@pytest.mark.parametrize(
    ("version", "check", "state"),
    [
        ("4.3.0-rc.1+glitch", "mastodon-version", "ok"),
        ("3.5.19", "mastodon-version", "failure"),
        ("Akkoma", "mastodon-server", "failure"),
        ("<script>", "mastodon-server", "failure"),
    ],
)
def test_what_is_no_mastodon_or_too_old_is_told_of(version: str, check: str, state: str):
    with served(Real(version=version)) as url:
        found = check_server(url, Settings())
    assert one(found, check).state == state
    assert "<script>" not in repr(found)


def test_the_token_follows_no_redirect():
    elsewhere, real = Real(), Real()
    with served(elsewhere) as other, served(real) as url:
        real.redirect = other
        found = check_token(url, SECRET, Settings())
        assert one(check_server(url, Settings()), "mastodon-server").state == "failure"
    assert states(found) == {"mastodon-token": "unknown"}
    assert "redirects" in found[0].says
    assert elsewhere.asked == []


def test_a_server_that_is_away_is_told_of_in_our_own_words():
    found = check_server("http://127.0.0.1:1", Settings(request_timeout=1))
    assert (found[0].state, found[0].says) == (
        "failure", "http://127.0.0.1:1 gave no answer to use: it refused the connection"
    )  # fmt: skip
    assert states(check_token("http://127.0.0.1:1", SECRET, Settings())) == {"mastodon-token": "unknown"}


@pytest.mark.parametrize("token", ["line\nbreak", "two words", "tök\u200ben"])
def test_what_can_not_be_a_token_is_told_of_and_never_sent(token: str):
    real = Real()
    with served(real) as url:
        found = check_token(url, token, Settings())
    assert states(found) == {"mastodon-token": "failure"}
    assert "one line" in found[0].means
    assert (token in repr(found), real.asked) == (False, [])


def test_trying_the_scope_for_reports_files_none_at_a_mock_of_mastodon():
    with running_mock(populate=lambda session: add_account(session, "bot", token=SECRET, role="moderator")) as mock:
        found = check_token(mock.url, SECRET, Settings())
        with mock.sessions() as session:
            from mastodon_mock.db.models import Report

            assert session.query(Report).count() == 0
    assert states(found) == dict.fromkeys(["mastodon-token", "mastodon-scopes", "mastodon-role"], "ok")
    assert ("POST", "/api/v1/reports") in [(asked.method, asked.path) for asked in mock.asked]
