"""What a webhook of Mastodon tells, and the work in it: ids, and nothing else of its body.

Source: docs.joinmastodon.org/admin/webhooks; every event is ``{"event", "created_at", "object"}``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from mastowatch.errors import MastoWatchError
from mastowatch.jobs.queues import is_id

# The posts that everybody may see; webhooks bring direct and private ones as well.
_SHOWN = ("public", "unlisted")


class BadEvent(MastoWatchError):
    """The body is no event of Mastodon's; the text never repeats what stood there."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """An event's task with the name of its argument (none: it is only counted), and whether it is about a post.

    ``foreign``: other servers have it sent, as many as they like.
    """

    task: str = ""
    argument: str = ""
    post: bool = False
    foreign: bool = False


_ACCOUNT = _Kind("analyze_and_maybe_report", "account_id")
_POST = _Kind("process_new_status", "status_id", post=True)
EVENTS: Mapping[str, _Kind] = {
    # A new account is judged when it is created; that somebody approves it changes nothing about it.
    "account.approved": _Kind(),
    "account.created": _ACCOUNT,
    "account.updated": _ACCOUNT,
    "report.created": _Kind("annotate_report", "report_id", foreign=True),
    # What became of our own reports is read back from Mastodon, which a lost webhook can't spoil.
    "report.updated": _Kind(),
    "status.created": _POST,
    "status.updated": _POST,
}


@dataclass(frozen=True, slots=True)
class Event:
    """An event and its task; without one there is no work in it. ``private``: nobody else may learn of it.

    ``foreign``: other servers have it sent, so it must not take the room of what happens here.
    """

    name: str
    task: str = ""
    arguments: Mapping[str, str] | None = None
    private: bool = False
    foreign: bool = False


def read(body: bytes) -> Event:
    """Return the event in ``body``; raises BadEvent.

    A post that is not public or unlisted, or does not say what it is, is looked at no further.
    """
    found = _parsed(body)
    entity = found.get("object")
    kind = EVENTS.get(str(found.get("event")))
    if kind is not None and kind.post and not _shown(entity):
        return Event(str(found["event"]), private=True)
    if kind is None:
        raise BadEvent(f"the event is none of Mastodon's: {', '.join(EVENTS)}")
    if not kind.task:
        return Event(str(found["event"]))
    return Event(str(found["event"]), kind.task, {kind.argument: _id(entity)}, foreign=kind.foreign)


def _parsed(body: bytes) -> Mapping[str, object]:
    try:
        found = json.loads(body.decode())
    except (ValueError, RecursionError) as error:
        raise BadEvent("the body is not JSON") from error
    if not isinstance(found, dict):
        raise BadEvent("the body is not a JSON object")
    return found


def _shown(entity: object) -> bool:
    return isinstance(entity, dict) and entity.get("visibility") in _SHOWN


def _id(entity: object) -> str:
    found = entity.get("id") if isinstance(entity, dict) else None
    if not isinstance(found, str) or not is_id(found):
        raise BadEvent("object.id is not a Mastodon id, a text of 1 to 20 digits")
    return found
