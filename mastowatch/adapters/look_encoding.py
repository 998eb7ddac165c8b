"""Packs a look at an account, with its posts, into a few bytes, and reads it again, from another version as well."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

from mastowatch.ports.types import Account, Field, Look, Media, Status

# The first byte tells how the rest is packed.
_PACKED_AS = b"1"
_LEVEL = 6
# The account's name stands within so many bytes.
_HEAD = 2048
# What stands in nearly every post of Mastodon, so that a short one shrinks as well; the commonest last.
# Changing it needs another first byte: what was packed with it can't be read without.
_COMMON = (
    b'"media":[{"kind":"image","description":"","blurhash":"}],"bot":true,"silenced":true,"fields":[{"name":"",'
    b'"value_html":""}],"language":"ru","language":"es","language":"ja","language":"de","tags":["'
    b'<a href=\\"https:///tags/\\" class=\\"mention hashtag\\" rel=\\"tag\\">#<span></span></a>'
    b'<a href=\\"https://\\" target=\\"_blank\\" rel=\\"nofollow noopener noreferrer\\" translate=\\"no\\">'
    b'<span class=\\"invisible\\">https://</span><span class=\\"ellipsis\\"></span><span class=\\"\\"></span></a>'
    b'<span class=\\"h-card\\" translate=\\"no\\">'
    b'<a href=\\"https:///@\\" class=\\"u-url mention\\">@<span></span></a></span>'
    b'{"account":{"id":"11","acct":"","username":"","domain":"","display_name":"","note_html":"<p></p>","url":"https:///@"'
    b',"created_at":"2026-01-01T00:00:00+00:00","discovered_at":"","last_status_at":"","followers":,"following":,"statuses":'
    b'},"statuses":[{"id":"11","visibility":"unlisted","in_reply_to_account_id":"","mentions":["",""],"url":"https:///@/11"'
    b',"created_at":"2026-","content_html":"<p></p>","spoiler_text":"","language":"en"},{"id":"11'
)

# The defaults of each kind's fields; what has none, has MISSING, which equals nothing.
_DEFAULTS: Mapping[type[Any], Mapping[str, object]] = {
    kind: {one.name: one.default for one in fields(kind)} for kind in (Account, Status, Field, Media)
}


def pack(look: Look) -> bytes:
    """Return the look in bytes. What an account's posts say of it again is left out."""
    posts = [_plain(one, without=("account_id",)) for one in look.statuses]
    document = {"account": _plain(look.account), "statuses": posts, "at": look.at}
    text: str = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    packer = zlib.compressobj(_LEVEL, wbits=-zlib.MAX_WBITS, zdict=_COMMON)
    return _PACKED_AS + packer.compress(text.encode(errors="replace")) + packer.flush()


def unpack(raw: bytes) -> Look | None:
    """Return the look; None where it is damaged, or packed by a version that this one does not know."""
    if not raw.startswith(_PACKED_AS):
        return None
    try:
        unpacked = zlib.decompressobj(-zlib.MAX_WBITS, zdict=_COMMON).decompress(raw[1:])
        document = json.loads(unpacked)
        account = _value(Account, document["account"])
        statuses = tuple(_value(Status, {**one, "account_id": account.id}) for one in document["statuses"])
        return Look(account, statuses, float(document["at"]))
    except (zlib.error, ValueError, TypeError, KeyError, AttributeError):
        return None


def tells(raw: bytes, acct: str) -> bool:
    """Tell whether the look may be of ``acct``, in small letters; sooner known than the whole is read."""
    try:
        unpacked = zlib.decompressobj(-zlib.MAX_WBITS, zdict=_COMMON).decompress(raw[1:], _HEAD)
    except zlib.error:
        return False
    return acct.encode(errors="replace") in unpacked.lower() or not acct.isascii()


def _plain(value: object, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the fields of a value that differ from their defaults (what has none, differs), as JSON has them."""
    found = {}
    for name, default in _DEFAULTS[type(value)].items():
        given = getattr(value, name)
        if name not in without and given != default:
            found[name] = _json(given)
    return found


def _json(given: Any) -> Any:  # noqa: ANN401 -- the types of all fields
    if isinstance(given, datetime):
        return given.isoformat()
    if isinstance(given, tuple):
        return [_plain(one) if isinstance(one, (Field, Media)) else one for one in given]
    return given


# How a field is read where JSON has no such type.
_READ: Mapping[str, Callable[[Any], Any]] = {
    "created_at": datetime.fromisoformat,
    "discovered_at": datetime.fromisoformat,
    "last_status_at": datetime.fromisoformat,
    "fields": lambda found: tuple(_value(Field, one) for one in found),
    "media": lambda found: tuple(_value(Media, one) for one in found),
    "mentions": tuple,
    "tags": tuple,
}


def _value(kind: type[Any], found: Mapping[str, Any]) -> Any:  # noqa: ANN401 -- one of our values
    """Return a value of fields as ``_plain`` gave them; those that this version does not know are passed over."""
    return kind(**{name: _READ.get(name, _as_it_is)(one) for name, one in found.items() if name in _DEFAULTS[kind]})


def _as_it_is(found: Any) -> Any:  # noqa: ANN401 -- the types of all fields
    return found
