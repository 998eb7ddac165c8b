"""Signing in and out as a person does it: in Chromium, over real HTTP, with a Mastodon beside it."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest
from playwright.sync_api import Page, expect

from mastowatch.adapters.mastodon_sign_in import MastodonSignIn, register
from mastowatch.config import Loaded
from mastowatch.jobs import context as contexts
from mastowatch.jobs.context import View
from mastowatch.web.dashboard import create_dashboard
from tests.browser.axe import axe
from tests.browser.looking import overflow
from tests.browser.site import served
from tests.dashboard_people import PASSWORD, access_for_tests
from tests.local_http import serving
from tests.mastodon_server import MockMastodon, add_account, running_mock
from tests.redis_server import free_port

pytestmark = pytest.mark.unmeasured


def fill(page: Page, name: str, password: str) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


@pytest.mark.parametrize("script", [True, False])
def test_by_a_password_to_the_page_that_was_asked_for_and_out_again(open_page, signed_url, script):
    page = open_page("/", script=script)
    page.goto(f"{signed_url}/jobs?status=failed")
    expect(page).to_have_title("Sign in – MastoWatch")
    assert "failed" not in page.locator("main").inner_text()
    fill(page, "alice", PASSWORD)
    expect(page).to_have_url(f"{signed_url}/jobs?status=failed")
    expect(page.get_by_role("banner")).to_contain_text("alice")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("status")).to_have_text("You are signed out.")
    page.goto(f"{signed_url}/")
    expect(page).to_have_title("Sign in – MastoWatch")
    assert page.get_by_role("status").count() == 0


def test_a_wrong_password_is_told_and_read_out(open_page, signed_url):
    open_page.allow(401)
    page = open_page("/")
    page.goto(f"{signed_url}/sign-in?next=/cases")
    fill(page, "alice", "a wrong one")
    expect(page.get_by_role("alert")).to_have_text("The name or the password is not right.")
    fill(page, "alice", PASSWORD)
    expect(page).to_have_url(f"{signed_url}/cases")


def test_no_cookie_can_be_read_by_a_script(open_page, signed_url):
    page = open_page("/")
    page.goto(f"{signed_url}/sign-in")
    fill(page, "alice", PASSWORD)
    expect(page).to_have_url(f"{signed_url}/")
    assert page.evaluate("document.cookie") == ""
    assert page.context.cookies(signed_url)
    expect(page.get_by_role("banner")).to_contain_text("alice")


# A form of this address, with this token, sent at once.
SEND = """([to, token]) => { const f = document.createElement('form'); f.method = 'post'; f.action = to;
  const i = document.createElement('input'); i.name = 'csrf'; i.value = token; f.append(i);
  document.body.append(f); f.submit() }"""


class Elsewhere(BaseHTTPRequestHandler):
    """Another site, without a policy of its own."""

    def do_GET(self) -> None:
        body = b"<!doctype html><title>Elsewhere</title>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def elsewhere() -> Iterator[str]:
    with serving(Elsewhere) as url:
        # To a browser, "localhost" is another site than 127.0.0.1.
        yield url.replace("127.0.0.1", "localhost")


def test_a_link_on_another_site_finds_one_still_signed_in(open_page, signed_url, elsewhere):
    page = open_page("/")
    page.goto(f"{signed_url}/sign-in")
    fill(page, "rita", PASSWORD)
    expect(page.get_by_role("banner")).to_contain_text("rita")
    page.goto(elsewhere)
    page.evaluate("to => { const a = document.createElement('a'); a.href = to; document.body.append(a); a.click() }",
                  f"{signed_url}/workers")  # fmt: skip
    expect(page).to_have_url(f"{signed_url}/workers")
    expect(page.get_by_role("banner")).to_contain_text("rita")


def test_a_form_on_another_site_comes_without_the_cookie(open_page, signed_url, elsewhere):
    open_page.allow(401)
    page = open_page("/")
    page.goto(f"{signed_url}/sign-in")
    fill(page, "sam", PASSWORD)
    expect(page.get_by_role("banner")).to_contain_text("sam")
    token = page.locator("input[name=csrf]").first.get_attribute("value")
    page.goto(elsewhere)
    page.evaluate(SEND, [f"{signed_url}/sign-out", token])
    expect(page.locator("h1")).to_have_text("Not signed in")
    page.goto(f"{signed_url}/")
    expect(page.get_by_role("banner")).to_contain_text("sam")


def test_a_form_on_another_site_is_refused_even_with_the_cookie(open_page, signed_url, elsewhere):
    open_page.allow(403)
    # Set by the test and not by us, this cookie is not strict: Chromium sends it along for two minutes.
    page = open_page("/", role="switch")
    token = page.locator("input[name=csrf]").first.get_attribute("value")
    page.goto(elsewhere)
    page.evaluate(SEND, [f"{signed_url}/sign-out", token])
    expect(page.locator("h1")).to_have_text("Not allowed")
    page.goto(f"{signed_url}/")
    expect(page.get_by_role("banner")).to_contain_text("sam")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_axe_finds_nothing_on_the_pages_of_the_sign_in(open_page, signed_url, site_url, theme, width):
    open_page.allow(401)
    page = open_page("/", theme=theme, width=width)
    page.goto(f"{site_url}/sign-in")
    assert axe(page) == []
    page.goto(f"{signed_url}/sign-in")
    assert axe(page) == []
    fill(page, "alice", "a wrong one")
    expect(page.get_by_role("alert")).to_be_visible()
    assert axe(page) == []
    assert overflow(page) <= 0


# Through Mastodon ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mock() -> Iterator[MockMastodon]:
    def people(session) -> None:
        add_account(session, "mod", display_name="A moderator", role="admin")
        add_account(session, "user", display_name="A user")

    with running_mock(populate=people) as mock:
        yield mock


@pytest.fixture
def mastodon_url(view: View, mock: MockMastodon) -> Iterator[str]:
    """The address of a dashboard where people sign in through ``mock``."""
    port = free_port()
    here = f"http://127.0.0.1:{port}"
    changed = {"instance_base": mock.url, "dashboard_url": here}
    moved = contexts.view(Loaded(view.settings.model_copy(update=changed), {}), view.redis)
    client_id, secret, scope = register(mock.url, f"{here}/sign-in/mastodon/answer", user_agent="tests", timeout_s=10)
    server = MastodonSignIn(mock.url, client_id, secret, scope, user_agent="tests", timeout_s=10)
    with served(create_dashboard(moved, access_for_tests(moved, server)), port) as url:
        assert url == here
        yield url


@pytest.mark.mastodon
@pytest.mark.parametrize("script", [True, False])
def test_through_mastodon_to_the_page_that_was_asked_for(mastodon_url, open_page, mock, script):
    page = open_page("/", script=script)
    page.goto(f"{mastodon_url}/cases")
    page.get_by_role("link", name="Sign in through").click()
    expect(page).to_have_title("mastodon_mock: choose an account")
    assert page.url.startswith(mock.url)
    page.get_by_role("button", name="A moderator").click()
    expect(page).to_have_url(f"{mastodon_url}/cases")
    expect(page.get_by_role("banner")).to_contain_text("@mod")


@pytest.mark.mastodon
def test_an_account_without_a_role_stays_outside(mastodon_url, open_page):
    open_page.allow(403)
    page = open_page("/")
    page.goto(mastodon_url)
    page.get_by_role("link", name="Sign in through").click()
    page.get_by_role("button", name="A user").click()
    expect(page.get_by_role("alert")).to_contain_text("@user has no role on Mastodon that gives access here")
    assert axe(page) == []
    page.goto(f"{mastodon_url}/jobs")
    expect(page).to_have_title("Sign in – MastoWatch")
