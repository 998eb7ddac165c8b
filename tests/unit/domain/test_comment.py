from hypothesis import given
from hypothesis import strategies as st

from mastowatch.domain.comment import LENGTH_MAX, render
from mastowatch.domain.examples import NOW
from mastowatch.domain.verdict import Reason, Verdict
from tests.rules import seen

ACCOUNT, _ = seen(age="1d", followers=0)
LINES = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=300)
REASONS = st.builds(
    Reason,
    rule_id=st.text("abc-", min_size=1, max_size=64),
    rule_name=LINES.map(lambda text: text[:80]),
    weight=st.floats(0.1, 1000),
    shadow=st.booleans(),
    evidence=LINES,
)


def rendered(*reasons, score=16.0):
    verdict = Verdict(score, 0.0, "report", tuple(reasons))
    return render(verdict, ACCOUNT, report_at=5.0, marker="7f3a9c21", attached=5, posts_seen=20, now=NOW)


def test_it_says_why_in_a_few_lines():
    assert rendered(
        Reason("mention-wave", "Mass-mention wave", 10.0, False, "8 posts within 6 hours"),
        Reason("crypto", "Crypto spam", 6.0, False, "words: airdrop"),
        Reason("tried-out", "In the shadow", 99.0, True, "words: never shown"),
    ) == (
        "MastoWatch: score 16.0 (report at 5.0)\n"
        "+ 10.0 Mass-mention wave [mention-wave]\n"
        "  8 posts within 6 hours\n"
        "+ 6.0 Crypto spam [crypto]\n"
        "  words: airdrop\n"
        "Account: 1 day old, 0 followers. Posts attached: 5 of 20.\n"
        "No action was taken. [mw:7f3a9c21]"
    )


@given(st.lists(REASONS, max_size=60))
def test_it_always_fits_and_always_keeps_its_marker(reasons):
    text = rendered(*reasons)
    assert len(text) <= LENGTH_MAX
    assert text.startswith("MastoWatch: score 16.0 (report at 5.0)\n")
    assert text.endswith("\nNo action was taken. [mw:7f3a9c21]")


def test_evidence_is_shortened_before_a_rule_is_left_out():
    text = rendered(*(Reason(f"r{number}", f"Rule {number}", 2.0, False, "x" * 240) for number in range(6)))
    assert text.count("+ 2.0") == 6
    assert "xxx..." in text


def test_the_lightest_rules_are_left_out_and_counted():
    text = rendered(*(Reason(f"r{number}", "A long name " * 6, 60.0 - number, False, "x") for number in range(60)))
    shown = text.count("[r")
    assert "+ 60.0" in text
    assert f"... and {60 - shown} more\n" in text
