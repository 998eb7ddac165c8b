"""The connection to the streaming API, against a real server of events over HTTP."""

from __future__ import annotations

import json
import threading
import zlib
from collections.abc import Iterator

import pytest
import requests

from mastowatch.adapters import mastodon_parsing as parsing
from mastowatch.adapters.mastodon_stream import MastodonStream
from mastowatch.ports.stream import StreamEnd
from tests.engine import wait
from tests.mastodon_server import add_account, running_mock
from tests.small_mastodon import Connection, SmallMastodon, small_mastodon


@pytest.fixture
def server() -> Iterator[SmallMastodon]:
    with small_mastodon() as small:
        yield small


@pytest.fixture
def connect(server) -> Iterator:
    made: list[MastodonStream] = []

    def connect(which: str = "all", **options) -> MastodonStream:
        chosen = {"user_agent": "MastoWatch tests", "timeout_s": 5, **options}
        made.append(MastodonStream(server.strict.url, "secret-token", which=which, **chosen))
        return made[-1]

    yield connect
    for one in made:
        one.close()


def opened(server: SmallMastodon, stream: MastodonStream) -> Connection:
    wait(lambda: stream.is_open and server.connections)
    return server.connections[-1]


def taken(stream: MastodonStream, number: int) -> list[str]:
    found: list[str] = []
    wait(lambda: found.extend(one.version for one in stream.take(0.05)) or len(found) >= number)
    return found


@pytest.mark.parametrize(("which", "path"), [("all", ""), ("remote", "/remote"), ("local", "/local")])
def test_it_asks_for_the_posts_that_are_wanted_with_the_token_in_the_header_alone(server, connect, which, path):
    connection = opened(server, connect(which))
    assert connection.path == f"/api/v1/streaming/public{path}"
    assert connection.token == "Bearer secret-token"
    assert server.strict.codes == [], "the throttles know nothing of it"


def test_new_and_edited_posts_come_with_their_author_and_other_events_do_not(server, connect):
    stream = connect()
    connection = opened(server, stream)
    author = server.add_account(note="<p>Buy this</p>")
    post = server.post(author, "Hello")
    connection.event("delete", post)
    connection.event("notification", {"id": "1"})
    edited = {**server.statuses[int(post)], "edited_at": "2026-01-01T00:00:00.000Z"}
    connection.event("status.update", edited)
    found: list = []
    wait(lambda: found.extend(stream.take(0.05)) or len(found) == 2)
    assert [one.version for one in found] == [post, f"{post}@2026-01-01T00:00:00.000Z"]
    assert found[0].status.content_html == "<p>Hello</p>"
    assert (found[0].account.id, found[0].account.note_html) == (author, "<p>Buy this</p>")


def test_private_posts_and_what_is_no_post_never_come_out(server, connect):
    stream = connect()
    connection = opened(server, stream)
    author = server.add_account()
    for visibility in ("private", "direct", "", None, "limited"):
        server.post(author, "secret", visibility=visibility)
    for payload in ("x", 1, None, [], {}, {"visibility": "public"}, {"visibility": "public", "id": "nan"}):
        connection.event("update", payload)
    connection.send(b"event: update\ndata: {broken\n\n")
    connection.send(b"event: update\ndata: " + b"[" * 100_000 + b"\n\n")
    last = server.post(author, "public")
    assert taken(stream, 1) == [last]


def test_an_event_in_pieces_is_whole_again_even_where_a_letter_is_cut(server, connect):
    stream = connect()
    connection = opened(server, stream)
    post = server.post(server.add_account(), "кот 🐈", tell=False)
    raw = f"event: update\ndata: {json.dumps(server.statuses[int(post)], ensure_ascii=False)}\n\n".encode()
    for at in range(0, len(raw), 3):
        connection.send(raw[at : at + 3])
    found: list = []
    wait(lambda: found.extend(stream.take(0.05)) or found)
    assert found[0].status.content_html == "<p>кот 🐈</p>"


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_a_proxy_may_pass_it_on_without_chunks_or_packed(server, connect, encoding):
    post = server.post(server.add_account(), tell=False)
    told = f"event: update\ndata: {json.dumps(server.statuses[int(post)])}\n\n".encode()
    over = threading.Event()

    def pass_on(handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Content-Encoding", encoding)
        handler.send_header("Connection", "close")
        handler.end_headers()
        packer = zlib.compressobj(wbits=31)
        packed = packer.compress(told) + packer.flush(zlib.Z_SYNC_FLUSH)
        handler.wfile.write(packed if encoding == "gzip" else told)
        handler.wfile.flush()
        over.wait(60)

    server.strict.streams["/api/v1/streaming/public"] = pass_on
    try:
        assert taken(connect(), 1) == [post], "while the connection stays open"
    finally:
        over.set()


def test_what_came_before_the_end_is_taken_before_the_end_is_told(server, connect):
    stream = connect()
    connection = opened(server, stream)
    post = server.post(server.add_account())
    connection.close()
    wait(connection.gone.is_set)
    assert taken(stream, 1) == [post]
    wait(lambda: stream.end)
    assert stream.end.kind == "closed"
    assert not stream.is_open


def test_half_an_event_before_a_break_is_no_post(server, connect):
    stream = connect()
    connection = opened(server, stream)
    post = server.post(server.add_account(), tell=False)
    connection.send(f"event: update\ndata: {json.dumps(server.statuses[int(post)])}".encode())
    connection.close()
    wait(lambda: stream.end)
    assert stream.take(0) == []


@pytest.mark.mastodon
def test_the_stream_of_a_server_that_others_wrote_is_read_too():
    with running_mock(populate=lambda session: add_account(session, "alice", token="secret-token")) as mock:
        stream = MastodonStream(mock.url, "secret-token", which="local", user_agent="x", timeout_s=5)
        wait(lambda: stream.is_open)
        headers = {"Authorization": "Bearer secret-token"}
        posts = []
        for visibility in ("direct", "private", "public"):
            body = {"status": "hello", "visibility": visibility}
            answer = requests.post(f"{mock.url}/api/v1/statuses", json=body, headers=headers, timeout=10)
            posts.append(answer.json()["id"])
        assert taken(stream, 1) == posts[-1:]
        stream.close()


def test_silence_is_noticed(server, connect):
    stream = connect(silence_s=0.3)
    opened(server, stream)
    wait(lambda: stream.end)
    assert stream.end == StreamEnd("silent", "no heartbeat for 0 s")


def test_bytes_without_a_line_are_silence_too(server, connect):
    stream = connect(silence_s=0.5)
    connection = opened(server, stream)
    over = threading.Event()

    def trickle() -> None:
        while not over.wait(0.05):
            connection.send(b"x")

    thread = threading.Thread(target=trickle)
    thread.start()
    try:
        wait(lambda: stream.end)
        assert stream.end.kind == "silent"
    finally:
        over.set()
        thread.join()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_reader_that_fails_ends_the_connection(server, connect, monkeypatch):
    """Else it would look open for good, and all that was missed would count as seen."""
    stream = connect()
    connection = opened(server, stream)
    monkeypatch.setattr(parsing, "sight", lambda *_: 1 / 0)
    connection.event("update", {"id": "1"})
    wait(lambda: stream.end is not None)
    assert (stream.is_open, stream.end) == (False, StreamEnd("closed", "its reader failed"))


def test_heartbeats_keep_it_alive(server, connect):
    stream = connect(silence_s=1.5)
    connection = opened(server, stream)
    over, beats = threading.Event(), []

    def beat() -> None:
        while not over.wait(0.1):
            connection.heartbeat()
            beats.append(1)

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        wait(lambda: len(beats) > 25)
        assert stream.end is None
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize(
    ("code", "kind", "told"),
    [(401, "refused", "token"), (403, "refused", "read:statuses"), (404, "refused", "STREAM_BASE"),
     (429, "unreachable", "429"), (503, "unreachable", "503")],
)  # fmt: skip
def test_a_refusal_says_what_to_do_and_an_outage_is_none(server, connect, code, kind, told):
    server.refuse = code
    stream = connect()
    wait(lambda: stream.end)
    assert stream.end.kind == kind
    assert told in stream.end.why
    assert "secret-token" not in stream.end.why


def test_a_server_that_is_not_there_is_unreachable(connect):
    stream = MastodonStream("http://127.0.0.1:9", "t", which="all", user_agent="x", timeout_s=1)
    wait(lambda: stream.end)
    assert stream.end.kind == "unreachable"


def test_an_answer_that_is_no_stream_and_a_redirect_are_refusals(server, connect):
    del server.strict.streams["/api/v1/streaming/public"]
    stream = connect()
    wait(lambda: stream.end)
    assert stream.end.kind == "refused"

    def redirect(handler) -> None:
        handler.send_response(302)
        handler.send_header("Location", "https://elsewhere.example/")
        handler.end_headers()

    server.strict.streams["/api/v1/streaming/public"] = redirect
    stream = connect()
    wait(lambda: stream.end)
    assert (stream.end.kind, "redirected" in stream.end.why) == ("refused", True)


def test_a_process_that_does_not_take_makes_the_server_wait(server, connect, monkeypatch):
    monkeypatch.setattr("mastowatch.adapters.mastodon_stream.WAITING_MAX", 3)
    stream = connect()
    opened(server, stream)
    author = server.add_account()
    posts = [server.post(author) for _ in range(20)]
    wait(stream._found.full)
    assert taken(stream, 20) == posts
