"""How values look on a page: times, spans, numbers, names. Filters of the templates."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from mastowatch.domain.comment import exact
from mastowatch.jobs import failure_names

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
# Marks that turn the direction of what follows: an account name could read as another one.
_TURNING = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_THIN = "\u202f"  # a narrow space that does not break


def span(seconds: float | None) -> str:
    """Return a span of time in its two largest units: 0.42 s, 12 s, 3 min 20 s, 2 d 4 h."""
    if seconds is None:
        return "–"
    if seconds < 1:
        return f"{seconds:.2f}{_THIN}s" if seconds else f"0{_THIN}s"
    rest, parts = int(seconds), []
    for size, unit in _UNITS:
        if rest >= size:
            parts.append(f"{rest // size}{_THIN}{unit}")
            rest %= size
    return " ".join(parts[:2])


def lasting(seconds: float) -> str:
    """Return a span of time that may be an age: whole seconds, or – for none."""
    return span(int(seconds)) if seconds >= 1 else f"<{_THIN}1{_THIN}s" if seconds > 0 else "–"


def rough(seconds: float) -> str:
    """Return a span of time in its largest unit: 12 s, 3 min, 2 d."""
    return next((f"{int(seconds // size)}{_THIN}{unit}" for size, unit in _UNITS if seconds >= size), f"0{_THIN}s")


def number(value: float) -> str:
    """Return a number with its thousands apart, and one decimal place where it is no whole one."""
    shown = f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"
    return shown.replace(",", _THIN)


def size(count: float) -> str:
    """Return a number of bytes: 812 kB, 1.4 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:.{0 if unit == 'B' or count >= 100 else 1}f}{_THIN}{unit}"
        count /= 1000
    raise AssertionError("unreachable")


def brief(value: float) -> str:
    """Return a number of a chart in few characters: 0.4, 12, 340, 1.2k."""
    if value >= 1000:
        return f"{value / 1000:.3g}k"
    return f"{value:.0f}" if value >= 9.95 or float(value).is_integer() else f"{value:.1f}"


def epoch(seconds: float) -> datetime:
    """Return the moment of ``seconds`` since the epoch."""
    return datetime.fromtimestamp(seconds, UTC)


@pass_context
def when(context: Context, at: datetime | None) -> Markup:
    """Return a <time> with how long ago or from now; the page's ``now`` decides."""
    if at is None:
        return Markup('<span class="none">–</span>')
    distance = (at - context["now"]).total_seconds()
    relative = "now" if abs(distance) < 1 else f"in {rough(distance)}" if distance > 0 else f"{rough(-distance)} ago"
    day, _, clock_time = at.astimezone(UTC).isoformat(timespec="seconds")[:19].partition("T")
    shown = f'<time datetime="{day}T{clock_time}Z" title="{day} {clock_time} UTC" data-ago>{relative}</time>'
    return Markup(shown)  # noqa: S704 -- nothing in it comes from outside, and a page of jobs has a hundred of them


def clock(at: datetime, scale: str = "day") -> str:
    """Return the time of the day, and over a week the day as well."""
    return at.astimezone(UTC).strftime("%a %H:%M" if scale == "week" else "%H:%M")


def pretty(value: Any) -> str:  # noqa: ANN401 -- whatever a job's JSON holds
    """Return JSON for people."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def visible(text: str) -> str:
    """Return the text with each mark that turns its direction spelled out: [U+202E]."""
    if text.isascii():
        return text
    return _TURNING.sub(lambda mark: f"[U+{ord(mark[0]):04X}]", text)


# RQ's names for what people here call otherwise.
_STATUS = {"started": "running", "queued": "waiting", "scheduled": "delayed"}


def status_word(name: str) -> str:
    """Return what pages call a job's status: queued -> waiting, ready_to_enqueue -> ready to enqueue."""
    return _STATUS.get(name, words(name))


def words(name: str) -> str:
    """Return a name of the code as words: ready_to_enqueue -> ready to enqueue."""
    return name.replace("_", " ")


FILTERS = {
    "span": span,
    "lasting": lasting,
    "size": size,
    "brief": brief,
    "brief_error": failure_names.brief,
    "number": number,
    "epoch": epoch,
    "when": when,
    "clock": clock,
    "pretty": pretty,
    "visible": visible,
    "status": status_word,
    "exact": exact,
    "words": words,
}
