"""Redis behind Sentinel: a client that follows the primary, and whether the sentinels still hold it for the primary."""

from __future__ import annotations

from collections import Counter
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
    """The sentinels that the settings name; those that answered last are asked first."""

    def __init__(self, addresses: Sequence[Address], **options: Any) -> None:  # noqa: ANN401 -- redis-py's options
        patience = {"socket_timeout": ASK_S, "socket_connect_timeout": ASK_S, "retry": Retry(NoBackoff(), 0)}
        super().__init__(addresses, sentinel_kwargs={**options, **patience})  # type: ignore[no-untyped-call]

    def discover_master(self, service_name: str) -> Address:
        """Return where the primary is, by most of all the sentinels; raises MasterNotFoundError.

        redis-py takes the word of the first that answers. One whose machine is cut off, or has just come back, names a
        primary that the others have long replaced. Several threads may ask at once.
        """
        ordered, told, troubles = self.sentinels, Counter[Address](), list[str]()
        well, unwell = list[Redis](), list[Redis]()
        for number, one in enumerate(ordered, start=1):
            try:
                address = self._ask(one, service_name)
            except RedisError as error:
                troubles.append(f"{_name(one)}: {error}")
                unwell.append(one)
                continue
            except (LookupError, ValueError, TypeError, AttributeError) as error:
                # One that answers anything else must not keep the others from being asked.
                troubles.append(f"{_name(one)}: it answers what no sentinel does ({type(error).__name__})")
                unwell.append(one)
                continue
            well.append(one)
            told[address] += 1
            if told[address] > len(ordered) // 2:
                self.sentinels = [*well, *ordered[number:], *unwell]
                return address
        troubles += [f"{votes} name {host}:{port}" for (host, port), votes in told.items()]
        raise MasterNotFoundError(f"no primary that most of {len(ordered)} sentinels know: {'; '.join(troubles)}")

    def _ask(self, one: Redis, service_name: str) -> Address:
        masters: Any = one.sentinel_masters()
        state = masters.get(service_name)
        if state is None:
            raise MasterNotFoundError(f"it does not know {service_name}")
        if not self.check_master_state(state, service_name):  # type: ignore[no-untyped-call]
            raise MasterNotFoundError("it takes the primary for dead")
        return text(state["ip"]), int(state["port"])


class _Following:
    """Mends two faults of redis-py's connections to a primary (8.1).

    Within one command they connect anew without asking the sentinels: a server that is the primary no longer, or is
    away, is asked again and again. And they stay open when an answer has not come in time: the next command would wait
    for the same dead server, or take the late answer for its own.
    """

    _sock: Any
    connect: Callable[[], None]

    def send_packed_command(self, command: Any, check_health: bool = True) -> None:  # noqa: ANN401, FBT001, FBT002 -- redis-py's
        """Connect if need be, and send."""
        if not self._sock:
            self.connect()
        super().send_packed_command(command, check_health=check_health)  # type: ignore[misc]

    def read_response(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 -- redis-py's
        """Return the answer; whatever goes wrong, unless told otherwise, the connection is closed."""
        return super().read_response(*args, **{"disconnect_on_error": True, **options})  # type: ignore[misc]


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
            self._ask_sentinels(pool)

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

    def _ask_sentinels(self, pool: SentinelConnectionPool) -> None:
        if pool.master_address is None:
            self._redis.ping()
        found = pool.sentinel_manager.discover_master(pool.service_name)
        if found != pool.master_address:
            raise StoreUnavailable(
                f"most sentinels name {found[0]}:{found[1]} for the primary, not this Redis: what it is told is lost"
            )


def _name(one: Redis) -> str:
    given = one.connection_pool.connection_kwargs
    return f"{given['host']}:{given['port']}"
