from mastowatch.processes.patience import Patience


def test_pauses_double_up_to_the_longest_and_begin_again_after_a_success():
    patience = Patience(60, chance=lambda: 0.0)
    assert [patience.next_s() for _ in range(9)] == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    patience.reset()
    assert patience.next_s() == 1


def test_chance_shortens_a_pause_by_up_to_a_half():
    assert Patience(60, chance=lambda: 1.0).next_s() == 0.5
    pauses = {Patience(60).next_s() for _ in range(20)}
    assert len(pauses) > 1
    assert all(0.5 <= one <= 1 for one in pauses)


def test_a_thousand_failures_are_no_overflow():
    patience = Patience(60)
    assert all(0 < patience.next_s() <= 60 for _ in range(2000))
