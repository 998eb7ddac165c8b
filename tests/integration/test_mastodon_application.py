"""Registering MastoWatch with a server, and the code that it shows, over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from mastowatch.adapters.mastodon_application import register
from mastowatch.errors import MastodonRefused, MastodonUnreachable
from tests.guarded_mastodon import NEEDED, GuardedMastodon, guarded_mastodon


@pytest.fixture
def server() -> Iterator[GuardedMastodon]:
    with guarded_mastodon() as server:
        yield server


def application(server: GuardedMastodon):
    return register(server.url, NEEDED, user_agent="test", timeout_s=5)


def test_the_address_of_the_page_is_as_good_as_the_code(server):
    ours = application(server)
    code = server.authorise(ours.ask_at)
    (state,) = parse_qs(urlsplit(ours.ask_at).query)["state"]
    assert ours.token(f"{server.url}/oauth/authorize/native?code={code}&state={state}") in server.tokens
    code = server.authorise(ours.ask_at)
    assert ours.token(f" {server.url}/oauth/authorize/{code} ") in server.tokens


@pytest.mark.parametrize("begin", ["https://evil.example", "{server}"])
def test_an_address_from_elsewhere_or_of_another_request_is_not_traded(server, begin):
    ours = application(server)
    code = server.authorise(ours.ask_at)
    asked = len(server.asked)
    with pytest.raises(MastodonRefused, match="not of the page"):
        ours.token(f"{begin.format(server=server.url)}/oauth/authorize/native?code={code}&state=another")
    assert len(server.asked) == asked


def test_a_code_works_once_and_no_error_repeats_it(server):
    ours = application(server)
    code = server.authorise(ours.ask_at)
    token = ours.token(code)
    with pytest.raises(MastodonRefused, match="used before") as caught:
        ours.token(code)
    assert code not in str(caught.value)
    ours.give_back(token)
    assert token not in server.tokens


def test_an_application_that_the_server_has_forgotten_is_to_be_registered_anew(server):
    ours = application(server)
    code = server.authorise(ours.ask_at)
    server.apps.clear()
    with pytest.raises(MastodonRefused, match="registers MastoWatch once more"):
        ours.token(code)


def test_what_a_server_answers_that_is_none_is_refused(server, monkeypatch):
    monkeypatch.setattr(server, "_app", lambda form: (200, {"client_id": 7}))
    with pytest.raises(MastodonRefused, match="gave no client_id"):
        application(server)
    monkeypatch.undo()
    ours = application(server)
    monkeypatch.setattr(server, "_trade", lambda form: (200, {"access_token": "a\nb"}))
    with pytest.raises(MastodonRefused, match="gave no token"):
        ours.token("code")
    with pytest.raises(MastodonUnreachable):
        register("http://127.0.0.1:9", NEEDED, user_agent="test", timeout_s=1)
