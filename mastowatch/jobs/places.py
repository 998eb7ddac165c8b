"""Cursors of lists: a place in a list as an opaque text, which is refused where it is none of ours."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode

from mastowatch.jobs.refusals import BadParameter

LENGTH_MAX = 200


def encode(kind: str, place: str) -> str:
    """Return the cursor of a place in a list of this ``kind``."""
    return urlsafe_b64encode(f"{kind}:{place}".encode()).decode().rstrip("=")


def decode(kind: str, cursor: str, form: str) -> str:
    """Return the place, which has the ``form`` (a pattern) of such places; raises BadParameter."""
    try:
        plain = urlsafe_b64decode(cursor[:LENGTH_MAX] + "=" * (-len(cursor[:LENGTH_MAX]) % 4)).decode()
    except ValueError:
        plain = ""
    found, _, place = plain.partition(":")
    if found != kind or not re.fullmatch(form, place):
        raise BadParameter("cursor: is not one of ours; give the next_cursor of the page before, unchanged")
    return place
