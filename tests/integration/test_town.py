"""The demo's town as the mock serves it over HTTP is the town that the rules' tests judge without a server."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from mastodon_mock.config import MastodonMockConfig, SeedConfig

from tests.demo.population import TOKEN, Population, populate
from tests.demo.town import Town, settle
from tests.mastodon_client import client
from tests.mastodon_server import MockMastodon, running_mock

ACCOUNTS, LANGUAGES = 220, ("en", "ja")
NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(scope="module")
def town() -> Town:
    return settle(1, ACCOUNTS, planted=1, misses=1, languages=LANGUAGES)


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[MockMastodon, Population]]:
    written: list[Population] = []

    def fill(session: Any) -> None:
        written.append(populate(session, NOW, accounts=ACCOUNTS, planted=1, misses=1, languages=LANGUAGES))

    with running_mock(MastodonMockConfig(seed=SeedConfig()), fill) as mock:
        yield mock, written[0]


def test_the_population_tells_who_was_planted(town, served):
    people = served[1]
    assert (people.planted, people.misses) == (town.planted, town.misses)
    assert set(people.languages.values()) == set(LANGUAGES)
    assert people.posts == sum(len(one.toots) for one in town.residents)


def test_profiles_and_posts_are_read_as_the_rules_tests_see_them(town, served, redis):
    mastodon = client(served[0].url, TOKEN, redis, per_5_min=100_000, paged_per_15_min=100_000)
    kinds = {one.kind: one for one in reversed(town.residents)}  # one of each
    for one in kinds.values():
        account, statuses = town.look(one, NOW)
        read, posts = mastodon.account(str(one.id)), mastodon.account_statuses(str(one.id))
        assert profile(read) == profile(account), one.kind
        own = [status for status in statuses if not status.reblog][:40]
        assert [looks(status) for status in posts if not status.reblog] == [looks(status) for status in own], one.kind


def profile(account: Any) -> Any:
    return (
        *(account.id, account.acct, account.created_at.replace(microsecond=0), account.display_name, account.note_html),
        *(account.fields, account.statuses, account.bot),
    )


def looks(status: Any) -> Any:
    return (
        *(
            status.id,
            status.created_at.replace(microsecond=0),
            status.content_html,
            status.language,
            status.in_reply_to_account_id,
        ),
        *(sorted(status.mentions), sorted(status.tags), [one.blurhash for one in status.media]),
    )
