"""Slows down whoever tries passwords: a wait that doubles for each name, and a bound over all names together.

In memory, so nothing of who tried what is kept anywhere. Behind a proxy every request comes from the same address, so
addresses play no part. A person whose name is tried by others waits at most LONGEST_S, and can sign in through Mastodon
meanwhile.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

# So many wrong ones in a row cost nothing; then 2 s, 4 s, 8 s ...
FREE = 5
LONGEST_S = 300.0
# Without a try for so long, the wrong ones are forgotten.
FORGOTTEN_S = 3600.0
# Over all names: so many at once, and one more each EACH_S.
AT_ONCE = 30
EACH_S = 2.0
NAMES_MAX = 1000


class Bucket:
    """Lets AT_ONCE pass, and one more each EACH_S. Not for use from several threads at once."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._left, self._at = clock, float(AT_ONCE), clock()

    def wait_s(self) -> float:
        """Return the seconds until one may pass; 0: now."""
        now = self._clock()
        self._left = min(float(AT_ONCE), self._left + max(0.0, now - self._at) / EACH_S)
        self._at = now
        return max(0.0, (1.0 - self._left) * EACH_S)

    def take(self, number: float = 1.0) -> None:
        """Count one that passes; a negative number gives one back."""
        self._left = min(float(AT_ONCE), self._left - number)


class Limiter:
    """Counts tries. Call ``admit`` before each, ``succeeded`` after a good one; both from any thread."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._lock, self._all = clock, threading.Lock(), Bucket(clock)
        # Tries in a row and the time of the last one, the name tried longest ago first.
        self._tries: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def admit(self, name: str) -> float:
        """Return 0 and count a try, or the seconds to wait before one is allowed."""
        with self._lock:
            now = self._clock()
            count, last = self._tries.get(name, (0, now))
            if now - last > FORGOTTEN_S:
                count = 0
            if last > now:  # the clock was set back: from here on, it is as if the last try had been now
                last = now
                self._tries[name] = (count, now)
            of_name = last + min(LONGEST_S, 2.0 ** (count - FREE + 1)) - now if count >= FREE else 0.0
            wait = min(LONGEST_S, max(of_name, self._all.wait_s()))
            if wait > 0:
                return wait
            self._all.take()
            self._tries[name] = (count + 1, now)
            self._tries.move_to_end(name)
            while len(self._tries) > NAMES_MAX:
                self._tries.popitem(last=False)
            return 0.0

    def succeeded(self, name: str) -> None:
        """Forget the tries of ``name``: it was the right password."""
        with self._lock:
            self._tries.pop(name, None)
            self._all.take(-1.0)

    def __len__(self) -> int:
        return len(self._tries)
