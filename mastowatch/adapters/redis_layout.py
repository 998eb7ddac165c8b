"""The layout of our keys in Redis: checked before anything is touched, migrated forward, never touched if newer.

``mastowatch:layout`` is a whole number; without it the keys have layout 1. ``mastowatch:processes`` says who runs with
which layout. Why it is done this way: docs/explanation/redis-layout.md.
"""

from __future__ import annotations

import logging
import os
import re
import socket
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from mastowatch import __version__
from mastowatch.errors import LayoutNewer, LayoutUnready, StoreUnavailable
from mastowatch.logs import event
from mastowatch.ports.host import Running
from mastowatch.same_redis import same_redis

log = logging.getLogger(__name__)
_NUMBER = re.compile("[1-9][0-9]{0,8}")

KEY, UNFINISHED = "mastowatch:layout", "mastowatch:layout:unfinished"
NEXT, PROCESSES, PAST = "mastowatch:layout:next", "mastowatch:processes", "mastowatch:layout:past:"
# A process says every few seconds that it lives (processes/layout.py); silent for so long, it is dead.
LIFE_S = 20.0
PATIENCE_S = 3.0  # for an answer of Redis: whoever asks has a watchdog to feed
LOCK_S = 30.0  # a migration that shows no life for so long is another process's to go on with


@dataclass(frozen=True, slots=True)
class Migration:
    """Brings the keys from layout ``to - 1`` to ``to``.

    ``run`` is called with a client and with ``alive``, which it calls between steps of a second at most; each step is
    atomic (a script or a transaction). It may have died anywhere in an earlier attempt, and must then go on from there.
    """

    to: int
    about: str
    run: Callable[[Redis, Callable[[], None]], None]


# The layout that this version reads and writes, and how older keys come to it: MIGRATIONS[0] leads to layout 2, and
# so on without a gap. Raised by one with each; packaging/forget.sh and adapters/forget.lua follow.
LAYOUT = 1
MIGRATIONS: tuple[Migration, ...] = ()


# KEYS: layout, unfinished, next, processes. ARGV: the layout we know, who we are, milliseconds of life.
# Answers: {layout, layout of an unfinished migration or '', layout announced or '', by whom, '1' if we come too late}
_JOIN = """
redis.call('SETNX', KEYS[1], 1)
local layout = redis.call('GET', KEYS[1])
local announced = redis.call('HMGET', KEYS[3], 'to', 'by')
local known, now = tonumber(ARGV[1]), redis.call('TIME')
now = now[1] + now[2] / 1e6
redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', now)
local newer = not string.match(layout, '^[1-9]%d*$') or tonumber(layout) > known
-- Whoever would have to leave again at once does not come in, or a migration would wait for ever.
local late = tonumber(announced[1] or '0') > known and not redis.call('ZSCORE', KEYS[4], ARGV[2])
if newer then
  redis.call('ZREM', KEYS[4], ARGV[2])
elseif not late then
  redis.call('ZADD', KEYS[4], string.format('%.3f', now + ARGV[3] / 1000), ARGV[2])
  redis.call('PEXPIRE', KEYS[4], ARGV[3])
end
return {layout, redis.call('GET', KEYS[2]) or '', announced[1] or '', announced[2] or '', late and 1 or 0}
"""

# Announces the migration, which is its lock as well, and begins it if nobody lives who does not know its end.
# KEYS: as above. ARGV: token of the holder, the layout it all leads to, this step's, by whom, now, milliseconds
# Answers: {'held', by whom}, {'waits', processes...}, {'moved'} (somebody else was quicker), or {'begun'}
_BEGIN = """
local holder = redis.call('HMGET', KEYS[3], 'owner', 'by')
if holder[1] and holder[1] ~= ARGV[1] then return {'held', holder[2]} end
redis.call('HSET', KEYS[3], 'owner', ARGV[1], 'to', ARGV[2], 'by', ARGV[4])
redis.call('HSETNX', KEYS[3], 'since', ARGV[5])
redis.call('PEXPIRE', KEYS[3], ARGV[6])
local clock = redis.call('TIME')
local alive = redis.call('ZRANGEBYSCORE', KEYS[4], clock[1], '+inf')
local older = {'waits'}
for _, one in ipairs(alive) do
  if tonumber(string.match(one, '^%d+')) < tonumber(ARGV[2]) then table.insert(older, one) end
end
if #older > 1 then return older end
local layout, to = tonumber(redis.call('GET', KEYS[1])), tonumber(ARGV[3])
if layout == to and redis.call('GET', KEYS[2]) == ARGV[3] then return {'begun'} end
if layout ~= to - 1 or redis.call('EXISTS', KEYS[2]) == 1 then return {'moved'} end
-- From here on an older version finds a newer layout, whatever becomes of this process.
redis.call('SET', KEYS[2], ARGV[3])
redis.call('SET', KEYS[1], ARGV[3])
return {'begun'}
"""

# KEYS: next. ARGV: token, milliseconds. Answers 1 while the lock is ours.
_HOLD = """
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""

# KEYS: unfinished, next, past. ARGV: token, fields of the record...
_FINISH = """
if redis.call('HGET', KEYS[2], 'owner') ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[3], unpack(ARGV, 2))
return 1
"""

_RELEASE = "if redis.call('HGET', KEYS[1], 'owner') == ARGV[1] then redis.call('DEL', KEYS[1]) end"


class Layout:
    """The layout as one process sees it; ``kind`` names the process for others, like "worker".

    ``redis`` may be a client whose connections are checked: what is done here goes over connections of its own.
    """

    def __init__(
        self,
        redis: Redis,
        kind: str,
        *,
        known: int,
        migrations: Sequence[Migration],
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        self._redis = unchecked(redis)
        self._known, self._migrations, self._alive = known, migrations, alive
        self._token = uuid.uuid4().hex
        host = socket.gethostname().replace(" ", "-") or "?"
        self._member = f"{known} {__version__} {kind} {host} {os.getpid()} {self._token[:6]}"
        self._who = str(as_running(self._member))
        self._told = ""
        self.leaving = ""

    def agree(self) -> None:
        """Make sure that keys and process have one layout, and say that this process lives.

        Raises LayoutNewer, or LayoutUnready while a migration is to come or under way; call again until it returns.
        Sets ``leaving`` to the reason, once a newer version waits for this process to end.
        """
        with _foreign_errors():
            raw, unfinished, announced, by, late = self._join()
            found = refuse_newer(raw, self._known)
            if late == "1":
                raise LayoutNewer(
                    f"the keys in Redis are about to be brought to layout {announced} by {by}, {_known(self._known)}"
                )
            if announced and int(announced) > self._known:
                self.leaving = f"layout {announced} is to come, by {by}"
            elif found < self._known or unfinished:
                self._migrate()

    def leave(self) -> None:
        """Say that this process lives no more; with Redis away that shows by itself."""
        try:
            self._redis.zrem(PROCESSES, self._member)
        except RedisError as error:
            event(log, logging.DEBUG, "process_left_registered", error=type(error).__name__)
        self._redis.connection_pool.disconnect()

    def _join(self) -> list[str]:
        keys = [KEY, UNFINISHED, NEXT, PROCESSES]
        answer = self._redis.register_script(_JOIN)(keys=keys, args=[self._known, self._member, int(LIFE_S * 1000)])
        return [_text(one) for one in answer]

    # --- migrating -----------------------------------------------------------------------------------------

    def _migrate(self) -> None:
        for migration in self._migrations:
            found, unfinished, *_ = self._join()
            if int(found) < migration.to or unfinished == str(migration.to):
                self._step(migration)
        self._redis.register_script(_RELEASE)(keys=[NEXT], args=[self._token])
        event(log, logging.WARNING, "layout_reached", layout=self._known)

    def _step(self, migration: Migration) -> None:
        self._begin(migration)
        began = time.time()
        event(log, logging.WARNING, "layout_migration_begun", to=migration.to, about=migration.about)
        migration.run(self._redis, self._hold)
        took = round(time.time() - began, 3)
        record = {"about": migration.about, "by": self._who, "at": round(began, 3), "seconds": took}
        fields: list[Any] = [part for pair in record.items() for part in pair]
        finish = self._redis.register_script(_FINISH)
        if not finish(keys=[UNFINISHED, NEXT, f"{PAST}{migration.to}"], args=[self._token, *fields]):
            raise LayoutUnready(_taken_over(migration.to))
        event(log, logging.WARNING, "layout_migrated", to=migration.to, seconds=took)

    def _begin(self, migration: Migration) -> None:
        """Get the lock and the right to change keys, or raise LayoutUnready that says what for it waits."""
        args: list[Any] = [self._token, self._known, migration.to, self._who, round(time.time(), 3), int(LOCK_S * 1000)]
        said, *rest = self._redis.register_script(_BEGIN)(keys=[KEY, UNFINISHED, NEXT, PROCESSES], args=args)
        answer, names = _text(said), [_text(one) for one in rest]
        if answer == "begun":
            return
        if answer == "moved":
            raise LayoutUnready(_taken_over(migration.to))
        if answer == "held":
            reason = f"the keys in Redis are being brought to layout {migration.to} by {names[0]}"
        else:
            older = ", ".join(str(as_running(one)) for one in names)
            reason = f"the keys in Redis are brought to layout {migration.to} as soon as these have ended: {older}"
        if reason != self._told:
            self._told = reason
            event(log, logging.WARNING, "layout_waits", reason=reason)
        raise LayoutUnready(reason)

    def _hold(self) -> None:
        """Keep the lock and show life, between two steps of a migration; raises LayoutUnready if the lock is lost."""
        self._alive()
        if not self._redis.register_script(_HOLD)(keys=[NEXT], args=[self._token, int(LOCK_S * 1000)]):
            raise LayoutUnready("the migration was taken over by another process")
        self._join()


def running(redis: Redis) -> list[Running]:
    """Return the processes of ours that live."""
    with _foreign_errors():
        now = float(redis.time()[0])
        return [as_running(_text(raw)) for raw in redis.zrangebyscore(PROCESSES, now, "+inf")]


def marks(redis: Redis) -> tuple[str, str, str]:
    """Return the layout in Redis, that of an unfinished migration, and one that is announced; "" for none."""
    with _foreign_errors():
        raw, unfinished = redis.mget(KEY, UNFINISHED)
        announced = redis.hget(NEXT, "to")
    return _text(raw or "1"), _text(unfinished or ""), _text(announced or "")


class LayoutRefused(RedisError):
    """A connection was closed, as the keys have another layout; to all but ``Layout`` it is as if Redis were away."""


def check_connection(connection: Any, known: int) -> None:  # noqa: ANN401 -- redis-py's, of several classes
    """Refuse a new connection to keys of another layout: give it to redis-py as ``redis_connect_func``.

    So nothing is read, taken or written that this version does not understand, whichever part of a process connects
    first, and whenever: also a job's process, and also after Redis was away and came back with other data.
    """
    # Without the look whether it is healthy: where Redis asks for a password, redis-py would connect anew for that, and
    # come here again, and so on without an end.
    interval, connection.health_check_interval = connection.health_check_interval, 0
    try:
        connection.on_connect()
    finally:
        connection.health_check_interval = interval
    connection.send_command("MGET", KEY, UNFINISHED, check_health=False)
    raw, unfinished = connection.read_response()
    refuse_other(raw, unfinished, known)


def check(redis: Redis, known: int) -> None:
    """Raise LayoutRefused unless the keys have the layout ``known``, and RedisError where Redis is away."""
    raw, unfinished = redis.mget(KEY, UNFINISHED)
    refuse_other(raw, unfinished, known)


def refuse_other(raw: Any, unfinished: Any, known: int) -> None:  # noqa: ANN401 -- redis-py gives bytes or str
    """Raise LayoutRefused for any layout but ``known``, and while a migration is unfinished."""
    try:
        found = refuse_newer("1" if raw is None else _text(raw), known)
    except LayoutNewer as error:
        raise LayoutRefused(str(error)) from error
    if found < known or unfinished is not None:
        raise LayoutRefused(f"the keys in Redis have layout {found} and are yet to be brought to {known}")


def unchecked(redis: Redis) -> Redis:
    """Return a client of the same Redis whose connections are made whatever the layout."""
    patience: dict[str, Any] = {"socket_timeout": PATIENCE_S, "socket_connect_timeout": PATIENCE_S}
    return same_redis(redis, without=("redis_connect_func",), retry=Retry(NoBackoff(), 0), **patience)


def refuse_newer(raw: str, known: int) -> int:
    """Return the layout that stands in Redis as ``raw``; raises LayoutNewer for one that this version does not know."""
    if not _NUMBER.fullmatch(raw):
        raise LayoutNewer(f"the layout of the keys in Redis, {KEY}, is {raw[:40]!r}, {_known(known)}")
    found = int(raw)
    if found > known:
        raise LayoutNewer(f"the keys in Redis have layout {found}: a newer version was here, {_known(known)}")
    return found


def _known(known: int) -> str:
    return (
        f"and MastoWatch {__version__} knows layout {known} at most. It has touched nothing. Install the newer "
        "version; or delete all keys, with `mastowatch forget --force`, and begin anew"
    )


def as_running(member: str) -> Running:
    """Read an entry of PROCESSES."""
    layout, version, kind, host, pid, *_ = member.split(" ")
    return Running(int(layout), version, kind, host, int(pid))


def _taken_over(to: int) -> str:
    return f"another process was quicker to bring the keys in Redis to layout {to}"


def _text(raw: Any) -> str:  # noqa: ANN401 -- redis-py gives bytes or str
    return raw.decode(errors="replace") if isinstance(raw, bytes) else str(raw)


@contextmanager
def _foreign_errors() -> Iterator[None]:
    try:
        yield
    except RedisError as error:
        raise StoreUnavailable(f"Redis: {type(error).__name__}: {error}") from error
