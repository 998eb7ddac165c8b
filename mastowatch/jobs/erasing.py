"""Erases what is known of an account, while nobody judges it: who judges it would write a case anew."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from mastowatch.jobs.context import IMPORT_LOCK, View, erasure, locks
from mastowatch.jobs.queues import TASKS
from mastowatch.jobs.refusals import WrongState

# A judgement takes some seconds, most of them Mastodon's; somebody waits for this.
PATIENCE_S = 20.0
_LOOK_S = 0.2
_HELD_S = TASKS["analyze_and_maybe_report"].timeout_s + 10


def erase(view: View, account_id: str, *, patience_s: float = PATIENCE_S) -> None:
    """Erase it; raises WrongState if it is still being judged after ``patience_s``, or an import still goes on.

    An import writes the audit anew, out of what stood in it before.
    """
    until = time.monotonic() + patience_s
    with (
        _alone(view, f"account:{account_id}", until, f"the account {account_id} is being judged"),
        _alone(view, IMPORT_LOCK, until, "an import is under way"),
    ):
        erasure(view.redis).erase(account_id)


@contextmanager
def _alone(view: View, name: str, until: float, held: str) -> Iterator[None]:
    owner, lock = uuid.uuid4().hex, locks(view.redis)
    while not lock.acquire(name, owner, _HELD_S):
        if time.monotonic() >= until:
            raise WrongState(f"{held}, so nothing was erased; say it again in two minutes")
        time.sleep(_LOOK_S)
    try:
        yield
    finally:
        lock.release(name, owner)
