"""A cursor: where a list goes on, and for which filter. Opaque to whoever is given one."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode

from mastowatch.jobs.filters import JobFilter
from mastowatch.jobs.refusals import BadParameter
from mastowatch.jobs.sources import Place, parse_place

CURSOR_MAX = 128  # characters; ours have at most about 100


def write_cursor(where: JobFilter, source: str, place: Place) -> str:
    """Return the cursor of a place in the source of that name."""
    return urlsafe_b64encode(f"{where.digest}:{_short(source)}:{place}".encode()).decode().rstrip("=")


def read_cursor(cursor: str, where: JobFilter, sources: list[str]) -> tuple[int | None, Place]:
    """Return the number of the source among ``sources``, None where it is there no more, and the place in it.

    Raises BadParameter, also for a cursor of another filter.
    """
    try:
        plain = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        digest, source, written = plain.split(":", 2)
        place = parse_place(written)
    except ValueError:
        raise BadParameter("cursor: is not one of ours; give the next_cursor of the page before, unchanged") from None
    if digest != where.digest:
        raise BadParameter(
            "cursor: belongs to a list with other filters; give the filters it came with, or leave it out to begin anew"
        )
    known = [_short(name) for name in sources]
    return (known.index(source) if source in known else None), place


def _short(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "backslashreplace")).hexdigest()[:8]
