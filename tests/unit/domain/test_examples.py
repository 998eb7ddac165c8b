import pytest

from mastowatch.domain.examples import NOW, POSTS_MAX, build
from mastowatch.errors import RuleError
from tests.rules import document, ruleset, seen


def failures(**changes):
    return [str(one).partition(" (")[0] for one in ruleset(document(**changes)).check_examples()]


def test_examples_that_hold_are_not_mentioned():
    assert failures() == []


def test_an_example_that_goes_the_other_way_is_named_with_file_and_number():
    examples = {"match": [{"posts": ["casino"]}, {"posts": ["poker"]}], "no_match": [{"posts": ["casino"]}]}
    assert failures(examples=examples) == [
        "0.toml: examples.match[2]: should match and does not",
        "0.toml: examples.no_match[1]: should not match and does",
    ]


def test_an_example_that_cannot_be_read_is_named_too():
    examples = {"match": [{"psots": ["casino"]}], "no_match": [{"posts": [{"text": "x", "mentions": "many"}]}]}
    assert failures(examples=examples) == [
        "0.toml: examples.match[1]: psots: is not a key of this table",
        "0.toml: examples.no_match[1]: posts[1].mentions: 'many' is not a whole number from 0",
    ]


def test_rules_in_the_shadow_are_tried_and_those_that_are_off_are_not():
    examples = {"match": [{"posts": ["poker"]}]}
    assert len(failures(mode="shadow", examples=examples)) == 1
    assert failures(mode="off", examples=examples) == []


def test_what_is_not_given_is_ordinary():
    account, statuses = seen(posts=["a", "b"])
    assert (account.followers, account.following, account.statuses, account.domain) == (50, 50, 2, None)
    assert (NOW - account.created_at).days == 400
    assert [status.content_html for status in statuses] == ["<p>a</p>", "<p>b</p>"]
    assert statuses[0].created_at > statuses[1].created_at


def test_all_that_is_given_arrives():
    post = {"text": "<x> https://a.example", "warning": "w", "mentions": 2, "tags": 1, "media": 3, "language": "en"}
    account, (status, _) = seen(username="Bob", domain="b.example", fields={"A": "b"}, bot=True, repeat=2, posts=[post])
    assert (account.acct, account.bot, account.fields[0].name) == ("Bob@b.example", True, "A")
    assert status.content_html == '<p>&lt;x&gt; <a href="https://a.example">https://a.example</a></p>'
    assert (len(status.mentions), len(status.tags), len(status.media)) == (2, 1, 3)
    assert (status.spoiler_text, status.language) == ("w", "en")


@pytest.mark.parametrize(
    ("example", "key"),
    [
        ({"posts": "x"}, "example.posts"),
        ({"posts": [1]}, "example.posts"),
        ({"age": 3}, "example.age"),
        ({"bio": 3}, "example.bio"),
        ({"fields": {"A": 1}}, "example.fields"),
        ({"posts": [{"txt": "x"}]}, "example.posts[1].txt"),
        ({"posts": ["x"], "repeat": POSTS_MAX + 1}, "example.posts"),
    ],
)
def test_a_bad_example_is_refused_with_its_key(example, key):
    with pytest.raises(RuleError) as caught:
        build(example, file="a.toml", table="example")
    assert caught.value.key == key
