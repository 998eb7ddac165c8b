"""Turns Mastodon's JSON into our values. What is personal (e-mail, IPs, invite texts) is dropped right here.

Odd and missing fields survive: a server of another version or kind must not end a poll.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from mastowatch.ports.types import Account, Field, Media, Status

Json = Mapping[str, Any]

# Mastodon's role "everyone": its id, and the one right it carries by default (to invite users).
_EVERYONE_ID, _EVERYONE_RIGHTS = "-99", 0x10000
# Stands for a creation time that can't be read: so old that no rule on new accounts counts it.
_EPOCH = datetime.fromtimestamp(0, UTC)
# Before this there was no Mastodon, and an id that says so carries no time.
_FIRST_SERVER = datetime(2016, 1, 1, tzinfo=UTC)


def admin_account(json: Json, now: datetime) -> Account:
    """Return the account of an Admin::Account entity, whose outer fields are the more exact ones.

    The inner account's ``created_at`` is cut to midnight, and it knows neither domain nor role.
    """
    inner = _object(json.get("account"))
    username, domain = _text(json.get("username") or inner.get("username")), _text(json.get("domain"))
    public = {
        **inner,
        "id": json.get("id") or inner.get("id"),
        "username": username,
        "acct": inner.get("acct") or (f"{username}@{domain}" if domain else username),
        "created_at": json.get("created_at") or inner.get("created_at"),
        "suspended": json.get("suspended") or inner.get("suspended"),
        "limited": json.get("silenced") or inner.get("limited"),
        "role": json.get("role"),
    }
    return public_account(public, now)


def public_account(json: Json, now: datetime) -> Account:
    """Return the account of an Account or CredentialAccount entity."""
    account_id, username = _text(json.get("id")), _text(json.get("username"))
    acct = _text(json.get("acct")) or username
    return Account(
        id=account_id,
        acct=acct,
        username=username,
        domain=acct.partition("@")[2] or None,
        display_name=_text(json.get("display_name")),
        note_html=_text(json.get("note")),
        url=_text(json.get("url")),
        created_at=_time(json.get("created_at")) or _EPOCH,
        discovered_at=discovered(account_id, now),
        last_status_at=_time(json.get("last_status_at")),
        fields=tuple(Field(_text(one.get("name")), _text(one.get("value"))) for one in _objects(json.get("fields"))),
        followers=_count(json.get("followers_count")),
        following=_count(json.get("following_count")),
        statuses=_count(json.get("statuses_count")),
        bot=bool(json.get("bot")),
        staff=any(map(is_staff, (_object(json.get("role")), *_objects(json.get("roles"))))),
        suspended=bool(json.get("suspended")),
        silenced=bool(json.get("limited")),
    )


def is_staff(role: Json) -> bool:
    """Tell whether a Role entity marks a member of staff.

    Any right beyond inviting does, and so does being shown on the profile or having a name: mastodon-mock's
    moderators have no other mark, and to leave one account too many alone is the safe mistake.
    """
    rights = _count(role.get("permissions"))
    named = bool(role.get("name")) and _text(role.get("id")) not in ("", _EVERYONE_ID)
    return bool(rights & ~_EVERYONE_RIGHTS) or bool(role.get("highlighted")) or named


def status(json: Json) -> Status | None:
    """Return the post of a Status entity; None unless it says that it is public or unlisted."""
    visibility = json.get("visibility")
    if visibility not in ("public", "unlisted"):
        return None
    reblog = bool(json.get("reblog"))
    # The wrapper of a boost repeats the boosted person's words, which are not its account's.
    own: Json = {} if reblog else json
    return Status(
        id=_text(json.get("id")),
        account_id=_text(_object(json.get("account")).get("id")),
        created_at=_time(json.get("created_at")) or _EPOCH,
        content_html=_text(own.get("content")),
        spoiler_text=_text(own.get("spoiler_text")),
        visibility=visibility,
        language=_text(own.get("language")) or None,
        url=_text(json.get("url")),
        in_reply_to_account_id=_text(own.get("in_reply_to_account_id")) or None,
        mentions=tuple(_text(one.get("acct")) for one in _objects(own.get("mentions"))),
        tags=tuple(_text(one.get("name")) for one in _objects(own.get("tags"))),
        media=tuple(map(_media, _objects(own.get("media_attachments")))),
        reblog=reblog,
    )


def discovered(account_id: str, now: datetime) -> datetime | None:
    """Return when this server first saw the account: all but the lowest 16 bits of its id are milliseconds."""
    if not (account_id.isascii() and account_id.isdigit() and len(account_id) < 20):
        return None
    at = _EPOCH + timedelta(milliseconds=int(account_id) >> 16)
    return at if _FIRST_SERVER <= at <= now + timedelta(days=1) else None


def _media(json: Json) -> Media:
    return Media(_text(json.get("type")) or "unknown", _text(json.get("description")), _text(json.get("blurhash")))


def _time(value: object) -> datetime | None:
    """Read a date or a time in ISO 8601 as UTC."""
    try:
        at = datetime.fromisoformat(_text(value))
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _count(value: object) -> int:
    try:
        return max(0, int(_text(value)))
    except ValueError:
        return 0


def _object(value: object) -> Json:
    return value if isinstance(value, Mapping) else {}


def _objects(value: object) -> Iterable[Json]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []
