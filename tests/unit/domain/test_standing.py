from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastowatch.domain import standing
from mastowatch.domain.comment import render
from mastowatch.domain.standing import News
from mastowatch.domain.verdict import Reason, Verdict
from mastowatch.ports.types import FiledReport, Status
from tests.rules import seen

AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
ACCOUNT, _ = seen(age="1d")


def verdict(*rules: str, posts: tuple[str, ...] = (), shadow: str = "") -> Verdict:
    reasons = [Reason(rule, rule, 5.0, False, "") for rule in rules]
    reasons += [Reason(shadow, shadow, 5.0, True, "")] if shadow else []
    return Verdict(5.0 * len(rules), 0.0, "report", tuple(reasons), status_ids=posts)


def comment(found: Verdict, marker: str = "0badcafe") -> str:
    return render(found, ACCOUNT, report_at=5, marker=marker, attached=0, posts_seen=0, now=AT)


def report(number: int, *rules: str, **changes) -> FiledReport:
    at = AT + timedelta(hours=number)
    return replace(FiledReport(str(number), "1", "2", comment(verdict(*rules)), at, resolved=True), **changes)


def posts(**minutes: int) -> tuple[Status, ...]:
    return tuple(Status(one, "2", AT + timedelta(minutes=made)) for one, made in minutes.items())


def test_a_marker_is_the_same_whenever_it_is_computed_and_another_for_anything_else():
    first = standing.marker("https://m.example", "1", "2", 1)
    assert first == standing.marker("https://m.example", "1", "2", 1) == "1e943bb9"
    others = [
        ("https://n.example", "1", "2", 1),
        ("https://m.example", "12", "", 1),
        ("https://m.example", "1", "2", 2),
    ]
    assert len({first, *(standing.marker(*other) for other in others)}) == 4


@given(st.integers(0, 2**32 - 1).map(lambda number: f"{number:08x}"))
def test_a_marker_is_read_from_the_comment_it_was_written_into(marker):
    assert standing.marker_in(comment(verdict("one"), marker)) == marker


@pytest.mark.parametrize("text", ["", "Spam!", "[mw:0badcafe] is what it wrote", "[mw:zzzzzzzz]", "[mw:0badcaf]"])
def test_a_report_written_by_hand_is_none_of_ours(text):
    assert standing.ours([report(1, comment=text)]) == ()


@given(st.lists(st.from_regex(r"[a-z0-9][a-z0-9-]{0,63}", fullmatch=True), min_size=1, max_size=30, unique=True))
def test_the_rules_are_read_from_a_comment_or_it_is_known_that_some_are_missing(ids):
    found, whole = standing.rules_in(comment(verdict(*ids, shadow="in-shadow")))
    assert list(found) == ids[: len(found)]
    assert whole == (len(found) == len(ids))


def test_a_rules_name_that_looks_like_a_line_of_the_comment_fools_nobody():
    reason = Reason("one", "+ 5.0 x [two]\n+ 5.0 y [three]", 5.0, False, "+ 5.0 z [four]")
    assert standing.rules_in(comment(Verdict(5.0, 0.0, "report", (reason,)))) == (("one",), True)


def test_new_are_rules_that_were_not_there_and_posts_made_after():
    found = verdict("one", "two", posts=("a", "b", "c"), shadow="three")
    made = posts(a=-1, b=1, c=2, d=3)
    assert standing.news(found, made, rules=["one"], status_ids=["c"], since=AT) == News(("two",), ("b",))
    assert not standing.news(found, made[:1], rules=["one", "two"], since=AT)
    assert standing.news(found, made, rules=None, since=AT) == News((), ("b", "c"))


def test_a_rule_that_any_earlier_report_had_is_not_new():
    reports = [report(2, "two"), report(1, "one")]
    assert not standing.news_since(reports, verdict("one", "two"), ())
    assert standing.news_since(reports, verdict("one", "two", "three"), ()) == News(("three",))


def test_posts_are_compared_with_the_newest_report():
    reports = [report(2, "one"), report(1, "one", status_ids=("late",))]
    found = verdict("one", posts=("old", "late", "new"))
    made = posts(old=90, late=150, new=150)
    assert standing.news_since(reports, found, made) == News((), ("new",))


def test_where_a_comment_does_not_name_all_rules_only_posts_are_new_unless_we_remember():
    many = [f"rule-{number}-{'x' * 50}" for number in range(30)]
    reports = [report(1, *many)]
    assert not standing.news_since(reports, verdict(*many), ())
    assert not standing.news_since(reports, verdict(*many), (), many)
    assert standing.news_since(reports, verdict(*many, "another"), (), many) == News(("another",))


@pytest.mark.parametrize(
    ("news", "said"),
    [
        (News(), "nothing new"),
        (News(("one",)), "rule one"),
        (News(("one", "two"), ("5",)), "rules one, two; 1 newer post"),
        (News((), ("5", "6")), "2 newer posts"),
    ],
)
def test_news_are_said_in_words(news, said):
    assert str(news) == said
