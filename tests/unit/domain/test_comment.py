import math
import re
import unicodedata
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastowatch.domain.comment import LENGTH_MAX, render
from mastowatch.domain.examples import NOW
from mastowatch.domain.verdict import Reason, Verdict
from tests.rules import seen

ACCOUNT, _ = seen(age="1d", followers=0)
TEXTS = st.text(st.characters(), max_size=300)
WEIGHTS = st.floats(0.000001, 1000) | st.integers(1, 5000).map(lambda tenths: tenths / 10)
REASONS = st.builds(
    Reason,
    rule_id=st.text("abc-", min_size=1, max_size=64),
    rule_name=TEXTS,
    weight=WEIGHTS,
    shadow=st.booleans(),
    evidence=TEXTS,
)
FIGURE = r"-?\d+\.\d+"


def rendered(*reasons, **changes):
    score = round(math.fsum(one.weight for one in reasons if not one.shadow), 6)
    verdict = Verdict(score, 0.0, "report", tuple(reasons))
    told = {"report_at": 5.0, "marker": "7f3a9c21", "attached": 5, "posts_seen": 20, "now": NOW, **changes}
    return render(verdict, ACCOUNT, **told)


def sum_of(text):
    """Add up what a reader sees."""
    lines = re.findall(rf"^\+ ({FIGURE}) ", text, re.MULTILINE)
    rest = re.findall(rf"^(?:\.\.\. and \d+ more \(|rounding: )({FIGURE})", text, re.MULTILINE)
    return sum(map(Decimal, lines + rest))


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


@given(st.lists(REASONS, max_size=60), st.text(st.characters(), max_size=400))
def test_it_always_fits_adds_up_and_keeps_its_marker(reasons, again):
    text = rendered(*reasons, again=again)
    assert len(text) <= LENGTH_MAX
    score = re.match(rf"MastoWatch: score ({FIGURE}) \(report at 5\.0\)\n", text)
    assert score
    assert sum_of(text) == Decimal(score[1])
    assert text.endswith("\nNo action was taken. [mw:7f3a9c21]")


@given(st.lists(REASONS, max_size=20), TEXTS)
def test_nothing_in_it_is_invisible_or_turns_the_text_round(reasons, again):
    text = rendered(*reasons, again=again)
    odd = {char for char in text if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
    assert odd <= {"\n", "\u200c", "\u200d"}
    text.encode()


@given(st.lists(st.sampled_from(["\n", "\r", "\u2028", "\x85", "\x0b", "a", " "]), max_size=30).map("".join))
def test_a_rule_takes_two_lines_whatever_is_in_its_name(name):
    text = rendered(Reason("one", f"Na{name}me", 5.0, False, f"ev{name}idence"))
    assert len(text.splitlines()) == 5


def test_evidence_is_shortened_before_a_rule_is_left_out():
    text = rendered(*(Reason(f"r{number}", f"Rule {number}", 2.0, False, "x" * 240) for number in range(6)))
    assert text.count("+ 2.0") == 6
    assert "xxx..." in text


def test_the_lightest_rules_are_left_out_counted_and_summed():
    text = rendered(*(Reason(f"r{number}", "A long name " * 6, 60.0 - number, False, "x") for number in range(60)))
    shown = text.count("[r")
    assert "+ 60.0" in text
    rest = sum(60 - number for number in range(shown, 60))
    assert f"... and {60 - shown} more ({rest}.0)\n" in text


@pytest.mark.parametrize(
    ("weights", "told"),
    [
        ((2.3, 2.7), ("score 5.0 ", "+ 2.3 ", "+ 2.7 ")),
        ((0.25, 4.75), ("score 5.0 ", "+ 0.25 ", "+ 4.75 ")),
        ((1 / 3, 1 / 3, 1 / 3), ("score 1.0 ", "+ 0.333333 ", "rounding: 0.000001\n")),
    ],
)
def test_weights_with_more_decimals_add_up_as_well(weights, told):
    text = rendered(*(Reason("one", "One", weight, False, "") for weight in weights))
    assert all(part in text for part in told)


def test_what_is_new_since_an_earlier_report_is_said_at_the_top():
    text = rendered(Reason("one", "One", 5.0, False, ""), again="Reported before (9); new since: rule one.")
    assert text.splitlines()[1] == "Reported before (9); new since: rule one."


PERSONAL = [
    "erika.mustermann@mail.example",
    "erika@mail",
    "@erika",
    "@erika@far.example",
    "erika\uff20mail.example",
    "203.0.113.77",
    "2001:db8::77",
    "+49 170 1234567",
    "(030) 123 456 789",
    "https://far.example/u/erika?mail=erika#top",
    "https://erika:pass@far.example/",
    "far.example/u/erika",
    "far.example?u=erika",
    "er\u200bika\u202e@mail.example",
    "WhatsApp+491701234567",
    "\u7535\u8bdd01701234567\u52a0",
    "IP203.0.113.77x",
    "https:/far.example/u/erika",
    "seehttps://far.example/u/erika",
    "//far.example/u/erika",
    "x//far.example/u/erika",
    "erika@mail.example://far.example",
]


SECRETS = ("erika", "mustermann", "203.0.113.77", "db8::77", "170", "1234567", "123 456", "pass")


@given(
    st.sampled_from(PERSONAL),
    st.text(" ,;()\"'!\n", max_size=3).map(lambda text: f" {text}"),
    st.text("abc .,", max_size=250),
    st.booleans(),
)
def test_nothing_personal_is_quoted(personal, edge, before, in_name):
    quoted = f"words: {before}{edge}{personal}{edge[::-1]} and so on"
    reason = Reason("one", quoted if in_name else "One", 5.0, False, "" if in_name else quoted)
    text = rendered(reason).lower()
    assert not [one for one in SECRETS if one in text]


@pytest.mark.parametrize(
    "harmless",
    [
        "words: airdrop, claim your, 100% free, 1,000,000,000 tokens",
        "links to: wallet-verify4.xyz, bit.ly and 3 more",
        "20 posts within 6 hours with >=2 mentions and >=1 link",
        "50 posts a day; 12 links in the profile; since 2026-01-01",
        "words: \u0441\u0430\u0441\u0438\u043d\u043e, \u7121\u6599, e.g. this/that at 12:30:45",
        "user name spam12345678901",
    ],
)
def test_what_a_moderator_needs_stays(harmless):
    assert f"\n  {harmless}\n" in rendered(Reason("one", "One", 5.0, False, harmless))
