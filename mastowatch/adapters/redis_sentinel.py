"""Redis behind Sentinel: a client that follows the primary, and whether the sentinels still hold it for the primary."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.connection import SSLConnection, parse_url
from redis.exceptions import RedisError
from redis.retry import Retry
from redis.sentinel import (
    MasterNotFoundError,
    Sentinel,
    SentinelConnectionPool,
    SentinelManagedConnection,
    SentinelManagedSSLConnection,
)

from mastowatch.adapters.redis_common import ours, text
from mastowatch.errors import StoreUnavailable

# For an answer of one sentinel: whoever asks has a watchdog to feed, and others to ask.
ASK_S = 1.0

Address = tuple[str, int]


class Sentinels(Sentinel):
    """The sentinels that the settings name; the one that answered last is asked first."""

    def __init__(self, addresses: Sequence[Address], **options: Any) -> None:  # noqa: ANN401 -- redis-py's options
        patience = {"socket_timeout": ASK_S, "socket_connect_timeout": ASK_S, "retry": Retry(NoBackoff(), 0)}
        super().__init__(addresses, sentinel_kwargs={**options, **patience})  # type: ignore[no-untyped-call]

    def discover_master(self, service_name: str) -> Address:
        """Return where the primary is, by the first sentinel that knows; raises MasterNotFoundError.

        Like redis-py's, but several threads may ask at once.
        """
        ordered, troubles = self.sentinels, list[str]()
        for one in ordered:
            try:
                found: Any = one.sentinel_masters()
                state = found.get(service_name)
            except RedisError as error:
                troubles.append(f"{_name(one)}: {type(error).__name__}: {error}")
                continue
            if state is not None and self.check_master_state(state, service_name):  # type: ignore[no-untyped-call]
                self.sentinels = [one, *(other for other in ordered if other is not one)]
                return text(state["ip"]), int(state["port"])
            known = "it is down" if state is not None else f"it does not know {service_name}"
            troubles.append(f"{_name(one)}: {known}")
        raise MasterNotFoundError(f"no sentinel knows a primary that is up; {'; '.join(troubles)}")

    def votes_for(self, service_name: str, address: Address) -> int:
        """Return how many sentinels answer, and hold ``address`` for the primary."""
        return sum(self._says(one, service_name) == address for one in self.sentinels)

    @staticmethod
    def _says(one: Redis, service_name: str) -> Address | None:
        try:
            found: Any = one.sentinel_get_master_addr_by_name(service_name)
        except RedisError:
            return None
        return (text(found[0]), int(found[1])) if found else None


class _Following:
    """Asks the sentinels before each connection, as redis-py means to: within one command it forgets to (8.1).

    A server that is the primary no longer, or is away, would be asked again and again while the command is retried.
    """

    _sock: Any
    connect: Callable[[], None]

    def send_packed_command(self, command: Any, check_health: bool = True) -> None:  # noqa: ANN401, FBT001, FBT002 -- redis-py's
        """Connect if need be, and send."""
        if not self._sock:
            self.connect()
        super().send_packed_command(command, check_health=check_health)  # type: ignore[misc]


class _Connection(_Following, SentinelManagedConnection):
    pass


class _SecuredConnection(_Following, SentinelManagedSSLConnection):
    pass


def connect(
    url: str,
    addresses: Sequence[Address],
    service_name: str,
    sentinel_password: str | None,
    **options: Any,  # noqa: ANN401 -- redis-py's options
) -> Redis:
    """Return a client of the primary that the sentinels name, and of its successors; connects at the first command.

    Of ``url`` everything counts but host and port; its TLS is that of the sentinels, too.
    """
    given: dict[str, Any] = options | parse_url(url)  # type: ignore[no-untyped-call]  # redis-py's, like those below
    secured = given.pop("connection_class", None) is SSLConnection
    for name in ("host", "port"):
        given.pop(name, None)
    tls = {"ssl": True, **{name: value for name, value in given.items() if name.startswith("ssl_")}} if secured else {}
    sentinels = Sentinels(addresses, password=sentinel_password, **tls)
    kind = _SecuredConnection if secured else _Connection
    pool = SentinelConnectionPool(service_name, sentinels, connection_class=kind, **given)  # type: ignore[no-untyped-call]
    return Redis(connection_pool=pool)


class Confirming:
    """Tells whether what was written will stay, also if the primary is lost in the next moment."""

    _KEY, _KEY_TTL_S = "mastowatch:confirmed", 60

    def __init__(self, redis: Redis, *, replicas: int) -> None:
        self._redis, self._replicas = redis, replicas

    @ours
    def replicated(self) -> None:
        """Raise StoreUnavailable unless enough replicas have all that was written until now."""
        if self._replicas:
            self._wait()

    @ours
    def agreed(self) -> None:
        """Raise StoreUnavailable also unless most sentinels hold this Redis for the primary.

        One that is cut off from the others takes what it is told until the cut ends, and forgets it then; the others
        have long had another one.
        """
        self.replicated()
        pool = self._redis.connection_pool
        if isinstance(pool, SentinelConnectionPool):
            self._count_votes(pool)

    def _wait(self) -> None:
        # A replica gets all in order: with this write it has those of all other connections before it.
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.set(self._KEY, "1", ex=self._KEY_TTL_S)
            pipe.wait(self._replicas, int(ASK_S * 1000))
            *_, found = pipe.execute()
        if found < self._replicas:
            raise StoreUnavailable(
                f"Redis has taken it, but only {found} of {self._replicas} replicas (REDIS_WAIT_REPLICAS) have it"
                f" after {ASK_S:.0f} s: it may be lost with the primary"
            )

    def _count_votes(self, pool: SentinelConnectionPool) -> None:
        if pool.master_address is None:
            self._redis.ping()
        sentinels: Sentinels = pool.sentinel_manager
        votes, all_of_them = sentinels.votes_for(pool.service_name, pool.master_address), len(sentinels.sentinels)
        if votes <= all_of_them // 2:
            raise StoreUnavailable(
                f"only {votes} of {all_of_them} sentinels hold this Redis for the primary: what it is told may be lost"
            )


def _name(one: Redis) -> str:
    given = one.connection_pool.connection_kwargs
    return f"{given['host']}:{given['port']}"
