"""Writes deliveries to Redis, as many at once as there are, so that one process keeps up with a wave of them.

One thread writes; while it waits for Redis' answer the next batch gathers. Nothing is taken in for good before it
stands in Redis: who hands a delivery over hears what came of it, or that Redis is away.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import Self

from redis import Redis
from redis.exceptions import RedisError

from mastowatch.errors import StoreUnavailable
from mastowatch.jobs.queues import WAITING_MAX
from mastowatch.ports.store import Tally, WebhookNotes
from mastowatch.ports.types import WebhooksSeen
from mastowatch.reliable.deliveries import Delivery, Outcome, enqueue

# Mastodon repeats what was not answered for two days, but soon after the first try; a day is ample.
MARK_TTL_S = 86400
# A batch holds Redis for about 3 ms.
BATCH_MAX = 64
# More than this means that Redis is too slow by far; the sender tries again.
UNWRITTEN_MAX = 5000
# Counters are for people: they may lag so much.
COUNT_EVERY_S = 0.2

_Promise = asyncio.Future[Outcome]
_NOTHING = WebhooksSeen()


class Intake:
    """Takes deliveries from one event loop, the server's. A context manager, whose end writes what was taken.

    ``confirm`` raises StoreUnavailable where what was just written might be lost; the deliveries then come again.
    """

    def __init__(
        self, redis: Redis, tally: Tally, notes: WebhookNotes, *, confirm: Callable[[], None] = lambda: None
    ) -> None:
        self._redis, self._tally, self._notes, self._confirm = redis, tally, notes, confirm
        self._waiting: deque[tuple[Delivery, _Promise]] = deque()
        self._counts: Counter[str] = Counter()
        self._seen = _NOTHING
        self._changed = threading.Condition()
        self._ending = False
        self._thread = threading.Thread(target=self._write_all, name="intake", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with self._changed:
            self._ending = True
            self._changed.notify()
        self._thread.join()

    def put(self, delivery: Delivery) -> _Promise:
        """Return the promise of what comes of ``delivery``: an outcome, or StoreUnavailable."""
        promise: _Promise = asyncio.get_running_loop().create_future()
        with self._changed:
            if len(self._waiting) >= UNWRITTEN_MAX or not self._thread.is_alive():
                promise.set_exception(StoreUnavailable(f"{len(self._waiting)} deliveries wait already"))
                return promise
            self._waiting.append((delivery, promise))
            if len(self._waiting) == 1:  # with more it is awake, or will be
                self._changed.notify()
        return promise

    def count(self, *names: str) -> None:
        """Count in the shared tally, soon."""
        with self._changed:
            self._wake()
            self._counts.update(names)

    def taken(self, event: str, now: float) -> None:
        """Remember, soon, that an event was taken in at ``now`` (epoch seconds)."""
        with self._changed:
            self._wake()
            self._seen = replace(self._seen, taken_at=now, event=event)

    def refused(self, why: str, now: float) -> None:
        """Remember, soon, that something was refused at ``now``, and why: words of ours, nothing of what was sent."""
        with self._changed:
            self._wake()
            self._seen = replace(self._seen, refused_at=now, why=why)

    def _wake(self) -> None:
        if not self._untold():
            self._changed.notify()

    def _untold(self) -> bool:
        return bool(self._counts) or self._seen is not _NOTHING

    def _write_all(self) -> None:
        counted_at = time.monotonic()
        ended = False
        while not ended:
            with self._changed:
                if not self._waiting and not self._ending:
                    self._changed.wait(COUNT_EVERY_S if self._untold() else None)
                batch = [self._waiting.popleft() for _ in range(min(BATCH_MAX, len(self._waiting)))]
                ended = self._ending and not batch
            if batch:
                self._write(batch)
            if ended or time.monotonic() - counted_at >= COUNT_EVERY_S:
                self._write_counts()
                counted_at = time.monotonic()

    def _write(self, batch: Sequence[tuple[Delivery, _Promise]]) -> None:
        found: Sequence[Outcome] | StoreUnavailable
        try:
            found = enqueue(
                self._redis, [delivery for delivery, _ in batch], mark_ttl_s=MARK_TTL_S, waiting_max=WAITING_MAX
            )
            self._confirm()
        except StoreUnavailable as error:
            found = error
        except RedisError as error:  # what was sent may have been done; when it comes again, its mark tells
            found = StoreUnavailable(f"Redis: {type(error).__name__}: {error}")
            found.__cause__ = error  # which tells what is wrong with Redis
        promises = [promise for _, promise in batch]
        # All that wait belong to the server's one loop; it is woken once a batch. At its end it may be gone.
        with suppress(RuntimeError):
            promises[0].get_loop().call_soon_threadsafe(_keep, promises, found)

    def _write_counts(self) -> None:
        with self._changed:
            counts, self._counts = self._counts, Counter()
            seen, self._seen = self._seen, _NOTHING
        try:
            if counts:
                self._tally.add_all(counts)
        except StoreUnavailable:
            with self._changed:
                self._counts.update(counts)
        with suppress(StoreUnavailable):  # of these the next one is as good
            self._notes.note(seen)


def _keep(promises: Sequence[_Promise], found: Sequence[Outcome] | StoreUnavailable) -> None:
    for number, promise in enumerate(promises):
        if promise.done():  # its client has left
            continue
        if isinstance(found, StoreUnavailable):
            promise.set_exception(found)
        else:
            promise.set_result(found[number])
