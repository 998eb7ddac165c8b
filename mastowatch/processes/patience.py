"""How long to wait before the next try: longer each time, never at the same moment as everybody else."""

from __future__ import annotations

import random
from collections.abc import Callable


class Patience:
    """Pauses of up to 1, 2, 4, ... ``longest_s`` seconds, each shortened at random by up to a half."""

    def __init__(self, longest_s: float, *, chance: Callable[[], float] = random.random) -> None:
        self._longest_s, self._chance = longest_s, chance
        self._tries = 0

    def next_s(self) -> float:
        """Return the next pause."""
        pause = min(self._longest_s, 2.0 ** min(self._tries, 30))
        self._tries += 1
        return pause * (1 - self._chance() / 2)

    def reset(self) -> None:
        """Begin again with short pauses: it went well."""
        self._tries = 0
