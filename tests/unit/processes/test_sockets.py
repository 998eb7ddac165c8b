from __future__ import annotations

import socket

from mastowatch.config import Bind
from mastowatch.processes.sockets import tcp_socket


def test_what_is_accepted_sends_the_end_of_an_answer_at_once():
    with tcp_socket(Bind("127.0.0.1", 0), "API_BIND") as listening, socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
