"""A sentinel that answers nonsense keeps nobody from asking the others."""

from typing import Any

import pytest
from redis.sentinel import MasterNotFoundError

from mastowatch.adapters.redis_sentinel import Sentinels

GOOD = {"is_master": True, "is_sdown": False, "is_odown": False, "num-other-sentinels": 2, "ip": "10.0.0.1", "port": 1}
NONSENSE: list[Any] = [
    {"mw": {}},
    {"mw": None},
    {"mw": {**GOOD, "port": "x"}},
    None,
    [],
    {"mw": {**GOOD, "ip": b"\xff"}},
]


def sentinels(*answers: Any) -> Sentinels:
    made = Sentinels([(f"s{number}", 1) for number in range(len(answers))])
    for one, answer in zip(made.sentinels, answers, strict=True):
        one.sentinel_masters = lambda answer=answer: answer
    return made


@pytest.mark.parametrize("nonsense", NONSENSE)
def test_the_others_are_asked(nonsense):
    assert sentinels(nonsense, {"mw": GOOD}, {"mw": GOOD}).discover_master("mw") == ("10.0.0.1", 1)


@pytest.mark.parametrize("nonsense", NONSENSE)
def test_without_a_majority_it_is_told_who_answered_nonsense(nonsense):
    with pytest.raises(MasterNotFoundError, match="s0:1: "):
        sentinels(nonsense, nonsense, {"mw": GOOD}).discover_master("mw")
