"""Erases what is known of an account, while nobody judges it: who judges it would write a case anew."""

from __future__ import annotations

import time
import uuid

from mastowatch.jobs.context import View, erasure, locks
from mastowatch.jobs.queues import TASKS
from mastowatch.jobs.refusals import WrongState

# A judgement takes some seconds, most of them Mastodon's; somebody waits for this.
PATIENCE_S = 20.0
_LOOK_S = 0.2
_HELD_S = TASKS["analyze_and_maybe_report"].timeout_s + 10


def erase(view: View, account_id: str, *, patience_s: float = PATIENCE_S) -> None:
    """Erase it; raises WrongState if it is still being judged after ``patience_s``."""
    name, owner, lock = f"account:{account_id}", uuid.uuid4().hex, locks(view.redis)
    until = time.monotonic() + patience_s
    while not lock.acquire(name, owner, _HELD_S):
        if time.monotonic() >= until:
            raise WrongState(
                f"the account {account_id} is being judged, so nothing was erased; say it again in two minutes"
            )
        time.sleep(_LOOK_S)
    try:
        erasure(view.redis).erase(account_id)
    finally:
        lock.release(name, owner)
