"""A Redis for MastoWatch alone: the unit that Debian's redis-server brings along, redis-server@mastowatch.

It listens on a unix socket and nowhere else. The socket belongs to the group mastowatch, in which our units are: Redis
runs as its own user, but in that group, by a drop-in. So our units get no rights on Mastodon's Redis, nobody else gets
at ours, and there is no password to keep.
"""

from __future__ import annotations

import grp
import os
import pwd
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from mastowatch.cli.setup.places import UNIT, Places
from mastowatch.config.writing import replace_file
from mastowatch.errors import ConfigError

USER, GROUP = "redis", "mastowatch"
DATABASE = 1
ANSWERS_S = 30.0
_CONFIG = """\
# A Redis for MastoWatch alone, beside Mastodon's: redis-server@mastowatch, with the unit of Debian's redis-server.
# `mastowatch setup --redis private` makes it, and leaves it alone once it is there: change what you like.

# For those in the socket's group, and nobody else: neither other machines nor other users of this one.
port 0
unixsocket {socket}
unixsocketperm 660

# Jobs and cases must outlive a crash: at most the last second is lost.
appendonly yes
appendfsync everysec
dir {data}

# Refuse to write rather than throw away a job; MastoWatch waits and says so.
maxmemory 512mb
maxmemory-policy noeviction

pidfile {pid}
logfile /var/log/redis/redis-server-mastowatch.log
"""
_DROP_IN = f"""\
# Made by `mastowatch setup --redis private`: its socket is for the units of MastoWatch, which are in this group.
[Service]
Group={GROUP}
"""


def config(places: Places) -> str:
    """Return its configuration."""
    pid = places.redis_socket.with_name("redis-server.pid")
    return _CONFIG.format(socket=places.redis_socket, data=places.redis_data, pid=pid)


def url(places: Places) -> str:
    """Return its address for the settings."""
    return f"unix://{places.redis_socket}?db={DATABASE}"


def why_not(places: Places) -> str:
    """Return why there can be none here, with what to do; "" if there can."""
    if not places.units:
        return "it is for the units of this machine, not for settings of one's own"
    if not any(one.is_file() for one in places.redis_template):
        return "Debian's redis-server is not installed: apt-get install redis-server"
    for kind, look, name in (("user", pwd.getpwnam, USER), ("group", grp.getgrnam, GROUP)):
        try:
            look(name)
        except KeyError:
            return f"there is no {kind} {name}; the package {'redis-server' if name == USER else 'mastowatch'} makes it"
    if _is_somebody_elses(places):
        return (
            f"{places.redis_config} is there, and does not listen on {places.redis_socket}: name that Redis by its"
            " address (--redis redis://...), or move the file away"
        )
    return ""


def _is_somebody_elses(places: Places) -> bool:
    try:
        lines = places.redis_config.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return False
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{places.redis_config}: can't be read; run this as root") from error
    return not any(line.split()[:2] == ["unixsocket", str(places.redis_socket)] for line in lines)


def missing(places: Places) -> list[Path]:
    """Return what is still to be made, files and the directory of its data."""
    return [one for one in (places.redis_config, places.redis_drop_in, places.redis_data) if not one.exists()]


def make(places: Places) -> Iterator[Path]:
    """Make what is missing, and yield each when it is there; raises ConfigError."""
    user = pwd.getpwnam(USER)
    owner = (user.pw_uid, user.pw_gid)
    for path in missing(places):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path == places.redis_data:
                path.mkdir(mode=0o700)
                _hand_over(path, owner)
        except OSError as error:
            raise ConfigError(f"{path}: can't be made ({error.strerror})") from error
        if path == places.redis_config:
            replace_file(path, config(places).encode(), mode=0o640, owner=owner)
        elif path == places.redis_drop_in:
            replace_file(path, _DROP_IN.encode(), mode=0o644)
        yield path


def _hand_over(path: Path, owner: tuple[int, int]) -> None:
    # By a handle: what it lies in belongs to that user, who could put a link to anything of root's in its place.
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        os.fchown(handle, *owner)
        os.fchmod(handle, 0o750)
    finally:
        os.close(handle)


def commands() -> list[list[str]]:
    """Return how it is started."""
    return [["systemctl", "daemon-reload"], ["systemctl", "enable", "--now", UNIT]]


def wait_until_it_answers(places: Places, pause: Callable[[float], None] = time.sleep) -> None:
    """Wait for it; raises ConfigError where it does not come."""
    until = time.monotonic() + ANSWERS_S
    with Redis.from_url(url(places)) as client:
        while True:
            try:
                client.ping()
            except (RedisError, OSError):
                if time.monotonic() > until:
                    raise ConfigError(f"{UNIT} does not answer; `journalctl -u {UNIT} -n 20` says why") from None
                pause(0.1)
            else:
                return
