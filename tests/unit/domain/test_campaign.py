from datetime import timedelta

import pytest

from mastowatch.domain.campaign import PER_RULE, is_picture, span, stem
from mastowatch.domain.examples import NOW
from mastowatch.domain.template import template
from tests.rules import document, ruleset, seen

LINKS = {"same": "link_host", "accounts_min": 3, "within": "6h"}
YOUNG = {"age_max": "7d"}
TEXT = "Join our group today and learn how to earn money from home"


def wave(**changes):
    status = {} if changes.get("status", {}) is None else {"links_min": 1}
    return ruleset(
        document(**{"account": YOUNG, "campaign": LINKS, "status": status, "examples": None, **SHADOW, **changes})
    )


SHADOW = {"mode": "shadow"}


def sighted(rules, **example):
    account, statuses = seen(**{"age": "1d", **example})
    return rules.sightings(account, statuses, NOW)


def judged(rules, others, **example):
    account, statuses = seen(**{"age": "1d", **example})
    campaigns = dict.fromkeys(rules.sightings(account, statuses, NOW), others)
    return rules.judge(account, statuses, NOW, watch_at=2, report_at=5, campaigns=campaigns)


def test_a_rule_with_a_campaign_hits_when_enough_accounts_show_the_same_host():
    rules = wave(mode="report", examples={"match": [{}], "no_match": [{}]})
    verdict = judged(rules, ("7", "8"), posts=["see https://wallet-verify4.xyz/a"])
    assert verdict.level == "report"
    assert verdict.reasons[0].evidence.startswith("link host wallet-verify4.xyz from 3 accounts in 6 h; 1 post with")
    assert judged(rules, ("7",), posts=["see https://wallet-verify4.xyz/a"]).score == 0
    assert judged(rules, ("7", "1"), posts=["see https://wallet-verify4.xyz/a"]).score == 0, "itself counts once"


def test_an_account_is_read_once_for_its_sightings_and_its_verdicts(monkeypatch):
    rules, scanned = wave(), []
    scan_all = rules.matcher.scan_all
    monkeypatch.setattr(rules.matcher, "scan_all", lambda texts: (scanned.extend(texts), scan_all(texts))[1])
    account, statuses = seen(age="1d", posts=["https://a.example", "https://b.example"])
    counts = dict.fromkeys(rules.sightings(account, statuses, NOW), ("7", "8"))
    verdicts = [rules.judge(account, statuses, NOW, watch_at=2, report_at=5, campaigns=one) for one in (counts, {})]
    assert [len(one.reasons) for one in verdicts] == [1, 0]
    assert len(scanned) == 2
    later = rules.judge(account, statuses, NOW + timedelta(days=9), watch_at=2, report_at=5, campaigns=counts)
    assert later.reasons == (), "another time, another reading"
    assert rules.judge(account, [], NOW, watch_at=2, report_at=5, campaigns=counts).reasons == ()


def test_without_counts_a_campaign_never_hits():
    account, statuses = seen(age="1d", posts=["https://a.example"])
    assert wave().judge(account, statuses, NOW, watch_at=2, report_at=5).reasons == ()


def test_only_accounts_that_meet_the_other_conditions_are_sighted():
    rules = wave(**{"not": {"account": {"bot": True}, "status": {"words": ["museum"]}}})
    assert [one.value for one in sighted(rules, posts=["https://a.example"])] == ["a.example"]
    assert sighted(rules, age="30d", posts=["https://a.example"]) == ()
    assert sighted(rules, bot=True, posts=["https://a.example"]) == ()
    assert sighted(rules, posts=["museum https://a.example"]) == ()
    assert sighted(wave(status={"links_min": 1, "count_min": 2}), posts=["https://a.example"]) == ()


def test_only_posts_within_the_window_are_sighted_and_the_newest_gives_the_time():
    post = {"text": "https://a.example/1", "ago": "7h"}
    assert sighted(wave(), posts=[post]) == ()
    posts = [post, {"text": "https://a.example/2", "ago": "5h"}, {"text": "https://a.example/3", "ago": "2h"}]
    (one,) = sighted(wave(), posts=posts)
    assert one.at == (NOW - timedelta(hours=2)).timestamp()


def test_hosts_of_everybody_and_of_the_own_server_are_no_campaign():
    rules = wave(campaign={**LINKS, "hosts_except": ["youtube.com"]})
    posts = [
        "https://youtube.com/1 https://m.youtube.com/2 https://home.example/me https://a.example https://b.example"
    ]
    assert [one.value for one in sighted(rules, domain="home.example", posts=posts)] == ["a.example", "b.example"]


def test_only_the_posts_that_show_it_are_attached_and_the_largest_campaign_is_told_first():
    rules = wave()
    account, statuses = seen(age="1d", posts=["https://a.example", "https://b.example", "https://c.example"])
    a, b, c = rules.sightings(account, statuses, NOW)
    counts = {a: ("2", "3"), b: ("2", "3", "4"), c: ("2",)}
    (reason,) = rules.judge(account, statuses, NOW, watch_at=2, report_at=5, campaigns=counts).reasons
    assert reason.status_ids == ("9999", "9998")
    assert reason.evidence.startswith("link host b.example from 4 accounts in 6 h; link host a.example from 3 accounts")


def test_without_status_bio_and_fields_are_looked_at():
    rules = wave(status=None)
    assert [one.value for one in sighted(rules, bio="at https://a.example", posts=["https://b.example"])] == [
        "a.example"
    ]
    copied = wave(status=None, campaign={**LINKS, "same": "template"})
    assert len(sighted(copied, bio=TEXT)) == 1


def test_copies_of_a_text_are_the_same_whatever_links_mentions_and_numbers_they_have():
    rules = wave(status={}, campaign={**LINKS, "same": "template"})
    one, two = (
        sighted(rules, posts=[f"{TEXT} https://a.example @bob"]),
        sighted(rules, posts=[f"@al\u202eice  {TEXT.upper()} 77!! \U0001f680"]),
    )
    assert one == two
    assert one[0].value == ""
    assert sighted(rules, posts=["Good morning, everybody! How are you?"]) == ()
    told = judged(rules, ("7", "8"), posts=[TEXT]).reasons[0].evidence
    assert told.startswith("the same text from 3 accounts in 6 h")
    assert "money" not in told


def test_texts_of_scripts_without_spaces_have_a_size_too():
    assert template("おはようございます")[1] == 3
    assert template("今なら無料で登録できます副業で稼ぐ方法を教えますので気軽に連絡ください")[1] >= 8
    assert template("привет всем кто хочет заработать деньги дома сегодня")[1] == 8


def test_a_picture_is_told_by_its_hash_and_plain_colours_are_none():
    rules = wave(status={"media_min": 1}, campaign={**LINKS, "same": "media"})
    assert len(sighted(rules, posts=[{"text": "x", "media": 2}])) == 1
    assert "the same picture from 3 accounts" in judged(rules, ("7", "8"), posts=[{"media": 1}]).reasons[0].evidence
    assert is_picture("LEHV6nWB2yk8pyo0adR*.7kCMdnj")
    assert not any(map(is_picture, ["", "00OZZy", "L00000fQfQfQfQfQfQfQfQfQfQfQ", "L~TSUAfQfQfQfQfQfQfQfQfQfQfQ"]))


def test_user_names_that_differ_in_digits_make_a_series():
    rules = wave(status=None, campaign={**LINKS, "same": "name", "within": "2d"})
    assert sighted(rules, username="Anna_77") == sighted(rules, username="anna1234")
    assert sighted(rules, username="anna") == sighted(rules, username="bob77") == ()
    assert sighted(rules, username="anna77", age="3d") == ()
    assert (
        judged(rules, ("7", "8"), username="anna77").reasons[0].evidence
        == "user names like anna from 3 accounts in 2 days"
    )
    assert (stem("2fast4u"), stem("a.n-n_a9")) == ("fastu", "anna")


def test_an_account_that_shows_very_much_is_cut():
    posts = [" ".join(f"https://h{number}.example" for number in range(60))]
    assert len(sighted(wave(), posts=posts)) == PER_RULE
    many = ruleset(*(document(id=f"r{n}", account=YOUNG, campaign=LINKS, status={"links_min": 1}) for n in range(9)))
    assert len(sighted(many, posts=posts)) == 200


def test_rules_of_which_enough_accounts_are_known_are_reached():
    rules = wave()
    (one,) = sighted(rules, posts=["https://a.example"])
    assert rules.reached({one: ("1", "2")}) == []
    assert rules.reached({one: ("1", "2", "3")}) == [one]


def test_a_rule_in_shadow_or_dropped_to_it_counts_apart_and_its_sightings_go_on():
    rules = wave(mode="report", examples={"match": [{}], "no_match": [{}]})
    account, statuses = seen(age="1d", posts=["https://a.example"])
    counts = dict.fromkeys(rules.sightings(account, statuses, NOW), ("7", "8"))
    verdict = rules.judge(account, statuses, NOW, watch_at=2, report_at=5, campaigns=counts, shadowed={"one"})
    assert (verdict.score, verdict.shadow_score) == (0, 5)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (30, "30 s"),
        (2700, "45 min"),
        (3600, "1 h"),
        (5400, "1.5 h"),
        (86_400, "24 h"),
        (172_800, "2 days"),
        (180_000, "50 h"),
    ],
)
def test_a_window_is_told_in_short(seconds, told):
    assert span(timedelta(seconds=seconds)) == told
