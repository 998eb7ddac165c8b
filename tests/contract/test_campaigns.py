"""One suite for campaigns in memory and in Redis."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mastowatch.adapters import memory_campaigns, redis_campaigns
from mastowatch.errors import StoreUnavailable
from mastowatch.ports.types import Sighting
from tests.redis_server import nowhere

NOW = 1_767_268_800.125
HOUR = 3600.0
ONE = Sighting("rule", "link_host", "abc", "a.example", 6 * HOUR, NOW)


@pytest.fixture(params=["memory", "redis"])
def campaigns(request, redis):
    return memory_campaigns.MemoryCampaigns() if request.param == "memory" else redis_campaigns.RedisCampaigns(redis)


def at(moment: float, **changes) -> Sighting:
    return replace(ONE, at=moment, **changes)


def noted(campaigns, account_id: str, *sightings: Sighting, now: float = NOW) -> list[set[str]]:
    return [set(ids) for ids in campaigns.note(sightings, account_id, now).values()]


def test_accounts_that_show_the_same_are_counted_once_each(campaigns):
    assert noted(campaigns, "1", ONE) == [{"1"}]
    assert noted(campaigns, "1", ONE) == [{"1"}]
    assert noted(campaigns, "2", ONE, replace(ONE, rule_id="other"), replace(ONE, value_hash="def")) == [
        {"1", "2"},
        {"2"},
        {"2"},
    ]
    assert campaigns.note([], "3", NOW) == {}


def test_what_was_shown_before_the_window_is_forgotten_and_looking_again_does_not_renew_it(campaigns):
    noted(campaigns, "1", at(NOW - 5 * HOUR))
    assert noted(campaigns, "2", ONE) == [{"1", "2"}]
    later = NOW + 2 * HOUR
    assert noted(campaigns, "2", ONE, now=later) == [{"2"}], "the first has left the window"
    assert noted(campaigns, "1", at(NOW - 5 * HOUR), now=later) == [{"2"}], "and is no part of it by being judged again"


def test_the_newest_time_counts_and_the_future_is_now(campaigns):
    noted(campaigns, "1", ONE)
    noted(campaigns, "1", at(NOW - 5 * HOUR))
    noted(campaigns, "2", at(NOW + 100 * HOUR))
    assert noted(campaigns, "3", at(NOW + 4 * HOUR), now=NOW + 4 * HOUR) == [{"1", "2", "3"}]
    assert noted(campaigns, "3", at(NOW + 7 * HOUR), now=NOW + 7 * HOUR) == [{"3"}]


def test_the_newest_500_accounts_are_kept(campaigns):
    for number in range(510):
        campaigns.note([at(NOW + number)], str(number), NOW + number)
    (found,) = noted(campaigns, "last", at(NOW + 600), now=NOW + 600)
    assert len(found) == 500
    assert "last" in found
    assert "10" not in found
    assert "11" in found


def test_no_more_than_200_sightings_are_looked_at(campaigns):
    many = [replace(ONE, value_hash=str(number)) for number in range(300)]
    assert len(campaigns.note(many, "1", NOW)) == 200


def test_a_campaign_is_woken_once_and_only_after_its_accounts_were_queued(campaigns):
    other = replace(ONE, value_hash="def")

    def fail():
        raise StoreUnavailable("away")

    with pytest.raises(StoreUnavailable):
        campaigns.wake(ONE, fail)
    assert campaigns.woken([ONE, other]) == frozenset()
    queued = []
    campaigns.wake(ONE, lambda: queued.append("1"))
    assert queued == ["1"]
    assert campaigns.woken([ONE, other]) == {ONE}
    assert campaigns.woken([]) == frozenset()


def test_who_only_looks_notes_nothing(campaigns):
    noted(campaigns, "1", at(NOW - HOUR))
    noted(campaigns, "2", ONE)
    other = replace(ONE, value_hash="other")
    assert campaigns.seen([ONE, other], NOW) == {ONE: ("1", "2"), other: ()}
    assert campaigns.seen([ONE], NOW + 5.5 * HOUR) == {ONE: ("2",)}
    assert campaigns.seen([], NOW) == {}
    assert noted(campaigns, "3", other) == [{"3"}]


def test_every_key_ends_with_its_window(redis):
    campaigns = redis_campaigns.RedisCampaigns(redis)
    campaigns.note([ONE], "1", NOW)
    campaigns.wake(ONE, lambda: None)
    keys = redis.keys("*")
    assert len(keys) == 4
    assert all(0 < redis.ttl(key) <= 6 * HOUR + 1 for key in keys)
    assert all(b"a.example" not in key for key in keys)


def test_the_longest_window_keeps_the_index_until_all_have_ended(redis):
    campaigns = redis_campaigns.RedisCampaigns(redis)
    campaigns.note([replace(ONE, within_s=24 * HOUR)], "1", NOW)
    campaigns.note([replace(ONE, value_hash="def")], "1", NOW)
    assert all(redis.ttl(key) > 23 * HOUR for key in (campaigns.INDEX, campaigns.SIZES))


def test_all_campaigns_together_keep_so_many_accounts_and_those_that_end_first_make_room(redis):
    campaigns = redis_campaigns.RedisCampaigns(redis, at_most=10)
    long = [replace(ONE, value_hash=f"long{number}", within_s=24 * HOUR) for number in range(4)]
    campaigns.note(long, "1", NOW)
    for number in range(50):
        campaigns.note([replace(ONE, value_hash=f"short{number}", at=NOW + number)], "2", NOW + number)
    kept = set(redis.scan_iter("mastowatch:campaign:*"))
    assert len(kept) == 10
    assert set(campaigns.seen(long, NOW + 50).values()) == {("1",)}
    assert int(redis.hget(campaigns.SIZES, "all")) == 10
    assert redis.zcard(campaigns.INDEX) == redis.hlen(campaigns.SIZES) - 1 == 10


def test_campaigns_that_have_ended_leave_the_index(redis):
    campaigns = redis_campaigns.RedisCampaigns(redis)
    campaigns.note([ONE, replace(ONE, value_hash="def")], "1", NOW)
    campaigns.note([at(NOW + 7 * HOUR, value_hash="ghi")], "1", NOW + 7 * HOUR)
    assert redis.zrange(campaigns.INDEX, 0, -1) == [b"rule:link_host:ghi"]
    assert redis.hgetall(campaigns.SIZES) == {b"all": b"1", b"rule:link_host:ghi": b"1"}


@pytest.mark.parametrize(
    "use",
    [
        lambda campaigns: campaigns.note([ONE], "1", NOW),
        lambda campaigns: campaigns.seen([ONE], NOW),
        lambda campaigns: campaigns.woken([ONE]),
        lambda campaigns: campaigns.wake(ONE, lambda: None),
    ],
    ids=["note", "seen", "woken", "wake"],
)
def test_a_redis_that_is_away_is_told_as_store_unavailable(use):
    with nowhere() as away, pytest.raises(StoreUnavailable, match="ConnectionError"):
        use(redis_campaigns.RedisCampaigns(away))
