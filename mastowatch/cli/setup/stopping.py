"""How a set-up ends before its end."""

from __future__ import annotations

from collections.abc import Sequence

from mastowatch.errors import MastoWatchError


class Refused(MastoWatchError):
    """Something is not as it must be, and nobody has said to go on all the same; nothing has been written."""


class CutOff(MastoWatchError):
    """It was interrupted, or failed, when something was written already.

    ``left`` are the commands that systemd still wants for what is written: another run sees nothing of that any more.
    ``written`` tells whether all of it is.
    """

    def __init__(self, why: str, left: Sequence[Sequence[str]], *, written: bool) -> None:
        super().__init__(why)
        self.left, self.written = left, written
