"""Writes a made-up town into mastodon-mock's database, with the bot that watches it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count

from mastodon_mock.db.models import (
    Account,
    MediaAttachment,
    OAuthToken,
    Relationship,
    Status,
    StatusMention,
    StatusTag,
)
from sqlalchemy.orm import Session

from tests.demo.languages import LANGUAGES
from tests.demo.town import FIRST_ACCOUNT, Resident, Toot, Town, as_html, settle

REMOTE, LOCAL = 5000, 500
PLANTED, MISSES = 2, 1  # of each kind and language
BOT, TOKEN = "watch", "demo-bot-token"
_BOT_ID = FIRST_ACCOUNT - 1


@dataclass(frozen=True)
class Population:
    """``planted`` and ``misses``: account id to kind; ``languages``: to the language of both.

    ``accounts`` and ``posts``: how many there are.
    """

    planted: dict[str, str]
    misses: dict[str, str]
    languages: dict[str, str]
    accounts: int
    posts: int


def populate(
    session: Session,
    now: datetime,
    seed: int = 1,
    *,
    accounts: int = REMOTE + LOCAL,
    planted: int = PLANTED,
    misses: int = MISSES,
    languages: tuple[str, ...] = tuple(LANGUAGES),
) -> Population:
    """Write the whole server into ``session`` and commit. See ``settle`` for the numbers."""
    town = settle(seed, accounts, planted=planted, misses=misses, languages=languages)
    writer = _Writer(town, now)
    for resident in town.residents:
        writer.add(resident)
    session.add(OAuthToken(access_token=TOKEN, account_id=_BOT_ID, scopes=["admin:read", "read", "write"]))
    writer.write(session)
    session.commit()
    languages = {str(one.id): one.person.language for one in town.residents if one.kind}
    return Population(town.planted, town.misses, languages, len(town.residents), len(writer.posts))


class _Writer:
    """Collects rows and writes them in bulk: 55,000 posts one by one would take a minute."""

    def __init__(self, town: Town, now: datetime) -> None:
        self.town, self.now = town, now.astimezone(UTC).replace(tzinfo=None)
        self.media_ids = count(1)
        bot = {"id": _BOT_ID, "username": BOT, "domain": None, "role": "admin"}
        self.accounts: list[dict[str, object]] = [{**bot, "created_at": self.now - timedelta(days=400)}]
        self.posts: list[dict[str, object]] = []
        self.mentions: list[dict[str, object]] = []
        self.tags: list[dict[str, object]] = []
        self.media: list[dict[str, object]] = []
        self.follows: list[dict[str, object]] = []
        self.ordinary: list[int] = []

    def add(self, one: Resident) -> None:
        person = one.person
        self.accounts.append(
            {
                "id": one.id,
                "username": one.username,
                "domain": one.domain,
                "created_at": self.now - person.age,
                "bot": person.bot,
                "display_name": person.name or one.username,
                "note": as_html(person.bio),
                "fields": [{"name": name, "value": as_html(value)} for name, value in person.fields.items()],
            }
        )
        for toot in one.toots:
            self._post(one, toot)
        for follower in self.ordinary[-person.followers :] if person.followers else ():
            self.follows.append({"source_account_id": follower, "target_account_id": one.id, "following": True})
        if not one.kind:
            self.ordinary.append(one.id)

    def write(self, session: Session) -> None:
        rows = ((Account, self.accounts), (Status, self.posts), (StatusMention, self.mentions), (StatusTag, self.tags))
        for model, found in (*rows, (MediaAttachment, self.media), (Relationship, self.follows)):
            if found:
                session.bulk_insert_mappings(model, found)

    def _post(self, one: Resident, toot: Toot) -> None:
        answers = None if toot.answers is None else self.town.residents[toot.answers].id
        self.posts.append(
            {
                "id": toot.id,
                "account_id": one.id,
                "content": "" if toot.post.boost else self.town.html(toot),
                "text": toot.post.text,
                "created_at": self.now - toot.post.ago,
                "in_reply_to_account_id": answers,
                # Whose it is makes no difference: boosts are never counted.
                "reblog_of_id": self.posts[0]["id"] if toot.post.boost and self.posts else None,
                "language": one.person.language,
            }
        )
        known = self.town.residents
        self.mentions += [{"status_id": toot.id, "account_id": known[number].id} for number in toot.mentioned]
        self.tags += [{"status_id": toot.id, "name": tag} for tag in toot.tags]
        self.media += [
            {"id": next(self.media_ids), "account_id": one.id, "status_id": toot.id, "type": "image", "blurhash": hash_}
            for hash_ in toot.post.media
        ]
