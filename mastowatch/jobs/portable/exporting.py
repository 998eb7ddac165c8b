"""Writes rules, cases and audit as JSON lines, one after the other: memory stays the same however many there are.

Told are ids, public names, verdicts with their evidence, and rules. No post, no session, no job and no secret.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import ValidationError
from redis import Redis

from mastowatch import __version__
from mastowatch.config import Settings
from mastowatch.jobs import context as contexts
from mastowatch.jobs.portable.records import FORMAT, LINES, PARTS, Header, Line, Part, Trailer

_LISTS = "lists/"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be exported; ``since`` is epoch seconds, 0 for all. Rules are always told whole."""

    parts: Sequence[Part] = PARTS
    since: float = 0.0


def export(
    redis: Redis,
    settings: Settings,
    wanted: Wanted,
    now: float,
    *,
    left_out: Callable[[str], None] = lambda _: None,
) -> Iterator[bytes]:
    """Yield the lines; raises StoreUnavailable, or RuleError for a rule file that can't be read.

    A record that is damaged is left out, as no import would take the file with it: ``left_out`` is told its kind.
    """
    digest, counts = hashlib.sha256(), Counter[str]()
    header = Header(
        format=FORMAT,
        mastowatch=__version__,
        made_at=now,
        layout=contexts.known_layout(),
        instance=settings.instance_base,
        what=list(wanted.parts),
        since=wanted.since,
    )
    head = line(header.model_dump())
    digest.update(head)
    yield head
    for kind, kind_of_line in LINES.items():
        if kind_of_line.part in wanted.parts:
            for record in _records(redis, settings, kind, wanted.since):
                if record is None or not _can_be_taken(kind_of_line, record):
                    left_out(kind)
                    continue
                written = line({"kind": kind, **record})
                digest.update(written)
                counts[kind] += 1
                yield written
    yield line(Trailer(counts=dict(counts), sha256=digest.hexdigest()).model_dump())


def line(record: Mapping[str, Any]) -> bytes:
    """Return a record as a line of the file."""
    written: str = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
    return written.encode(errors="replace") + b"\n"


def _can_be_taken(kind: type[Line], record: Mapping[str, Any]) -> bool:
    try:
        kind.model_validate(record)
    except ValidationError:
        return False
    return True


def _records(redis: Redis, settings: Settings, kind: str, since: float) -> Iterator[Mapping[str, Any] | None]:
    if kind == "audit":
        for place, entry in contexts.audit_merging(redis).entries(since):
            yield {"place": place, **asdict(entry)} if entry is not None else None
    elif kind in ("rule_file", "rule_list"):
        for name, text in contexts.rule_sources(settings.rules_dir):
            if name.startswith(_LISTS) == (kind == "rule_list"):
                yield {"name": name.removeprefix(_LISTS), "text": text}
    else:
        yield from contexts.portable(redis).read(kind, since)
