"""A network of hosts in one namespace: each host has one of its own, joined to a bridge in that of the test.

The test process is a third place, 10.9.0.1, which reaches all of them; whether they reach each other is the test's
to say.
"""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

BRIDGE, HERE, PREFIX = "between", "10.9.0.1", 24
NAMESPACES = Path("/run/netns")  # where ip(8) has them
_CLONE_NEWNET = 0x40000000


class Network:
    """Hosts by name, at 10.9.0.11, 10.9.0.12 and so on, in the order in which they are joined."""

    def __init__(self) -> None:
        self.addresses: dict[str, str] = {}
        # Seen by this test alone, and gone with it: another run may have hosts of the same names.
        NAMESPACES.mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(NAMESPACES)], check=True)
        _ip("link", "set", "lo", "up")
        _ip("link", "add", BRIDGE, "type", "bridge")
        _ip("addr", "add", f"{HERE}/{PREFIX}", "dev", BRIDGE)
        _ip("link", "set", BRIDGE, "up")

    def join(self, name: str) -> str:
        """Make a network namespace for a host; return its path."""
        address = f"10.9.0.{11 + len(self.addresses)}"
        self.addresses[name] = address
        _ip("netns", "add", name)
        _ip("link", "add", _port(name), "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("link", "set", _port(name), "master", BRIDGE)
        _ip("link", "set", _port(name), "up")
        _ip("-n", name, "link", "set", "lo", "up")
        _ip("-n", name, "addr", "add", f"{address}/{PREFIX}", "dev", "eth0")
        _ip("-n", name, "link", "set", "eth0", "up")
        return str(NAMESPACES / name)

    @contextmanager
    def cut(self) -> Iterator[None]:
        """Let the hosts not reach each other for a block: what is sent is lost, and nobody is told."""
        self._isolate("on")
        try:
            yield
        finally:
            self._isolate("off")

    def _isolate(self, how: str) -> None:
        for name in self.addresses:
            _ip("link", "set", _port(name), "type", "bridge_slave", "isolated", how)

    def unplug(self, name: str) -> None:
        """Let this host reach nobody, and be reached by nobody."""
        _ip("link", "set", _port(name), "down")

    def plug_in(self, name: str) -> None:
        """Take that back."""
        _ip("link", "set", _port(name), "up")

    def forward(self, name: str, port: int) -> None:
        """Have 127.0.0.1:``port`` on this host lead to the same port of the test process."""
        listening = _listening_in(NAMESPACES / name, port)
        threading.Thread(target=_forward, args=(listening, port), daemon=True).start()


def _port(name: str) -> str:
    return f"to-{name}"


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def _listening_in(namespace: Path, port: int) -> socket.socket:
    """Return a socket that listens in another network namespace; a socket stays in that in which it was made."""
    made: list[socket.socket] = []

    def make() -> None:
        with namespace.open() as file:
            if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        made.append(socket.create_server(("127.0.0.1", port), backlog=200))

    # A thread of its own, which ends: it is this thread that changes its namespace.
    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    return made[0]


def _forward(listening: socket.socket, port: int) -> None:
    while True:
        client, _ = listening.accept()
        threading.Thread(target=_serve, args=(client, port), daemon=True).start()


def _serve(client: socket.socket, port: int) -> None:
    with client, suppress(OSError), socket.create_connection(("127.0.0.1", port)) as server:
        back = threading.Thread(target=_pump, args=(server, client), daemon=True)
        back.start()
        _pump(client, server)
        back.join()


def _pump(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        while part := one.recv(65536):
            other.sendall(part)
    with suppress(OSError):
        other.shutdown(socket.SHUT_WR)
