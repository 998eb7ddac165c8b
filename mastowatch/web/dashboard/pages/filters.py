"""What a list of jobs is asked for: from the address to a filter, and back to addresses, marks and words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query

from mastowatch.jobs.listing import JobFilter
from mastowatch.jobs.refusals import BadParameter
from mastowatch.web.dashboard.shown import status_word

# The quick choices of time; value in the address, seconds, words.
SPANS: Sequence[tuple[str, int, str]] = (
    ("1h", 3600, "the last hour"),
    ("1d", 86_400, "the last day"),
    ("1w", 604_800, "the last week"),
)
_SECONDS = {value: seconds for value, seconds, _ in SPANS}
_WORDS = {value: words for value, _, words in SPANS}

LENGTH_MAX = 300
_Text = Annotated[str, Query(max_length=LENGTH_MAX)]
_Short = Annotated[str, Query(max_length=40)]


@dataclass(frozen=True, slots=True)
class Mark:
    """One condition as people see it; ``without`` is the query of the same list without it."""

    label: str
    value: str
    without: str


@dataclass(frozen=True, slots=True)
class Asked:
    """The conditions as the address has them; empty where it says nothing. FastAPI fills it from the query.

    ``within`` is one of SPANS; ``since`` and ``until`` are moments in UTC, like 2026-03-01T12:00, and win over it.
    """

    queue: _Text = ""
    status: _Short = ""
    function: _Text = ""
    error: _Text = ""
    failure: _Text = ""
    text: _Text = ""
    within: _Short = ""
    since: _Short = ""
    until: _Short = ""

    def where(self, now: float) -> JobFilter:
        """Return the filter as of ``now`` (epoch seconds); raises BadParameter."""
        if self.within and self.within not in _SECONDS:
            raise BadParameter(f"within: {self.within!r} is not allowed; allowed: {', '.join(_SECONDS)}")
        since = _moment("since", self.since)
        if since is None and self.within:
            since = now - _SECONDS[self.within]
        return JobFilter(
            queue=self.queue or None,
            status=self.status or None,
            function=self.function or None,
            error=self.error or None,
            failure=self.failure or None,
            text=self.text or None,
            since=since,
            until=_moment("until", self.until),
        )

    def fixed(self, now: float) -> Asked:
        """Return the same with a moment in place of "the last hour": what was counted is what is done."""
        if not self.within or self.since:
            return self
        since = datetime.fromtimestamp(now - _SECONDS.get(self.within, 0), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        # What ends later was not counted. What is delayed was, also where it is due later than now.
        later = self.status in ("", "scheduled")
        until = self.until or ("" if later else datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
        return replace(self, within="", since=since, until=until)

    def given(self) -> dict[str, str]:
        """Return the conditions that there are, by their names in the address."""
        return {one.name: value for one in fields(self) if (value := getattr(self, one.name))}

    def query(self, **changes: str) -> str:
        """Return the query of the address, with ``changes``: "?status=failed", or "" where nothing is asked."""
        pairs = {**self.given(), **changes}
        encoded = urlencode({name: value for name, value in pairs.items() if value})
        return f"?{encoded}" if encoded else ""

    def marks(self) -> list[Mark]:
        """Return the conditions for people, each with the way to take it off."""
        return [
            Mark(_LABELS[name], _shown(name, value), self.query(**{name: ""})) for name, value in self.given().items()
        ]

    def words(self) -> str:
        """Return the conditions as one phrase: "failed jobs on default, with “timeout” in the error"."""
        kind = f"{status_word(self.status)} " if self.status else ""
        parts = [
            f"on the queue {self.queue}" if self.queue else "",
            f"of {self.function}" if self.function else "",
            f"with “{self.error}” in the error" if self.error else "",
            f"that failed with “{self.failure}”" if self.failure else "",
            f"with “{self.text}” in id or description" if self.text else "",
            f"of {_WORDS.get(self.within, self.within)}" if self.within and not self.since else "",
            f"since {_told(self.since)}" if self.since else "",
            f"until {_told(self.until)}" if self.until else "",
        ]
        return " ".join([f"{kind}jobs", ", ".join(part for part in parts if part)]).strip()


FIELDS = tuple(one.name for one in fields(Asked))
_LABELS = {
    "queue": "Queue",
    "status": "Status",
    "function": "Function",
    "error": "Error",
    "failure": "Failure",
    "text": "Id or words",
    "within": "In",
    "since": "Since",
    "until": "Until",
}


def _shown(name: str, value: str) -> str:
    if name == "within":
        return _WORDS.get(value, value)
    if name == "status":
        return status_word(value)
    return _told(value) if name in ("since", "until") else value


def _told(moment: str) -> str:
    """Return a moment of the address for people; one that is none comes back as it is."""
    try:
        at = _parsed(moment)
    except ValueError:
        return moment
    return at.strftime("%Y-%m-%d %H:%M:%S UTC" if at.second else "%Y-%m-%d %H:%M UTC")


def _moment(name: str, value: str) -> float | None:
    if not value:
        return None
    try:
        return _parsed(value).timestamp()
    except (ValueError, OverflowError):
        raise BadParameter(f"{name}: {value!r} is no moment; write it in UTC, like 2026-03-01T12:00") from None


def _parsed(value: str) -> datetime:
    at = datetime.fromisoformat(value)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
