from datetime import timedelta

import pytest

from mastowatch.domain.evidence import LENGTH_MAX, age
from tests.rules import WORDS, document, judged, ruleset


def evidence(example, **changes):
    return judged(ruleset(document(**changes)), **example).reasons[0].evidence


def test_it_counts_posts_and_quotes_words_and_hosts():
    wanted = {"words": ["airdrop", "claim your"], "links_min": 1, "mentions_min": 2, "count_min": 2, "within": "6h"}
    post = {"text": "Claim your AIRDROP https://wallet.example/x?id=secret", "mentions": 2}
    assert evidence({"posts": [post], "repeat": 3}, status=wanted) == (
        "3 posts within 6 hours with >=2 mentions and >=1 link; words: claim your, airdrop; links to: wallet.example"
    )


def test_profiles_are_told_by_their_figures():
    account = {"bio_words": ["forex"], "links_min": 1}
    assert evidence({"bio": "Forex https://a.example"}, status=None, account=account) == (
        "1 link in the profile; words: forex; links to: a.example"
    )
    assert evidence({"age": "2d", "statuses": 9}, status=None, account={"age_max": "7d"}) == (
        "account 2 days old, 50 followers, 9 posts"
    )


def test_words_in_disguise_are_told_plainly():
    assert "disguised: winner" in evidence({"posts": ["w\u0456nner"]}, status={"lookalike": True})


def test_only_some_of_many_words_are_quoted():
    words = [f"word{number}" for number in range(30)]
    told = evidence({"posts": [" ".join(words)]}, status={"words": words})
    assert "word5 and 24 more" in told


def test_it_is_one_line_of_bearable_length_whatever_a_pattern_finds():
    found = {"posts": ["x" * 3000 + " " + "y" * 3000]}
    told = evidence(found, status={"pattern": "x+ y+", "words": ["y" * 500, "x" * 3000]})
    assert len(told) <= LENGTH_MAX
    assert "\n" not in told


def test_addresses_that_a_pattern_finds_are_left_out():
    told = evidence({"posts": ["write bob.smith@mail.example now"]}, status={"pattern": "[a-z.]+@[a-z.]+"})
    assert "(address)" in told
    assert "@" not in told


def test_a_post_is_never_quoted_whole():
    text = "casino and forty more words " * 20
    assert text[:60] not in evidence({"posts": [text]}, status=WORDS)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (timedelta(days=-1), "less than a minute"),
        (timedelta(seconds=59), "less than a minute"),
        (timedelta(minutes=1), "1 minute"),
        (timedelta(hours=5), "5 hours"),
        (timedelta(days=1), "1 day"),
        (timedelta(days=800), "2 years"),
    ],
)
def test_ages_are_told_in_words(value, told):
    assert age(value) == told
