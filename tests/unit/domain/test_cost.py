"""How much one account can cost, counted in characters, not in seconds: every step has an end that no post moves."""

from __future__ import annotations

import pytest
import re2

from mastowatch.domain import text as module
from mastowatch.domain.examples import NOW
from mastowatch.domain.text import HTML_MAX, LINKS_MAX, PARSED_MAX, TEXT_MAX
from mastowatch.ports.types import Media, Status
from tests.rules import document, ruleset, seen

EVIL = ["(a+)+$", "(a|aa)+$", "(.*a){20}$", "a{1,300}a{0,300}$"]
MEGABYTES = {
    "words": "<p>" + "word " * 2_000_000,
    "one letter": "a" * 10_000_000 + "b",
    "div": "<div>" * 2_000_000,
    "nested": "<b><p>" * 1_700_000,
    "attribute": '<a class="' + "m " * 5_000_000 + '" href="https://x.example">',
    "links": '<a href="https://x.example/1">x</a>' * 300_000,
    "entities": "&amp;" * 2_000_000,
    "ligatures": "\ufdfa" * 3_000_000,
    "open tags": "<" * 10_000_000,
}


@pytest.fixture
def counted(monkeypatch):
    """Count what each step is given: the largest text that is scanned, split at tags, and parsed."""
    sizes = {"scanned": 0, "split": 0, "parsed": 0}

    def note(step: str, size: int) -> None:
        sizes[step] = max(sizes[step], size)

    def watched(rules):
        scan_all = rules.matcher.scan_all
        monkeypatch.setattr(
            rules.matcher,
            "scan_all",
            lambda texts: (note("scanned", max(map(len, texts), default=0)), scan_all(texts))[1],
        )
        read, parser = module._read, module.LexborHTMLParser
        monkeypatch.setattr(module, "_read", lambda html: (note("split", len(html)), read(html))[1])
        monkeypatch.setattr(module, "LexborHTMLParser", lambda html: (note("parsed", len(html)), parser(html))[1])
        return sizes

    return watched


@pytest.mark.parametrize("html", MEGABYTES.values(), ids=MEGABYTES)
def test_ten_megabytes_of_a_post_are_cut_before_every_step(counted, html):
    rules = ruleset(*(document(id=f"r{number}", status={"pattern": one}) for number, one in enumerate(EVIL)))
    sizes = counted(rules)
    account, _ = seen(age="1d")
    post = Status("1", "1", NOW, html, spoiler_text=html, media=(Media("image", html),))
    rules.judge(account, [post], NOW, watch_at=2, report_at=5)
    assert 0 < sizes["scanned"] <= TEXT_MAX
    assert 0 < sizes["split"] <= HTML_MAX
    assert sizes["parsed"] <= PARSED_MAX * 2, "a line's end is put before each tag"
    assert len(module.read_html(html).links) <= LINKS_MAX


def test_profiles_are_cut_as_posts_are(counted):
    rules = ruleset(document(status=None, account={"bio_pattern": "x(a+)+$", "name_words": ["casino"]}))
    sizes = counted(rules)
    account, statuses = seen(bio="a" * 5_000_000, name="casino " * 1_000_000)
    rules.judge(account, statuses, NOW, watch_at=2, report_at=5)
    assert 0 < sizes["scanned"] <= TEXT_MAX
    assert sizes["split"] <= HTML_MAX


def test_every_pattern_is_run_by_an_engine_that_is_linear_in_the_text():
    rules = ruleset(*(document(id=f"r{number}", status={"pattern": one}) for number, one in enumerate(EVIL)))
    engines = {type(one).__module__ for one in rules.matcher._patterns}
    assert engines == {type(re2.compile("a")).__module__} == {"re2"}
    assert {type(one.compiled) for one in rules.matcher._sets} == {re2.Set}


def test_what_an_account_can_have_counted_is_bounded(counted):
    campaign = {"same": "link_host", "accounts_min": 2, "within": "7d"}
    rules = ruleset(
        *(
            document(id=f"r{number}", account={"age_max": "7d"}, campaign=campaign, status={"links_min": 1})
            for number in range(50)
        )
    )
    account, _ = seen(age="1d")
    html = "".join(f'<a href="https://h{number}.example">x</a>' for number in range(500))
    assert len(rules.sightings(account, [Status("1", "1", NOW, html)], NOW)) == 200
