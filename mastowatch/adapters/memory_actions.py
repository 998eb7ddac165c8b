"""Measures against accounts, in memory: as redis_actions keeps them, gone with the process."""

from __future__ import annotations

from threading import Lock

from mastowatch.adapters.redis_actions import due_at
from mastowatch.ports.types import AccountAction


class MemoryAccountActions:
    """The latest measure by account id."""

    def __init__(self) -> None:
        self._actions: dict[str, AccountAction] = {}
        self._lock = Lock()

    def get(self, account_id: str) -> AccountAction | None:
        """See the port."""
        return self._actions.get(account_id)

    def plan(self, action: AccountAction) -> AccountAction:
        """See the port."""
        with self._lock:
            known = self._actions.get(action.account_id)
            if known is None or (known.ended and known.report_id != action.report_id):
                self._actions[action.account_id] = action
            return self._actions[action.account_id]

    def move(self, expect: AccountAction, to: AccountAction) -> bool:
        """See the port."""
        with self._lock:
            known = self._actions.get(to.account_id)
            if known is None or _step(known) != _step(expect):
                return False
            self._actions[to.account_id] = to
            return True

    def due(self, now: float, limit: int) -> tuple[AccountAction, ...]:
        """See the port."""
        waiting = sorted((due_at(one), one.account_id) for one in self._actions.values() if not one.ended)
        return tuple(self._actions[account_id] for at, account_id in waiting if at <= now)[:limit]


def _step(action: AccountAction) -> tuple[str, float, str]:
    return action.state, action.changed_at, action.report_id
