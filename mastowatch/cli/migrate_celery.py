"""``mastowatch migrate celery``: moves what Celery left in its Redis to our queues, and tells what it did."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from redis import Redis
from redis.exceptions import RedisError

from mastowatch.cli.rules_common import print_json, with_secrets
from mastowatch.cli.tables import plain
from mastowatch.config import Loaded
from mastowatch.errors import ConfigError, LayoutUnready, StoreUnavailable
from mastowatch.jobs.celery_move.broker import Broker
from mastowatch.jobs.celery_move.mapping import ours
from mastowatch.jobs.celery_move.move import KINDS, Aside, Move, Report
from mastowatch.jobs.celery_move.moving import Mover
from mastowatch.jobs.context import connect, ensure_layout
from mastowatch.jobs.queues import TASKS, Jobs
from mastowatch.jobs.scheduler import recurring_jobs

EXIT_NO = 1


def run(loaded: Loaded, arguments: argparse.Namespace) -> int:
    """Move everything, or with --dry-run tell what there is; 1 where something is left, or Redis is away."""
    loaded = with_secrets(loaded)
    names = _names(arguments.map)
    try:
        with _connected(arguments) as theirs:
            broker = Broker(theirs, arguments.prefix, arguments.queue)
            if not arguments.dry_run and not arguments.celery_is_stopped and _is_running(broker, theirs):
                return EXIT_NO
            return _migrate(loaded, arguments, broker, theirs, names)
    except (RedisError, StoreUnavailable, LayoutUnready) as error:
        told = f"{error}; nothing is lost: run it again, it goes on where it was"
        print(f"mastowatch: {told}", file=sys.stderr)
        return EXIT_NO
    except OSError as error:
        print(f"mastowatch: {arguments.unknown}: {error.strerror}; name another file with --unknown", file=sys.stderr)
        return EXIT_NO


def _migrate(
    loaded: Loaded, arguments: argparse.Namespace, broker: Broker, theirs: Redis, names: dict[str, str]
) -> int:
    redis = connect(loaded)
    before, report = broker.count(), Report()
    jobs = Jobs(redis, loaded.settings)
    if arguments.dry_run:
        Move(broker, None, jobs, None, names, time.time).run(report)
        return _tell(loaded, arguments, broker, report, before, names, removed=0)
    with ensure_layout(redis), _until_told_to_stop() as stop:
        aside = Aside(arguments.unknown)
        Move(broker, Mover(redis, theirs), jobs, aside, names, time.time).run(report, lambda: not stop)
        emptied = not any(broker.count().values())
        # Where queues were named there are others, whose bindings and results these may be.
        keeps = arguments.keep or arguments.queue
        removed = broker.clear(broker.leftovers()) if emptied and not keeps else 0
    return _tell(loaded, arguments, broker, report, before, names, removed=removed)


def _tell(
    loaded: Loaded,
    arguments: argparse.Namespace,
    broker: Broker,
    report: Report,
    before: dict[str, int],
    names: dict[str, str],
    *,
    removed: int,
) -> int:
    left = sum(broker.count().values())
    told: dict[str, Any] = {
        "dry_run": arguments.dry_run,
        "queues": before,
        "messages": sum(report.kinds.values()),
        "by_outcome": dict(report.kinds),
        "by_task": [{"task": task, "outcome": kind, "count": n} for (task, kind), n in sorted(report.tasks.items())],
        "left": left,
        "keys_of_celery_removed": removed,
        "keys_of_celery_left": len(broker.leftovers()),
        "beat_entries": [asdict(one) | {"is_here": ours(one.task, names)} for one in broker.beat_entries()],
        "schedule": {one.id: one.every_s for one in recurring_jobs(loaded.settings)},
        "unknown_file": str(arguments.unknown) if report.kinds["unknown"] and not arguments.dry_run else None,
    }
    if arguments.json:
        print_json(told)
    else:
        _print(told)
    return 0 if arguments.dry_run or not left else EXIT_NO


def _print(told: dict[str, Any]) -> None:
    found = ", ".join(f"{name} {count}" for name, count in told["queues"].items() if count)
    print(f"Celery's messages: {found or 'none'}")
    if told["messages"]:
        print("What would become of them:" if told["dry_run"] else "What became of them:")
    for kind, about in KINDS.items():
        if count := told["by_outcome"].get(kind):
            print(f"{count:>8}  {kind:<8} {about}")
    if told["by_task"]:
        print("By task:")
    for row in told["by_task"]:
        print(f"{row['count']:>8}  {row['outcome']:<8} {plain(row['task'])}")
    if told["unknown_file"]:
        print(f"What is not ours is in {told['unknown_file']}, which only you may read: it may hold people's data.")
    for entry in told["beat_entries"]:
        every = f"every {entry['every_s']:.0f} s" if entry["every_s"] else "at times of its own"
        taken_over = _taken_over(entry["is_here"], told["schedule"])
        print(f"Beat's entry {plain(entry['name'])} ({plain(entry['task'])}, {every}): {taken_over}")
    recurring = ", ".join(f"{name} every {every} s" for name, every in told["schedule"].items())
    print(f"The schedule that takes over from Celery's beat: {recurring}")
    print("Beat's own file (celerybeat-schedule) is not read and not needed any longer.")
    if told["keys_of_celery_removed"]:
        print(f"Removed {told['keys_of_celery_removed']} keys that Celery left.")
    if told["left"] and not told["dry_run"]:
        print(f"{told['left']} messages are left; run this again.")


def _taken_over(here: str, schedule: dict[str, int]) -> str:
    return f"taken over, every {schedule[here]} s" if here in schedule else "not ours; it runs no longer"


def _is_running(broker: Broker, theirs: Redis) -> bool:
    """Tell whether Celery's workers may still take messages, and say what to do."""
    listening = broker.listening()
    database = str(theirs.connection_pool.connection_kwargs.get("db") or 0)
    waiting = [one for one in theirs.client_list() if one["db"] == database and one["cmd"] == "brpop"]
    if not listening and not waiting:
        return False
    told = (
        f"{listening} Celery workers answer"
        if listening
        else f"{len(waiting)} clients wait for messages in database {database}, as Celery's workers do"
    )
    print(
        f"mastowatch: {told}; stop Celery and its beat first. What they hold would be done twice."
        " If these are others (Sidekiq's, say), add --celery-is-stopped",
        file=sys.stderr,
    )
    return True


@contextlib.contextmanager
def _connected(arguments: argparse.Namespace) -> Iterator[Redis]:
    url, password = _address(arguments.broker), _password(arguments.broker_password_file)
    try:
        client = Redis.from_url(url, socket_timeout=10, socket_connect_timeout=3, **password)
        client.connection_pool.make_connection()  # connects to nothing, and knows which parameters there are
    except (ValueError, TypeError, RedisError) as error:
        raise _no_address() from error
    with client:
        yield client


def _address(broker: str) -> str:
    """Return Celery's address of its Redis as redis-py writes it; raises ConfigError."""
    try:
        parts = urlsplit(broker)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
    except ValueError as error:
        raise _no_address() from error
    if parts.password or "password" in query:
        raise ConfigError(
            "--broker: leave the password out of the address, where every user of this machine can read it;"
            " write it into a file and name that with --broker-password-file"
        )
    if parts.scheme not in ("redis", "rediss", "unix", "redis+socket"):
        raise ConfigError(f"--broker: {parts.scheme or broker}: must begin with redis://, rediss:// or unix://")
    is_socket = parts.scheme in ("unix", "redis+socket")
    database = "" if is_socket else parts.path.strip("/")
    if database and not database.isdecimal():
        raise ConfigError(f"--broker: {database} is no number of a database; it is like redis://localhost:6379/0")
    # Celery's own names for the number of the database behind a socket, and for what is asked of a certificate.
    if "virtual_host" in query:
        query["db"] = query.pop("virtual_host")
    if "ssl_cert_reqs" in query:
        query["ssl_cert_reqs"] = query["ssl_cert_reqs"].lower().removeprefix("cert_")
    return urlunsplit(parts._replace(scheme="unix" if is_socket else parts.scheme, query=urlencode(query)))


def _no_address() -> ConfigError:
    """Return what is wrong without a word of the address: where a port belongs there may be a password."""
    return ConfigError(
        "--broker: can't be used as an address; it is like redis://localhost:6379/0, and of what may stand after a ?"
        " there are db, ssl_cert_reqs, ssl_ca_certs, ssl_certfile and ssl_keyfile"
    )


def _password(file: Path | None) -> dict[str, str]:
    if file is None:
        return {}
    try:
        return {"password": file.read_text(encoding="utf-8").strip()}
    except OSError as error:
        raise ConfigError(f"--broker-password-file: {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"--broker-password-file: {file}: is no text in UTF-8") from error


def _names(pairs: list[str]) -> dict[str, str]:
    names = {}
    for pair in pairs:
        theirs, _, ours = pair.partition("=")
        if ours not in TASKS:
            raise ConfigError(f"--map {pair}: give it as CELERY.NAME=TASK; tasks are {', '.join(sorted(TASKS))}")
        names[theirs] = ours
    return names


@contextlib.contextmanager
def _until_told_to_stop() -> Iterator[list[int]]:
    """Yield a list that is empty until SIGINT or SIGTERM comes: the message at hand is moved in full."""
    told: list[int] = []
    before = {sig: signal.signal(sig, lambda number, _: told.append(number)) for sig in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield told
    finally:
        for sig, handler in before.items():
            signal.signal(sig, handler)
