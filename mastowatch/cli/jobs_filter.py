"""Reads which jobs are meant, and times, off the command line."""

from __future__ import annotations

import argparse
import re
from datetime import UTC, datetime

from mastowatch.jobs.listing import JobFilter
from mastowatch.jobs.refusals import BadParameter

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604_800}
_SPAN = re.compile(r"([0-9]{1,9})([smhdw])", re.ASCII)


def job_filter(arguments: argparse.Namespace, now: float) -> JobFilter:
    """Return the filter that the options name; raises BadParameter."""
    return JobFilter(
        queue=arguments.queue,
        status=arguments.status,
        function=arguments.function,
        error=arguments.error,
        text=arguments.text,
        failure=arguments.failure,
        since=moment_of("--since", arguments.since, now),
        until=moment_of("--until", arguments.until, now),
    )


def length(name: str, text: str) -> int:
    """Return a length of time like 90, 90s, 5m or 2h in seconds; raises BadParameter."""
    found = _SPAN.fullmatch(text if not text.isdigit() else f"{text}s")
    if found is None:
        raise BadParameter(f"{name}: {text!r} is no length of time; write it like 90s, 5m, 2h, 3d or 1w")
    return int(found[1]) * _UNITS[found[2]]


def moment_of(name: str, text: str | None, now: float) -> float | None:
    """Return a moment like 2h (ago) or 2026-03-01T12:00 in epoch seconds; raises BadParameter."""
    if text is None:
        return None
    if _SPAN.fullmatch(text):
        return now - length(name, text)
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        told = f"{name}: {text!r} is no time; write it like 2h (ago), 2026-03-01 or 2026-03-01T12:00 (UTC)"
        raise BadParameter(told) from error
