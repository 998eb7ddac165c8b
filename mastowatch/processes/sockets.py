"""The sockets to serve on: those that systemd hands over, or our own. Source: sd_listen_fds(3)."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from collections.abc import Iterator, MutableMapping
from pathlib import Path

from mastowatch.config import Bind
from mastowatch.errors import ConfigError

_FIRST_FD = 3


def handed_sockets(environ: MutableMapping[str, str] = os.environ) -> list[socket.socket]:
    """Return the sockets that systemd has opened for this process; children get neither them nor word of them."""
    count, pid = environ.pop("LISTEN_FDS", ""), environ.pop("LISTEN_PID", "")
    environ.pop("LISTEN_FDNAMES", None)
    if pid != str(os.getpid()) or not count.isdigit():
        return []
    handed = []
    for number in range(_FIRST_FD, _FIRST_FD + int(count)):
        os.set_inheritable(number, False)
        handed.append(socket.socket(fileno=number))
    return handed


def tcp_socket(bind: Bind, setting: str) -> socket.socket:
    """Return a listening socket; raises ConfigError that names ``setting`` where the address is taken."""
    family = socket.AF_INET6 if ":" in bind.host else socket.AF_INET
    try:
        sock = socket.create_server((bind.host, bind.port), family=family, backlog=512)
    except OSError as error:
        raise ConfigError(f"{setting}={bind}: can't listen there: {error.strerror}; choose another address") from error
    # What is accepted inherits it. asyncio would set it, but does not take a socket for TCP's that says no protocol:
    # the end of an answer on a connection that is used again then waited 40 ms for the client's acknowledgement.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


@contextlib.contextmanager
def unix_socket(path: Path) -> Iterator[socket.socket]:
    """Yield a listening unix socket that owner and group may use; the file is removed at the end."""
    _remove_stale(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Bound without rights for others: there is no moment in which a third user could connect.
        before = os.umask(0o117)
        try:
            sock.bind(str(path))
        finally:
            os.umask(before)
        sock.listen(512)
    except OSError as error:
        sock.close()
        raise ConfigError(f"API_SOCKET={path}: can't listen there: {error.strerror}") from error
    try:
        yield sock
    finally:
        sock.close()
        path.unlink(missing_ok=True)


def address(sock: socket.socket) -> str:
    """Return where ``sock`` listens, as it would stand in the settings."""
    name = sock.getsockname()
    return name if isinstance(name, str) else str(Bind(name[0], name[1]))


def _remove_stale(path: Path) -> None:
    # A socket file that a killed process left behind would refuse the next start.
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISSOCK(path.stat().st_mode):
            path.unlink()
