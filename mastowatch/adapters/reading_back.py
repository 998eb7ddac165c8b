"""Makes our records out of the JSON that Redis holds, whoever has written it: another version, a hand, or bad luck."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

T = TypeVar("T")
# How many entries are read at once after some that could not be.
MANY = 500
# Epoch seconds to the end of the year 9999, which is where calendars end here.
_TIME_MAX = 253_402_300_799.0
_KINDS: Mapping[str, type | tuple[type, ...]] = {"str": str, "float": (int, float), "int": int, "bool": bool}


def read_object(raw: Any) -> dict[str, Any]:  # noqa: ANN401 -- redis-py gives bytes or str
    """Return a JSON object; raises ValueError for all else."""
    try:
        found = json.loads(raw)
    except (TypeError, RecursionError) as error:
        raise ValueError("no JSON") from error
    if not isinstance(found, dict):
        raise ValueError("no JSON object")  # noqa: TRY004 -- one error for all that can't be read
    return found


def build(kind: type[T], given: Mapping[str, Any]) -> T:
    """Return a record of our types; what a newer version has written beside its fields is passed over.

    Raises ValueError where a field is missing, of another type, or a number that is none. Fields that are neither
    text nor number are the caller's to check.
    """
    known = {one.name: str(one.type) for one in fields(kind)}  # type: ignore[arg-type]
    taken = {name: value for name, value in given.items() if name in known}
    for name, value in taken.items():
        wanted = _KINDS.get(known[name], str if known[name].startswith(("Literal", "Audit", "CaseOutcome")) else object)
        if not isinstance(value, wanted) or (isinstance(value, (int, float)) and not _is_number(name, value)):
            raise ValueError(f"{name} is no {known[name]}")
    try:
        return kind(**taken)
    except TypeError as error:
        raise ValueError("a field is missing") from error


def _is_number(name: str, value: float) -> bool:
    least, most = (0.0, _TIME_MAX) if name.endswith("at") else (-1e15, 1e15)
    return least <= value <= most  # which NaN is not


def texts_of(found: Any) -> tuple[str, ...]:  # noqa: ANN401 -- JSON
    """Return a list of texts; raises ValueError."""
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise ValueError("no list of texts")
    return tuple(found)
