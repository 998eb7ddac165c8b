"""How the host tests measure on processors that others use as well."""

import pytest

from tests.host.strikes import Took, best, strike, told

LIMIT_S = 2.0


def each(*took):
    left = [one if isinstance(one, Took) else Took(one) for one in took]
    return lambda: left.pop(0)


def test_one_that_is_quick_enough_is_enough():
    assert strike(each(1.9, 0.1), LIMIT_S, 4) == [Took(1.9)]


def test_a_slow_one_is_tried_again_until_one_is_quick_enough():
    took = strike(each(3.1, 2.2, 1.5, 0.1), LIMIT_S, 4)
    assert [one.seconds for one in took] == [3.1, 2.2, 1.5]
    assert best(took, LIMIT_S) == 1.5
    assert told(took, LIMIT_S) == "1.5 s, before: 3.1, 2.2"


def test_what_is_slow_each_time_is_too_slow():
    took = strike(each(3.1, 2.6, 2.7), LIMIT_S, 3)
    assert best(took, LIMIT_S) == 2.6 > LIMIT_S


def test_the_strikes_before_count_as_some_of_them():
    assert len(strike(each(2.5, 2.4), LIMIT_S, 3, first=[Took(2.6)])) == 3
    assert strike(each(), LIMIT_S, 3, first=[Took(0.5)]) == [Took(0.5)]


def test_a_wait_for_a_processor_is_no_time_of_its_own_and_is_told():
    took = strike(each(Took(3.0, 1.5), Took(4.0, 1.0)), LIMIT_S, 2)
    assert best(took, LIMIT_S) == pytest.approx(1.5)
    assert told(took, LIMIT_S) == "4.0 s (1.0 s waiting for a processor), before: 3.0"
