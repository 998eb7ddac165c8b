"""One suite for the recent posts in memory and the ones in Redis, and what is particular to those in Redis."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mastowatch.adapters.look_encoding import pack, unpack
from mastowatch.adapters.memory_posts import MemoryRecentPosts
from mastowatch.adapters.redis_posts import RedisRecentPosts
from mastowatch.errors import StoreUnavailable
from mastowatch.ports.types import Account, Field, Look, Media, Status
from tests.redis_server import nowhere

NOW = 1_767_268_800.125
DAY = 86_400
AT = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)
ACCOUNT = Account(
    id="1",
    acct="a@x.example",
    username="a",
    domain="x.example",
    display_name="Ä 🐘",
    note_html="<p>hi</p>",
    url="https://x.example/@a",
    created_at=AT,
    discovered_at=AT + timedelta(hours=1),
    fields=(Field("Home", "<a>x</a>"), Field("", "")),
    followers=7,
    bot=True,
)
POST = Status(
    id="11",
    account_id="1",
    created_at=AT,
    content_html="<p>buy \udc00 now</p>",
    visibility="unlisted",
    language="de",
    in_reply_to_account_id="2",
    mentions=("b", "c@y.example"),
    tags=("art",),
    media=(Media("image", "a cat", "LEHV6nWB2yk8"), Media("video")),
)


@pytest.fixture(params=["memory", "redis"])
def make(request, redis):
    def made(**options):
        return MemoryRecentPosts(**options) if request.param == "memory" else RedisRecentPosts(redis, **options)

    return made


def posts(account_id: str, count: int) -> list[Status]:
    return [replace(POST, id=f"{account_id}{n}", account_id=account_id, content_html="<p>hi</p>") for n in range(count)]


def account(number: int) -> Account:
    return replace(ACCOUNT, id=str(number))


def test_a_look_comes_back_whole(make):
    recent = make()
    post = replace(POST, content_html="<p>buy now</p>")
    recent.remember(ACCOUNT, [post, Status("12", "1", AT)], NOW)
    assert list(recent.since(0)) == [Look(ACCOUNT, (post, Status("12", "1", AT)), NOW)]


def test_of_an_account_the_latest_look_is_kept(make):
    recent = make()
    recent.remember(ACCOUNT, posts("1", 3), NOW)
    recent.remember(replace(ACCOUNT, followers=9), posts("1", 2), NOW + 1)
    assert [(look.account.followers, len(look.statuses), look.at) for look in recent.since(0)] == [(9, 2, NOW + 1)]
    assert recent.count() == (1, 2)


def test_private_posts_and_boosts_are_not_kept(make):
    recent = make()
    secret = [replace(POST, id=kind, visibility=kind) for kind in ("private", "direct")]
    recent.remember(ACCOUNT, [*secret, replace(POST, reblog=True)], NOW)
    assert [look.statuses for look in recent.since(0)] == [()]


def test_looks_come_oldest_first_and_only_from_the_time_on(make):
    recent = make()
    for number in (3, 1, 2):
        recent.remember(account(number), posts(str(number), 1), NOW + number)
    assert [look.account.id for look in recent.since(0)] == ["1", "2", "3"]
    assert [look.account.id for look in recent.since(NOW + 2)] == ["2", "3"]


def test_the_oldest_looks_make_room_and_one_without_posts_takes_some_too(make):
    recent = make(at_most=5)
    recent.remember(account(1), posts("1", 2), NOW)
    recent.remember(account(2), [], NOW + 1)
    recent.remember(account(3), posts("3", 2), NOW + 2)
    assert recent.count() == (3, 5)
    recent.remember(account(4), posts("4", 1), NOW + 3)
    assert [look.account.id for look in recent.since(0)] == ["2", "3", "4"]
    recent.remember(account(5), posts("5", 40), NOW + 4)
    assert [(look.account.id, len(look.statuses)) for look in recent.since(0)] == [("5", 5)]


def test_looks_leave_after_their_days(make):
    recent = make(days=2)
    recent.remember(account(1), posts("1", 1), NOW)
    recent.remember(account(2), posts("2", 1), NOW + DAY)
    recent.remember(account(3), posts("3", 1), NOW + 2 * DAY + 1)
    assert [look.account.id for look in recent.since(0)] == ["2", "3"]
    assert recent.count() == (2, 2)


def test_nothing_is_kept_where_nothing_is_wanted(make):
    recent = make(at_most=0)
    recent.remember(ACCOUNT, posts("1", 3), NOW)
    assert list(recent.since(0)) == []
    assert recent.count() == (0, 0)


def test_a_smaller_bound_clears_what_an_earlier_one_let_in(redis):
    for number in range(30):
        RedisRecentPosts(redis).remember(account(number), posts(str(number), 2), NOW + number)
    RedisRecentPosts(redis, at_most=0).remember(ACCOUNT, [], NOW + 99)
    assert RedisRecentPosts(redis).count() == (0, 0)
    assert redis.keys("mastowatch:recent:look:*") == []


def test_every_key_has_an_end_and_a_look_that_has_ended_leaves_no_trace(redis):
    recent = RedisRecentPosts(redis, at_most=3)
    recent.remember(account(1), posts("1", 2), NOW)
    assert [key for key in redis.scan_iter() if not 0 < redis.ttl(key) <= 14 * DAY] == []
    redis.delete("mastowatch:recent:look:1")
    assert list(recent.since(0)) == []
    recent.remember(account(2), posts("2", 2), NOW + 1)
    recent.remember(account(3), posts("3", 1), NOW + 2)
    assert recent.count() == (2, 3)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(st.integers(1, 6), st.integers(0, 5), st.integers(1, 5000)), max_size=25), st.integers(0, 12))
def test_memory_and_redis_keep_the_same_and_never_too_much(redis, looks, at_most):
    # No two looks are of the same moment: which of those goes first is nobody's promise.
    redis.flushdb()
    stores = [MemoryRecentPosts(at_most=at_most), RedisRecentPosts(redis, at_most=at_most)]
    now = NOW
    for number, count, later in looks:
        now += later
        for store in stores:
            store.remember(account(number), posts(str(number), count), now)
    assert stores[0].count() == stores[1].count()
    assert stores[1].count()[1] <= at_most
    assert {one.account.id for one in stores[0].since(0)} == {one.account.id for one in stores[1].since(0)}


def test_a_surrogate_and_what_another_version_wrote_are_no_trouble(redis):
    look = Look(ACCOUNT, (POST,), NOW)
    assert unpack(pack(look)).statuses[0].content_html == "<p>buy ? now</p>"
    redis.set("mastowatch:recent:look:1", b"2 of a later version")
    redis.zadd("mastowatch:recent", {"1": NOW})
    assert list(RedisRecentPosts(redis).since(0)) == []


def test_a_field_that_this_version_does_not_know_is_passed_over():
    packed = pack(Look(ACCOUNT, (), NOW))
    from mastowatch.adapters import look_encoding

    plain = zlib.decompressobj(-15, zdict=look_encoding._COMMON).decompress(packed[1:])
    document = json.loads(plain)
    document["account"]["mood"] = "good"
    packer = zlib.compressobj(6, wbits=-15, zdict=look_encoding._COMMON)
    changed = packed[:1] + packer.compress(json.dumps(document).encode()) + packer.flush()
    assert unpack(changed) == Look(ACCOUNT, (), NOW)


@given(st.binary(max_size=200))
def test_damage_is_none_never_an_error(junk):
    assert unpack(junk) is None
    assert unpack(b"1" + junk) is None
    whole = pack(Look(ACCOUNT, (POST,), NOW))
    found = unpack(whole[: len(whole) // 2] + junk)
    assert found is None or isinstance(found, Look)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
moments = st.floats(0, 4e9).map(lambda at: datetime.fromtimestamp(at, UTC))


@settings(max_examples=200, deadline=None)
@given(
    st.builds(
        Account,
        *[texts] * 3,
        st.none() | texts,
        *[texts] * 3,
        moments,
        discovered_at=st.none() | moments,
        fields=st.lists(st.builds(Field, texts, texts), max_size=3).map(tuple),
        followers=st.integers(0, 10**9),
        bot=st.booleans(),
    ),
    st.lists(
        st.builds(
            Status,
            texts,
            st.just(""),
            moments,
            texts,
            visibility=st.sampled_from(["public", "unlisted"]),
            language=st.none() | texts,
            mentions=st.lists(texts, max_size=3).map(tuple),
            media=st.lists(st.builds(Media, texts, texts, texts), max_size=2).map(tuple),
        ),
        max_size=4,
    ),
)
def test_whatever_is_packed_comes_out_the_same(who, statuses):
    look = Look(who, tuple(replace(one, account_id=who.id) for one in statuses), NOW)
    assert unpack(pack(look)) == look


def test_a_redis_that_is_away_is_told_as_store_unavailable():
    with nowhere() as away, pytest.raises(StoreUnavailable, match="ConnectionError"):
        RedisRecentPosts(away).remember(ACCOUNT, [], NOW)
    with nowhere() as away, pytest.raises(StoreUnavailable, match="ConnectionError"):
        list(RedisRecentPosts(away).since(0))


def test_a_look_is_found_by_id_and_by_name(make):
    posts = make()
    posts.remember(ACCOUNT, (POST,), NOW)
    posts.remember(replace(ACCOUNT, id="2", acct="Ä@x.example"), (), NOW + 1)
    posts.remember(replace(ACCOUNT, id="3", acct="b"), (), NOW + 2)
    assert posts.get("1").account.acct == "a@x.example"
    assert posts.get("4") is None
    assert posts.find("A@X.example").account.id == "1"
    assert posts.find("ä@x.example").account.id == "2"
    assert posts.find("b").account.id == "3"
    assert posts.find("a") is None
