"""What the checks look at: settings, secrets as far as this user may read them, Redis, and this machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from shlex import quote
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from redis import Redis
from redis.exceptions import AuthenticationError, BusyLoadingError, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from mastowatch.config import Loaded, Settings, Sources
from mastowatch.config.loading import CREDENTIALS, DEFAULT_FILE, examine
from mastowatch.errors import ConfigError
from mastowatch.jobs import context as contexts
from mastowatch.jobs.checks.finding import Finding
from mastowatch.jobs.checks.mastodon import read_server
from mastowatch.jobs.context import View
from mastowatch.ports.host import Host
from mastowatch.ports.probe import Probe, Reply
from mastowatch.ports.types import Readings

# Somebody waits for each answer of Mastodon, and there are some eight.
ANSWER_S = 5.0
SLOW = "no answer in time"
NOT_OURS = "this user may not use its socket"
# What redis-cli calls what redis-py reads from the address.
_TLS = {"ssl_ca_certs": "--cacert", "ssl_ca_path": "--cacertdir", "ssl_certfile": "--cert", "ssl_keyfile": "--key"}


class Secret(NamedTuple):
    """A secret, or why there is none: ``hidden`` from this user, or a ``fault`` with its file."""

    value: str | None
    hidden: bool = False
    fault: str = ""


class Away(Exception):
    """What a check rests on can't be asked; the text says why."""


@dataclass
class World:
    """Made once for all checks, and shared by their threads. ``now`` is epoch seconds."""

    sources: Sources
    now: float
    host: Host = field(default_factory=contexts.host)

    @cached_property
    def examined(self) -> tuple[Loaded | None, list[str]]:
        """The settings, or None and what is wrong with them. The secrets are those of this machine's units."""
        loaded, faults = examine(self.sources)
        if loaded is not None and loaded.of_this_machine:
            loaded = replace(loaded, credentials=CREDENTIALS)
        return loaded, faults

    @property
    def loaded(self) -> Loaded:
        """The settings; raises Away while they can't be used."""
        loaded, _ = self.examined
        if loaded is None:
            raise Away("the settings have a fault")
        return loaded

    @property
    def settings(self) -> Settings:
        """The settings; raises Away as ``loaded`` does."""
        return self.loaded.settings

    @property
    def of_this_machine(self) -> bool:
        """Whether the settings are those of this machine's units."""
        return self.loaded.credentials == CREDENTIALS

    def secret(self, name: str) -> Secret:
        """Return a secret as far as this user may read it; raises nothing but Away."""
        try:
            return Secret(self.loaded.secret(name))
        except PermissionError:
            return Secret(None, hidden=True)
        except ConfigError as error:
            if isinstance(error.__cause__, PermissionError):
                return Secret(None, hidden=True)
            return Secret(None, fault=str(error))

    @cached_property
    def _redis(self) -> tuple[Redis | None, list[Finding]]:
        return _connected(self)

    @property
    def redis(self) -> Redis:
        """A client of a Redis that answers; raises Away."""
        client, found = self._redis
        if client is None:
            raise Away(found[0].says)
        return client

    def reach_redis(self) -> list[Finding]:
        """Say whether Redis answers."""
        return self._redis[1]

    @cached_property
    def view(self) -> View:
        """What stands in Redis; raises Away."""
        return contexts.view(self.loaded, self.redis)

    @cached_property
    def probe(self) -> Probe:
        """What asks the Mastodon server; raises Away."""
        return contexts.probe(self.settings.instance_base, self.settings, ANSWER_S)

    @cached_property
    def _server(self) -> Reply:
        return read_server(self.probe)

    def server(self) -> Reply:
        """Return what the Mastodon server says of itself, asked once; raises Away."""
        return self._server

    @cached_property
    def readings(self) -> Readings:
        """What stands under mastowatch:*, read once; raises Away."""
        return self.view.watching.read(self.now)


def redis_cli(world: World) -> str:
    """Return how redis-cli is called for the Redis of the settings; the password comes from its file, not from here."""
    settings, secret = world.settings, world.secret("redis_password")
    file = settings.redis_password_file or CREDENTIALS / "redis_password"
    at = _primary(world) if settings.redis_sentinels else None
    return redis_command(settings, file if secret.value or secret.hidden else None, at)


def redis_command(settings: Settings, password_file: Path | None, at: tuple[str, int] | None = None) -> str:
    """Return the call of redis-cli for REDIS_URL, or for the host and port of ``at``, as our processes connect."""
    parts = urlsplit(settings.redis_url)
    words = [f'REDISCLI_AUTH="$(cat {quote(str(password_file))})"'] if password_file else []
    words.append("redis-cli")
    if parts.scheme == "unix":
        words.append(f"-s {quote(unquote(parts.path))}")
    else:
        host, port = at or (parts.hostname or "", parts.port or 6379)
        words += [f"-h {host}"] if host not in ("localhost", "127.0.0.1", "") else []
        words += [f"-p {port}"] if port != 6379 else []
    if parts.username:
        words.append(f"--user {quote(unquote(parts.username))}")
    if parts.password and not password_file:
        # It must not stand in a command: redis-cli asks for it.
        words.append("--askpass")
    return " ".join([*words, *(_tls(settings, parts.query) if parts.scheme == "rediss" else ())])


def _tls(settings: Settings, query: str) -> Iterator[str]:
    """Yield what redis-cli must know of certificates: what REDIS_CA_FILE and REDIS_URL tell redis-py."""
    told = {name: values[0] for name, values in parse_qs(query).items()}
    if settings.redis_ca_file:
        told.setdefault("ssl_ca_certs", str(settings.redis_ca_file))
    yield "--tls"
    if told.get("ssl_cert_reqs") == "none":
        yield "--insecure"
    yield from (f"{option} {quote(told[name])}" for name, option in _TLS.items() if told.get(name))


def redis_unit(world: World) -> str:
    """Return the unit of a Redis on this machine: Debian's own, or the private instance."""
    parts = urlsplit(world.settings.redis_url)
    return "redis-server@mastowatch" if parts.scheme == "unix" and "mastowatch" in parts.path else "redis-server"


def edit(world: World) -> str:
    """Return the command that opens the settings."""
    return f"sudoedit {world.sources.file or DEFAULT_FILE}"


def is_local(world: World) -> bool:
    """Whether Redis runs on this machine."""
    parts = urlsplit(world.settings.redis_url)
    local = parts.scheme == "unix" or parts.hostname in ("localhost", "127.0.0.1", "::1")
    return local and not world.settings.redis_sentinels


def _primary(world: World) -> tuple[str, int]:
    """Return where the Redis is that a Sentinel has led us to, as far as redis-py tells."""
    pool = world.redis.connection_pool
    connection = pool.get_connection()
    try:
        return str(getattr(connection, "host", "PRIMARY")), int(getattr(connection, "port", 6379))
    finally:
        pool.release(connection)


def _connected(world: World) -> tuple[Redis | None, list[Finding]]:
    name, password = "redis", world.secret("redis_password")
    unit = redis_unit(world)
    try:
        client = contexts.unchecked(contexts.connect(_without(world.loaded) if password.hidden else world.loaded))
        client.ping()
    except AuthenticationError:
        return None, [_locked(world, password)]
    except BusyLoadingError:
        loading = Finding(name, "warning", "Redis is loading its data", "Work goes on by itself once it has.")
        return None, [loading]
    except PermissionError:
        return None, [_locked(world, Secret(None, hidden=True))]
    except ConfigError as error:
        return None, [Finding(name, "failure", str(error)[:300], "No process gets at its jobs.", edit(world))]
    except (RedisError, OSError, ValueError) as error:
        why = _why(error)
        if why == NOT_OURS and not world.host.is_root():
            says, means = "Redis' socket is for root and the units alone", "Run it again as root to see the rest."
            return None, [Finding(name, "unknown", says, means, "sudo mastowatch doctor")]
        means = "No job is taken, nothing is polled and the pages are empty until it answers; nothing is lost."
        mend = f"systemctl {'restart' if why == SLOW else 'start'} {unit}" if is_local(world) else ""
        return None, [Finding(name, "failure", f"Redis does not answer ({why})", means, mend)]
    return client, [Finding(name, "ok", "answers")]


def _why(error: Exception) -> str:
    """Return in our words why there was no answer; the error's own may hold more than is to be shown."""
    if isinstance(error, RedisTimeoutError):
        return SLOW
    text = str(error)
    known = {
        "refused": "connection refused",
        "Name or service": "its name is not known",
        "No such file": "there is no such socket",
        "ermission denied": NOT_OURS,
        "ertificate": "its certificate is not trusted",
        "SSL": "TLS failed",
        "unreachable": "no way there",
    }
    return next((told for part, told in known.items() if part in text), type(error).__name__)


def _without(loaded: Loaded) -> Loaded:
    """Return the settings without Redis' passwords, which this user may not read: perhaps it goes without."""
    none = dict.fromkeys(("redis_password_file", "redis_sentinel_password_file"))
    return replace(loaded, credentials=None, settings=loaded.settings.model_copy(update=none))


def _locked(world: World, password: Secret) -> Finding:
    if password.hidden:
        says = "Redis asks for a password, which only root may read here"
        return Finding("redis", "unknown", says, "Run it again as root to see the rest.", "sudo mastowatch doctor")
    if password.value:
        says = "Redis refuses the password"
        means = "No process gets at its jobs; write the password of Redis' requirepass into the file."
    else:
        says = "Redis asks for a password, and none is set up"
        means = "No process gets at its jobs; write the password into the file, for root alone."
    path = world.settings.redis_password_file or CREDENTIALS / "redis_password"
    mend = f"sudoedit {path}"
    if path.parent == CREDENTIALS:
        # An editor makes a file that everybody may read, and the units read it when they start.
        mend += f" && chmod 0600 {path} && systemctl restart mastowatch.target"
    return Finding("redis", "failure", says, means, mend)
