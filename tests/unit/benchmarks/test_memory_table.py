"""The page on memory states what the bound works out to."""

from __future__ import annotations

from pathlib import Path

from benchmarks.load.bound import EXAMPLES, FAMILIES, Host, table, total
from mastowatch.config import Settings

PAGE = Path(__file__).parents[3] / "docs" / "explanation" / "memory.md"


def test_the_page_has_the_table():
    missing = [line for line in table() if line not in PAGE.read_text().splitlines()]
    assert missing == [], "python -m benchmarks.load.bound --markdown prints it"


def test_beyond_some_size_only_requests_and_webhooks_count():
    large, larger = Host(10_000_000, 0), Host(1_000_000_000, 0)
    assert total(large) == total(larger)


def test_no_server_needs_less_than_a_smaller_one():
    sizes = [total(one) for one in EXAMPLES]
    assert sizes == sorted(sizes)


def test_more_requests_allow_for_more_memory():
    host = EXAMPLES[-1]
    more = Settings(api_requests_per_5_minutes=3000)
    assert total(Host(host.known, host.webhooks, host.rules, more)) > total(host)


def test_each_kind_of_keys_stands_there_once():
    names = [family.keys for family in FAMILIES]
    assert len(names) == len(set(names))
