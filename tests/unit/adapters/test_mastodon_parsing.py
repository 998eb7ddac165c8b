"""Whatever a server sends, reading a post with its author raises nothing, and lets no private post through."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastowatch.adapters.mastodon_parsing import admin_account, sight, sighted
from tests.rules import document, ruleset

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["public", "1", "²"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
KEYS = (
    "id", "visibility", "account", "created_at", "edited_at", "content", "spoiler_text", "language", "mentions", "tags",
    "media_attachments", "reblog", "in_reply_to_account_id", "url",
)  # fmt: skip
AUTHOR_KEYS = ("id", "acct", "username", "created_at", "fields", "followers_count", "roles", "note", "bot", "suspended")
AUTHOR = st.dictionaries(st.sampled_from(AUTHOR_KEYS), ANY)
POST = st.dictionaries(st.sampled_from(KEYS), ANY).flatmap(
    lambda post: AUTHOR.map(
        lambda author: {"account": {"id": "7", **author}, "id": "1", "visibility": "public", **post}
    )
)


@given(POST | ANY)
def test_reading_never_raises_and_what_comes_out_has_numeric_ids_and_is_public(post):
    for one in sighted([post], NOW):
        assert one.status.visibility in ("public", "unlisted")
        assert one.status.id.isascii()
        assert 0 <= int(one.status.id) < 10**20
        assert one.account.id.isascii()
        assert 0 <= int(one.account.id) < 10**20


@given(POST, st.sampled_from(["private", "direct", "limited", "", None, ["public"], {"public": 1}]))
def test_what_is_not_public_or_does_not_say_so_never_comes_out(post, visibility):
    assert sight({**post, "visibility": visibility}, NOW) is None


@pytest.mark.parametrize(
    "odd",
    [
        {"account": {"following_count": 10**400, "statuses_count": 1}},
        {"account": {"statuses_count": 10**400}},
        {"username": "a\ud800", "account": {"statuses_count": 1}},
    ],
)
def test_a_rule_can_read_whatever_stands_in_an_account(odd):
    """Else one account would end every poll of the page that it is on."""
    conditions = {"statuses_per_day_min": 1, "following_per_follower_min": 1, "username_pattern": "a[0-9]"}
    rules = ruleset(
        *(document(id=f"r{number}", account={key: value}) for number, (key, value) in enumerate(conditions.items()))
    )
    rules.screen(admin_account({"id": "1", "username": "a", **odd}, NOW), NOW)
