"""docs/howto/sign-in.md and docs/howto/connect-webhooks.md: people and Mastodon come to MastoWatch."""

from __future__ import annotations

import requests

from tests.host.suite import ANSWER_S, DASHBOARD


def test_sign_in(suite, walk):
    walk.page("docs/howto/sign-in.md", "Through the Mastodon server")
    assert requests.get(f"{DASHBOARD}/cases", timeout=ANSWER_S).status_code == 401
    walk.page("docs/howto/sign-in.md", "By a password")
    assert walk.left("docs/howto/sign-in.md") == []


def test_connect_webhooks(suite, walk, send_webhook):
    walk.page("docs/howto/connect-webhooks.md")
    assert send_webhook() == 202
