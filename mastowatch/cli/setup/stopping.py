"""How a set-up ends before its end."""

from __future__ import annotations

from mastowatch.errors import MastoWatchError


class Refused(MastoWatchError):
    """Something is not as it must be, and nobody has said to go on all the same; nothing has been written."""
