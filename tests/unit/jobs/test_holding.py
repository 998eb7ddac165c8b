"""The hold: batches, a pause for busy authors, and a bound."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from mastowatch.jobs.holding import AGAIN_S, WAIT_S, Hold
from mastowatch.jobs.sifting import POSTS_PER_AUTHOR
from mastowatch.ports.types import Account, Sighted, Status

AT = datetime(2026, 1, 1, tzinfo=UTC)


def sighted(post: int, author: int) -> Sighted:
    account = Account(str(author), f"a{author}", f"a{author}", None, "", "", "", AT)
    return Sighted(Status(str(post), str(author), AT), account, str(post))


def test_a_few_posts_wait_a_second_and_twenty_go_at_once():
    hold = Hold()
    hold.add([sighted(number, number) for number in range(19)], 100.0)
    assert hold.ripe(100.0) == []
    assert len(hold.ripe(100.0 + WAIT_S)) == 19
    hold.add([sighted(19, 19)], 100.0)
    assert len(hold.ripe(100.0)) == 20


def test_what_is_ripe_stays_until_it_is_let_go():
    hold = Hold()
    hold.add([sighted(1, 1)], 0.0)
    assert hold.ripe(5.0) == hold.ripe(5.0) == [sighted(1, 1)]
    hold.let_go(hold.ripe(5.0), 5.0)
    assert hold.ripe(500.0) == []
    assert len(hold) == 0


def test_an_author_who_went_on_waits_a_minute_and_others_do_not():
    hold = Hold()
    hold.add([sighted(1, 1)], 0.0)
    hold.let_go(hold.ripe(1.0), 1.0)
    hold.add([sighted(2, 1), sighted(3, 2)], 2.0)
    assert [one.version for one in hold.ripe(3.0)] == ["3"]
    assert [one.version for one in hold.ripe(AGAIN_S + 1.0)] == ["2", "3"]
    assert [one.version for one in hold.ripe(3.0, all_of_them=True)] == ["2", "3"]


def test_twenty_posts_of_authors_who_wait_their_minute_do_not_go_at_once():
    hold = Hold()
    authors = [sighted(number, number) for number in range(30)]
    hold.add(authors, 0.0)
    hold.let_go(hold.ripe(1.0), 1.0)
    hold.add([sighted(100 + number, number) for number in range(30)], 2.0)
    assert hold.ripe(3.0) == []


def test_past_the_bound_there_is_no_room_but_for_authors_who_are_held_already():
    hold = Hold(authors_max=2)
    assert hold.add([sighted(1, 1), sighted(2, 2)], 0.0)
    assert not hold.add([sighted(3, 3)], 0.0)
    assert hold.add([sighted(4, 1)], 0.0)
    assert {one.account.id for one in hold.ripe(9.0)} == {"1", "2"}


@given(st.lists(st.tuples(st.integers(1, 5), st.floats(0, 30)), max_size=60))
def test_no_author_goes_on_twice_within_a_minute_and_none_is_forgotten(steps):
    hold, now, went = Hold(), 0.0, []
    for number, (author, later) in enumerate(steps):
        now += later
        hold.add([sighted(number, author)], now)
        ripe = hold.ripe(now)
        went += [(now, one) for one in {one.account.id for one in ripe}]
        hold.let_go(ripe, now)
    ripe = hold.ripe(now + AGAIN_S + WAIT_S)
    assert {str(author) for author, _ in steps} == {one for _, one in went} | {one.account.id for one in ripe}
    for author in range(1, 6):
        times = [at for at, one in went if one == str(author)]
        # What was added up in another order may differ in the last digit.
        assert all(after - before >= AGAIN_S - 1e-6 for before, after in itertools.pairwise(times))
    assert len(hold) <= 5 * POSTS_PER_AUTHOR
