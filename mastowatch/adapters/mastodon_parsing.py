"""Turns Mastodon's JSON into our values. What is personal (e-mail, IPs, invite texts) is dropped right here.

Odd and missing fields survive: a server of another version or kind must not end a poll.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from mastowatch.ports.types import Account, Field, FiledReport, Media, Sighted, Status, Visibility

Json = Mapping[str, Any]

# The right to invite people, which the role "everyone" (id -99) gives by default: no sign of a member of staff.
_INVITE_USERS, _EVERYONE_ID = 1 << 16, "-99"
# An account whose age is not told is taken for an old one: being new is what speaks against an account.
_EPOCH = datetime.fromtimestamp(0, UTC)
_FIRST_SERVER = datetime(2016, 1, 1, tzinfo=UTC)
# What moderators may have done to an account; a deleted one is told as suspended.
_MEASURES = {"suspended": "suspend", "silenced": "silence", "sensitized": "sensitive", "disabled": "disable"}
_NUMERIC = re.compile("[0-9]{1,20}")
_SHOWN = ("public", "unlisted")
_COUNT_MAX = 2**63 - 1


def admin_accounts(found: Iterable[object], now: datetime) -> tuple[Account, ...]:
    """Return the accounts of Admin::Account entities, newest id first; one without a numeric id is left out."""
    accounts = [admin_account(one, now) for one in found if isinstance(one, Mapping)]
    return tuple(sorted((one for one in accounts if one.id.isdecimal()), key=lambda one: int(one.id), reverse=True))


def admin_account(json: Json, now: datetime) -> Account:
    """Return the account of an Admin::Account entity."""
    profile = _entity(json.get("account"))
    username, domain = str(json.get("username") or profile.get("username") or ""), json.get("domain") or None
    merged = {
        **profile,
        "id": json.get("id") or profile.get("id"),
        "username": username,
        "acct": profile.get("acct") or (f"{username}@{domain}" if domain else username),
        # Exact, where the profile's own is rounded down to midnight.
        "created_at": json.get("created_at") or profile.get("created_at"),
        "roles": [json.get("role"), *_entities(profile.get("roles"))],
        "suspended": json.get("suspended") or profile.get("suspended"),
        "limited": json.get("silenced") or profile.get("limited"),
        "sensitized": json.get("sensitized"),
        "disabled": json.get("disabled"),
    }
    return public_account(merged, now)


def public_account(json: Json, now: datetime) -> Account:
    """Return the account of an Account entity."""
    account_id = str(json.get("id") or "")
    # Patterns read it as it is, and half a surrogate pair is no text for them.
    username = str(json.get("username") or "").encode(errors="replace").decode()
    acct = str(json.get("acct") or username)
    return Account(
        id=account_id,
        acct=acct,
        username=username,
        domain=acct.partition("@")[2] or None,
        display_name=str(json.get("display_name") or ""),
        note_html=str(json.get("note") or ""),
        url=str(json.get("url") or ""),
        created_at=time(json.get("created_at")) or _EPOCH,
        discovered_at=discovered(account_id, now),
        last_status_at=time(json.get("last_status_at")),
        fields=tuple(_field(one) for one in _entities(json.get("fields"))),
        followers=_count(json.get("followers_count")),
        following=_count(json.get("following_count")),
        statuses=_count(json.get("statuses_count")),
        bot=bool(json.get("bot")),
        staff=any(is_staff(role) for role in _entities(json.get("roles"))),
        suspended=bool(json.get("suspended")),
        silenced=bool(json.get("limited")),
        sensitized=bool(json.get("sensitized")),
        disabled=bool(json.get("disabled")),
    )


def any_local(found: Iterable[object]) -> bool:
    """Tell whether one of these Account entities lives on this server: its acct names no domain."""
    accts = (str(one.get("acct") or "@") for one in found if isinstance(one, Mapping))
    return any("@" not in acct for acct in accts)


def is_staff(role: Json) -> bool:
    """Tell whether a Role entity marks a member of staff: a right beyond inviting, a highlight, or a name.

    A role with a name counts whatever its rights: the admins gave it to somebody they know, and some servers
    do not tell the rights.
    """
    named = bool(role.get("name")) and str(role.get("id") or _EVERYONE_ID) != _EVERYONE_ID
    return bool(_count(role.get("permissions")) & ~_INVITE_USERS) or bool(role.get("highlighted")) or named


def statuses(found: Iterable[object]) -> tuple[Status, ...]:
    """Return the public and unlisted posts among Status entities, in their order."""
    read = (status(one) for one in found if isinstance(one, Mapping))
    return tuple(one for one in read if one is not None)


def status(json: Json) -> Status | None:
    """Return the post of a Status entity; None for one that is private, direct, or does not say what it is."""
    if json.get("visibility") not in _SHOWN:
        return None
    reblog = bool(json.get("reblog"))
    # A boost repeats the boosted post: what another person wrote is not this account's doing.
    own: Json = {} if reblog else json
    return Status(
        id=str(json.get("id") or ""),
        account_id=str(_entity(json.get("account")).get("id") or ""),
        created_at=time(json.get("created_at")) or _EPOCH,
        content_html=str(own.get("content") or ""),
        spoiler_text=str(own.get("spoiler_text") or ""),
        visibility=cast("Visibility", str(json["visibility"])),
        language=str(own.get("language") or "") or None,
        url=str(json.get("url") or ""),
        in_reply_to_account_id=str(own.get("in_reply_to_account_id") or "") or None,
        mentions=tuple(str(one.get("acct") or "") for one in _entities(own.get("mentions"))),
        tags=tuple(str(one.get("name") or "") for one in _entities(own.get("tags"))),
        media=tuple(_media(one) for one in _entities(own.get("media_attachments"))),
        reblog=reblog,
    )


def reports(found: Iterable[object], me_id: str) -> tuple[FiledReport, ...]:
    """Return the reports of Admin::Report entities, in their order."""
    read = (report(one, me_id) for one in found if isinstance(one, Mapping))
    return tuple(one for one in read if one is not None)


def report(json: Json, me_id: str) -> FiledReport | None:
    """Return the report of an Admin::Report entity; None for one that does not say which, by whom and on whom.

    Of its posts only the ids, and its comment only if the account ``me_id`` wrote it.
    """
    report_id, by = str(json.get("id") or ""), str(_entity(json.get("account")).get("id") or "")
    target = _entity(json.get("target_account"))
    if not (report_id and by and target.get("id")):
        return None
    return FiledReport(
        id=report_id,
        by_account_id=by,
        target_account_id=str(target["id"]),
        comment=str(json.get("comment") or "") if by == me_id else "",
        created_at=time(json.get("created_at")) or _EPOCH,
        resolved=bool(json.get("action_taken")),
        resolved_at=time(json.get("action_taken_at")),
        in_force=frozenset(measure for state, measure in _MEASURES.items() if target.get(state)),
        status_ids=tuple(str(one["id"]) for one in _entities(json.get("statuses")) if one.get("id")),
        resolved_by=str(_entity(json.get("action_taken_by_account")).get("id") or ""),
    )


def sighted(found: Iterable[object], now: datetime) -> tuple[Sighted, ...]:
    """Return the posts that may be looked at among Status entities, each with its author, in their order."""
    read = (sight(one, now) for one in found if isinstance(one, Mapping))
    return tuple(one for one in read if one is not None)


def sight(json: Json, now: datetime) -> Sighted | None:
    """Return a Status entity's post with its author; None for a private one, and for one without a numeric id."""
    found = status(json)
    if found is None or not (_NUMERIC.fullmatch(found.id) and _NUMERIC.fullmatch(found.account_id)):
        return None
    edited_at = str(json.get("edited_at") or "")
    version = f"{found.id}@{edited_at}" if edited_at else found.id
    return Sighted(found, public_account(_entity(json.get("account")), now), version)


def time(value: object) -> datetime | None:
    """Read ISO 8601, with or without an hour or a zone, as UTC."""
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
        return at and (at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None


def discovered(account_id: str, now: datetime) -> datetime | None:
    """Return when this server first saw the account: the upper bits of its id are milliseconds, on Mastodon."""
    if not account_id.isdecimal():
        return None
    at = int(account_id) >> 16
    earliest, latest = _FIRST_SERVER.timestamp() * 1000, (now + timedelta(days=1)).timestamp() * 1000
    return datetime.fromtimestamp(at / 1000, UTC) if earliest <= at <= latest else None


def _field(json: Json) -> Field:
    return Field(str(json.get("name") or ""), str(json.get("value") or ""))


def _media(json: Json) -> Media:
    kind, description, blurhash = json.get("type"), json.get("description"), json.get("blurhash")
    return Media(str(kind or "unknown"), str(description or ""), str(blurhash or ""))


def _entity(value: object) -> Json:
    return value if isinstance(value, Mapping) else {}


def _entities(value: object) -> list[Json]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, (list, tuple)) else []


def _count(value: object) -> int:
    """Return a number of things, no larger than Mastodon's own column: a larger one fits into no figure of ours."""
    try:
        return min(max(0, int(cast("str", value))), _COUNT_MAX)
    except (TypeError, ValueError, OverflowError):
        return 0
