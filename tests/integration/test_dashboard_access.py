from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from fastapi import Depends, Request
from redis import Redis

from mastowatch.config import Loaded, Settings
from mastowatch.jobs import context as contexts
from mastowatch.jobs.context import View
from mastowatch.web.dashboard import create_dashboard
from mastowatch.web.dashboard.access import Form
from tests.asgi import client_of
from tests.dashboard_people import access_for_tests, post, sign_in

pytestmark = pytest.mark.redis

HERE = "http://127.0.0.1:9181"


def view_of(redis: Redis, **settings: object) -> View:
    return contexts.view(Loaded(Settings(instance_base="https://mastodon.example", **settings), {}), redis)


@pytest.fixture
def view(redis: Redis) -> View:
    return view_of(redis)


def client_for(view: View, base_url: str = HERE) -> httpx.Client:
    """Return a client of a dashboard with one form beside its own: it needs "act", and answers with what it got."""
    access = access_for_tests(view)
    app = create_dashboard(view, access)

    async def changing(request: Request) -> Form:
        return await access.change(request, needs="act")

    @app.post("/for-tests")
    def changed(form: Form = Depends(changing)) -> dict[str, list[str]]:
        return {"got": form.getlist("x")}

    return client_of(app, base_url)


@pytest.fixture
def client(view: View) -> Iterator[httpx.Client]:
    with client_for(view) as client:
        yield client


def test_who_is_not_signed_in_is_led_to_the_sign_in_and_sees_nothing(client: httpx.Client):
    answer = client.get("/jobs?status=failed", headers={"Accept": "text/html"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=/jobs%3Fstatus%3Dfailed")
    assert not answer.text


def test_who_is_signed_in_sees_the_pages_and_their_own_name(client: httpx.Client, view: View):
    sign_in(client, view, "read")
    page = client.get("/").text
    assert "rita" in page
    assert "Sign out" in page


def test_a_form_of_ours_with_the_role_is_acted_on(client: httpx.Client, view: View):
    sign_in(client, view, "act")
    assert post(client, "/for-tests", x=["1", "2"]).json() == {"got": ["1", "2"]}


def test_without_the_role_nothing_is_done(client: httpx.Client, view: View):
    sign_in(client, view, "read")
    answer = post(client, "/for-tests")
    assert answer.status_code == 403
    assert "This needs the role “act”; yours is “read”." in answer.text
