"""What a check has found: one line, and where something is wrong, what it means and what mends it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# unknown: this user may not see it, or what it rests on is away.
State = Literal["ok", "note", "warning", "failure", "unknown"]


@dataclass(frozen=True, slots=True)
class Finding:
    """``check`` is a name of ``NAMES`` and an anchor in docs/howto/doctor.md, like "redis-persistence".

    ``says`` is one line with what was found. Where that is not ok, ``means`` says in one sentence what follows from
    it, and ``mend`` is a command to paste, if there is one.
    """

    check: str
    state: State
    says: str
    means: str = ""
    mend: str = ""
