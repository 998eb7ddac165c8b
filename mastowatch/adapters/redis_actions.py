"""Measures against accounts, in Redis: what was done, how far it got, and when it is to be undone."""

from __future__ import annotations

from collections.abc import Callable

from redis import Redis

from mastowatch.adapters.redis_common import InRedis, ours, text, texts
from mastowatch.ports.types import AccountAction

KEPT_S = 90 * 86400  # after its end: as long as the claim of the report that brought it about
_LEAVING = ("sent", "undoing")  # the next step is a request that changes the account
ATTEND_S = 300  # a step that was not followed by another one for so long is looked after


class RedisAccountActions(InRedis):
    """``mastowatch:action:<account id>`` (a hash) and ``mastowatch:actions:due`` (when to look at it next).

    ``confirm`` raises StoreUnavailable where what was just written before a request might not stay; it is not
    made then.
    """

    DUE = "mastowatch:actions:due"

    # KEYS: the action, due. ARGV: account, state, changed_at, report expected ('' for any), seconds to keep once it has
    # ended, 0 while it has not, when it is due, then fields and values.
    _SET = """
    local function set(first)
      redis.call('DEL', KEYS[1])
      redis.call('HSET', KEYS[1], unpack(ARGV, first))
      if tonumber(ARGV[5]) > 0 then
        redis.call('EXPIRE', KEYS[1], ARGV[5])
        redis.call('ZREM', KEYS[2], ARGV[1])
      else
        redis.call('ZADD', KEYS[2], ARGV[6], ARGV[1])
      end
    end
    local now = redis.call('HMGET', KEYS[1], 'state', 'changed_at', 'report_id')
    """
    _PLAN = f"""{_SET}
    local ended = now[1] == 'undone' or now[1] == 'left' or now[1] == 'failed'
    if not now[1] or (ended and now[3] ~= ARGV[4]) then set(7) end
    return redis.call('HGETALL', KEYS[1])
    """
    _MOVE = f"""{_SET}
    if now[1] ~= ARGV[2] or now[2] ~= ARGV[3] or now[3] ~= ARGV[4] then return 0 end
    set(7)
    return 1
    """

    def __init__(self, redis: Redis, *, confirm: Callable[[], None] = lambda: None) -> None:
        super().__init__(redis)
        self._confirm = confirm
        self._plan, self._move = redis.register_script(self._PLAN), redis.register_script(self._MOVE)

    @ours
    def get(self, account_id: str) -> AccountAction | None:
        """See the port."""
        fields = texts(self._redis.hgetall(_key(account_id)))
        return action_of(account_id, fields) if fields else None

    @ours
    def plan(self, action: AccountAction) -> AccountAction:
        """See the port."""
        flat = self._plan(keys=[_key(action.account_id), self.DUE], args=_args(action, action))
        return action_of(action.account_id, texts(dict(zip(flat[::2], flat[1::2], strict=True))))

    @ours
    def move(self, expect: AccountAction, to: AccountAction) -> bool:
        """See the port."""
        moved = bool(self._move(keys=[_key(to.account_id), self.DUE], args=_args(expect, to)))
        if moved and to.state in _LEAVING:
            self._confirm()
        return moved

    @ours
    def due(self, now: float, limit: int) -> tuple[AccountAction, ...]:
        """See the port."""
        ids = [text(raw) for raw in self._redis.zrange(self.DUE, "-inf", now, byscore=True, offset=0, num=limit)]
        found = (self.get(account_id) for account_id in ids)
        return tuple(one for one in found if one is not None)


def due_at(action: AccountAction) -> float:
    """Return when the action is to be looked at next."""
    return action.expires_at if action.state == "done" else action.changed_at + ATTEND_S


def _key(account_id: str) -> str:
    return f"mastowatch:action:{account_id}"


def _args(expect: AccountAction, to: AccountAction) -> list[str | float]:
    keep_s = KEPT_S if to.ended else 0
    expected = [to.account_id, expect.state, repr(expect.changed_at), expect.report_id]
    return [*expected, keep_s, repr(due_at(to)), *flat_action(to)]


def flat_action(to: AccountAction) -> list[str]:
    """Return the fields of its hash, each name with its value after it."""
    fields: dict[str, str] = {
        "measure": to.measure,
        "rule_id": to.rule_id,
        "report_id": to.report_id,
        "state": to.state,
        "changed_at": repr(to.changed_at),
        "expires_at": repr(to.expires_at),
        "others": " ".join(to.others),
        "reopen": " ".join(to.reopen),
        "why": to.why,
    }
    return [part for field in fields.items() for part in field]


def action_of(account_id: str, fields: dict[str, str]) -> AccountAction:
    """Return a measure from the fields of its hash; raises KeyError or ValueError."""
    return AccountAction(
        account_id=account_id,
        measure=fields["measure"],  # type: ignore[arg-type]  # written by RedisAccountActions alone
        rule_id=fields["rule_id"],
        report_id=fields["report_id"],
        state=fields["state"],  # type: ignore[arg-type]  # as above
        changed_at=float(fields["changed_at"]),
        expires_at=float(fields["expires_at"]),
        others=tuple(fields["others"].split()),
        reopen=tuple(fields["reopen"].split()),
        why=fields["why"],
    )
