"""Why a request about jobs can't be met, each with the HTTP status it stands for.

The web layer turns these into RFC 9457 problems; nothing here knows HTTP beyond the number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from mastowatch.errors import MastoWatchError


class Refusal(MastoWatchError):
    """The root; the text says what is wrong and what to do."""

    status: ClassVar[int]
    title: ClassVar[str]

    @property
    def members(self) -> Mapping[str, object]:
        """What the problem's body says beside the text."""
        return {}


class Unknown(Refusal):
    """There is no such job or task."""

    status, title = 404, "Not found"


class Forbidden(Refusal):
    """Whoever asks may not do this; the text names the right that it takes."""

    status, title = 403, "Forbidden"


class WrongState(Refusal):
    """The job is not in a state in which this can be done."""

    status, title = 409, "Wrong state"


class BadParameter(Refusal):
    """A parameter is not one of what is allowed; the text names that."""

    status, title = 422, "Bad parameter"
