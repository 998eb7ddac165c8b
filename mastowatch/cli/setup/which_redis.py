"""The third question: which Redis. The host's own is looked at and never changed; a private one is made by us."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, RedisError, ResponseError
from redis.retry import Retry

from mastowatch.cli.setup import private_redis
from mastowatch.cli.setup.begin import Setup
from mastowatch.cli.setup.secret_files import read_secret
from mastowatch.cli.setup.stopping import Refused
from mastowatch.cli.setup.talking import Choice, is_bad
from mastowatch.config import Settings
from mastowatch.config.loading import without_password
from mastowatch.errors import ConfigError
from mastowatch.jobs.checks.finding import Finding
from mastowatch.jobs.checks.redis import RedisFacts, judge_persistence, judge_policy, judge_role
from mastowatch.jobs.checks.world import redis_command

HOST = "redis://localhost:6379/1"
LEAST_VERSION = 7
_PATIENCE_S = 3.0
_WAYS = {
    "private": Choice("private", "one for MastoWatch alone on this host; a crash loses a second of work at most"),
    "host": Choice(
        "host", "the one of this host, database 1; Debian's own settings may lose minutes of work in a crash"
    ),
    "other": Choice("other", "another one, by its address"),
}


def ask(setup: Setup) -> None:
    """Plan the Redis, once it has been looked at; raises Refused."""
    arguments, talk = setup.arguments, setup.talk
    if not (arguments.redis or arguments.redis_password_file or setup.asks or setup.first):
        return
    talk.head("3. Redis, which keeps jobs and cases")
    way = arguments.redis or _way(setup)
    while way != "keep" and not _plan(setup, way):
        if not talk.asks:
            raise Refused("Redis can't be used like this; mend that, choose another with --redis, or say --force")
        way = _way(setup)
    if way == "keep" and arguments.redis_password_file:
        _plan(setup, setup.settings.redis_url)


def _way(setup: Setup) -> str:
    """Return host, private, an address, or keep."""
    talk, usual = setup.talk, "host" if private_redis.why_not(setup.places) else "private"
    set_up = setup.loaded.origins["REDIS_URL"] != "default"
    if not setup.asks:
        return "keep" if set_up or not setup.first else usual
    ways = [_WAYS[one] for one in ("private", "host", "other") if one != "private" or usual == "private"]
    if set_up or not setup.first:
        ways.insert(0, Choice("keep", f"the one that is set: {without_password(setup.settings.redis_url)}"))
        usual = "keep"
    chosen = talk.choose("Which", ways, usual)
    return talk.ask("Its address, like rediss://redis.example:6379/1") if chosen == "other" else chosen


def _plan(setup: Setup, way: str) -> bool:
    """Plan this Redis; False where it can't be used, which has been told."""
    if way == "private":
        return _plan_private(setup)
    url = HOST if way == "host" else way
    if ":" in url.partition("://")[2].rpartition("@")[0]:
        told = "leave the password out of the address, and write it into a file: --redis-password-file"
        _complain(setup, told)
        return False
    with setup.trying() as good:
        if not _is_fine(setup, url):
            return False
        good()
    return True


def _is_fine(setup: Setup, url: str) -> bool:
    password, another = _password(setup, url), url != setup.settings.redis_url
    try:
        setup.set("REDIS_URL", url)
    except ConfigError as error:
        _complain(setup, str(error))
        return False
    found = _looked_at(setup, password)
    if password is None and found[0].means == _WITHOUT and setup.talk.asks:
        password = setup.talk.hidden("Redis' password")
        found = _looked_at(setup, password)
    setup.talk.findings(found)
    if password is not None:
        setup.plan.secrets["redis_password"] = password
    elif another and found[0].check != "redis":
        # It answers without one. That of the Redis before would be sent to it, and be refused.
        setup.plan.secrets["redis_password"] = None
    if setup.arguments.force:
        return True
    # What it would do when it is full is the admin's to mend, at leisure: doctor says it again.
    if is_bad(one for one in found if one.check != "redis-policy"):
        return False
    shared = any(one.check == "redis-shared" for one in found)
    return not (shared and setup.talk.asks) or setup.talk.confirm("Use it all the same?", default=False)


def _looked_at(setup: Setup, password: str | None) -> list[Finding]:
    file = setup.secret_path("redis_password") if password is not None else None
    return list(look(setup.settings.redis_url, password, setup.settings, file))


def _complain(setup: Setup, wrong: str) -> None:
    if setup.talk.asks:
        setup.talk.say(wrong)
    else:
        print(f"mastowatch: --redis: {wrong}", file=sys.stderr)


def _plan_private(setup: Setup) -> bool:
    wrong = private_redis.why_not(setup.places)
    if wrong:
        print(f"mastowatch: --redis private: {wrong}", file=sys.stderr)
        return False
    url = private_redis.url(setup.places)
    if setup.arguments.redis:
        setup.talk.explain(f"A private one, for MastoWatch alone, at {url}.")
    _warn_of_another(setup, url)
    setup.plan.private_redis = True
    setup.set("REDIS_URL", url)
    # It has none: who reaches its socket may use it. One that nobody asks for would be refused.
    setup.plan.secrets["redis_password"] = None
    return True


def _warn_of_another(setup: Setup, url: str) -> None:
    if not setup.first and setup.settings.redis_url != url:
        setup.talk.say(
            "What MastoWatch knows stays behind in the Redis that it has used so far: jobs, cases, the audit. Reports "
            "that were filed are found again at Mastodon, so no account is reported twice for that."
        )


def _password(setup: Setup, url: str) -> str | None:
    if setup.arguments.redis_password_file:
        return read_secret("--redis-password-file", setup.arguments.redis_password_file)
    # Not for another Redis: it would be sent to whoever answers there.
    return setup.kept("redis_password") if url == setup.settings.redis_url else None


# What a Redis means that asks for more than it was given.
_WITHOUT = "Write it into a file, and name that with --redis-password-file."


def look(
    url: str, password: str | None, settings: Settings | None = None, password_file: Path | None = None
) -> Iterator[Finding]:
    """Yield what there is to say of a Redis; asks, and changes nothing.

    ``settings`` name the authority of its certificate; ``password_file`` will hold the password.
    """
    settings = settings or Settings(redis_url=url)
    if urlsplit(url).scheme not in ("redis", "rediss", "unix") or settings.redis_sentinels:
        shown = "the Redis that the sentinels name" if settings.redis_sentinels else url
        yield Finding("redis", "note", f"{shown} is looked at when all is written")
        return
    options: dict[str, Any] = {"socket_timeout": _PATIENCE_S, "socket_connect_timeout": _PATIENCE_S}
    options["retry"] = Retry(NoBackoff(), 0)
    if settings.redis_ca_file:
        options["ssl_ca_certs"] = str(settings.redis_ca_file)
    client = Redis.from_url(url, password=password, decode_responses=True, **options)
    try:
        with client:
            told = client.info()
    except AuthenticationError:
        wrong = "it wants a password" if password is None else "it wants another password"
        yield Finding("redis", "failure", f"Redis at {url}: {wrong}", _WITHOUT)
        return
    except ResponseError as error:
        yield Finding("redis", "failure", f"Redis at {url} refuses: {str(error)[:80]}")
        return
    except (ValueError, TypeError, AttributeError):  # what redis-py raises of an answer that it can't take apart
        yield Finding("redis", "failure", f"what answers at {url} does not speak as Redis does")
        return
    except (RedisError, OSError) as error:
        yield Finding("redis", "failure", f"Redis at {url} does not answer ({type(error).__name__})")
        return
    yield from _judge(url, told, redis_command(settings, password_file))


def _judge(url: str, told: Mapping[str, Any], cli: str) -> Iterator[Finding]:
    yield _version(told)
    parts = urlsplit(url)
    local = parts.scheme == "unix" or parts.hostname in ("localhost", "127.0.0.1", "::1")
    facts = RedisFacts(told, cli=cli)
    found = [judge_role(facts), judge_policy(facts), *judge_persistence(facts, local=local)]
    yield from (one for one in found if one.state != "ok")
    if database(url) == 0:
        yield Finding("redis-shared", "warning", "database 0 is Mastodon's own", "Take another, as in .../1.")


def _version(told: Mapping[str, Any]) -> Finding:
    version = str(told.get("redis_version", ""))
    name = "Valkey" if "valkey_version" in told else "Redis"
    shown = str(told.get("valkey_version", version))[:30]
    major = version.partition(".")[0]
    if major.isdecimal() and int(major) >= LEAST_VERSION:
        return Finding("redis-version", "ok", f"{name} {shown} answers")
    return Finding("redis-version", "failure", f"{name} {shown} is older than {LEAST_VERSION}", "Upgrade it.")


def database(url: str) -> int:
    """Return the number of the database that an address names."""
    kwargs = Redis.from_url(url).connection_pool.connection_kwargs
    return int(kwargs.get("db") or 0)
