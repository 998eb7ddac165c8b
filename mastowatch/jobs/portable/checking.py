"""Reads an export line by line and tells whether all of it can be taken over, before anything is written."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeVar

from pydantic import BaseModel, ValidationError

from mastowatch.jobs.portable.records import FORMAT, LINE_MAX, LINES, Header, Line, Trailer
from mastowatch.jobs.refusals import BadParameter

T = TypeVar("T", bound=BaseModel)
_FUTURE_S = 86_400.0  # so far ahead a record may be: clocks differ
# When something has happened. One of the far future would be newer than all that comes, for ever: a rule that was armed
# then is not dropped again, a case judged then stays as it is.
_PAST = ("at", "changed_at", "reported_at", "filed_at", "decided_at", "judged_at", "last_hit_at")


@dataclass(frozen=True, slots=True)
class Checked:
    """What is in a file that is whole and right."""

    header: Header
    counts: Mapping[str, int]


def check(file: BinaryIO, name: str, now: float) -> Checked:
    """Read the file to its end; raises BadParameter that names the line and the field of the first fault."""
    file.seek(0)
    digest, counts, place = hashlib.sha256(), Counter[str](), (0, 0)
    header, trailer, number = None, None, 0
    for number, raw in enumerate(_lines(file, name), 1):
        if trailer is not None:
            raise _fault(name, number, "stands after the last line")
        found = _document(name, number, raw)
        if number == 1:
            header = _header(name, found)
        elif found.get("kind") == "end":
            trailer = _built(name, number, Trailer, found)
            continue
        else:
            record = record_of(name, number, found)
            _ensure_past(name, number, record, now)
            place = _placed(name, number, record, place, now)
            counts[str(found["kind"])] += 1
        digest.update(raw)
    if header is None or trailer is None:
        raise BadParameter(f"{name}: is cut after line {number}: its last line is missing; nothing was imported")
    if trailer.sha256 != digest.hexdigest() or dict(trailer.counts) != dict(counts):
        raise BadParameter(f"{name}: has been changed since it was written: its sum is another; nothing was imported")
    return Checked(header, counts)


def records(file: BinaryIO, name: str) -> Iterator[Line]:
    """Yield the records of a file that was checked."""
    file.seek(0)
    for number, raw in enumerate(_lines(file, name), 1):
        found = _document(name, number, raw)
        if found.get("kind") in LINES:
            yield record_of(name, number, found)


def record_of(name: str, number: int, found: Mapping[str, Any]) -> Line:
    """Return the record of a line; raises BadParameter."""
    kind = found.get("kind")
    if not isinstance(kind, str) or kind not in LINES:
        told = f"kind: {str(kind)[:40]!r} is none that this version knows; there are: {', '.join(LINES)}"
        raise _fault(name, number, told)
    return _built(name, number, LINES[kind], found)


def _lines(file: BinaryIO, name: str) -> Iterator[bytes]:
    number = 0
    while raw := file.readline(LINE_MAX + 1):
        number += 1
        if len(raw) > LINE_MAX:
            raise _fault(name, number, f"is longer than {LINE_MAX} bytes")
        if not raw.endswith(b"\n"):
            raise _fault(name, number, "has no end, so the file is cut")
        yield raw


def _document(name: str, number: int, raw: bytes) -> dict[str, Any]:
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise _fault(name, number, "is no JSON") from error
    if not isinstance(found, dict):
        raise _fault(name, number, "is no JSON object")
    return found


def _header(name: str, found: Mapping[str, Any]) -> Header:
    if found.get("kind") != "header":
        raise _fault(name, 1, "is no header: this is no file of `mastowatch export`")
    made_as = found.get("format", FORMAT)
    if not isinstance(made_as, int) or made_as > FORMAT:
        told = f"format: {str(made_as)[:20]} is newer than this version reads ({FORMAT}); install a newer MastoWatch"
        raise _fault(name, 1, told)
    return _built(name, 1, Header, found)


def _built(name: str, number: int, kind: type[T], found: Mapping[str, Any]) -> T:
    try:
        return kind.model_validate(found)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise _fault(name, number, f"{where}: {first['msg']}") from error


def _ensure_past(name: str, number: int, record: Line, now: float) -> None:
    for field in _PAST:
        if getattr(record, field, 0.0) > now + _FUTURE_S:
            raise _fault(name, number, f"{field}: is in the future")


def _placed(name: str, number: int, record: Line, before: tuple[int, int], now: float) -> tuple[int, int]:
    """Return the place of an entry of the audit; they stand in their order, and none is of the future."""
    place = getattr(record, "place", None)
    if place is None:
        return before
    at, _, count = place.partition("-")
    found = (int(at), int(count))
    if found <= before:
        raise _fault(name, number, "place: is not after the one before; entries of the audit stand in their order")
    if found[0] > (now + _FUTURE_S) * 1000:
        raise _fault(name, number, "place: is in the future")
    return found


def _fault(name: str, number: int, told: str) -> BadParameter:
    return BadParameter(f"{name}: line {number}: {told}; nothing was imported")
