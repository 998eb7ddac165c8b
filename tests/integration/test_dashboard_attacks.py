"""What a stranger or another site may try against the dashboard: the real app, over a real Redis."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import socket
import time
import zlib
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from urllib.parse import quote

import httpx
import pytest
from fastapi import Request, Response
from fastapi.routing import APIRoute
from itsdangerous import URLSafeSerializer, URLSafeTimedSerializer
from redis import Redis

from mastowatch.config import Loaded, Settings
from mastowatch.jobs import context as contexts
from mastowatch.jobs.context import View
from mastowatch.web.dashboard import create_dashboard
from mastowatch.web.dashboard.access import seals
from mastowatch.web.dashboard.access.address import Address
from tests.asgi import client_of
from tests.dashboard_people import KEY, PASSWORD, access_for_tests, cookie_for, served, sign_in
from tests.snapshot import snapshot

pytestmark = pytest.mark.redis

HERE = "http://127.0.0.1:9181"
FROM_HERE = {"Origin": HERE, "Sec-Fetch-Site": "same-origin"}
EVIL = "<script>alert(1)</script>"
# What a route may be asked for about: no job, account, rule, or worker is called so.
NONE_SUCH = "none-such"
# Nobody needs to be signed in for these two; they check the form themselves.
OF_THE_SIGN_IN = {"/sign-in", "/sign-out"}
# It asks and changes nothing: a form, so that what is asked about stands in no address.
ASKING = {"/try"}


def view_of(redis: Redis, **settings: object) -> View:
    return contexts.view(Loaded(Settings(instance_base="https://mastodon.example", **settings), {}), redis)


@pytest.fixture
def view(redis: Redis) -> View:
    return view_of(redis)


def browser(view: View, base: str = HERE) -> httpx.Client:
    client = client_of(create_dashboard(view, access_for_tests(view)), base)
    client.headers["Accept"] = "text/html"
    return client


@pytest.fixture
def client(view: View) -> Iterator[httpx.Client]:
    with browser(view) as client:
        yield client


@cache
def routes() -> tuple[APIRoute, ...]:
    app = create_dashboard(view_of(Redis()))  # which is never asked anything
    return tuple(route for route in app.routes if isinstance(route, APIRoute))


def posts() -> list[str]:
    """Return the path of each route that takes a form, with names filled in."""
    assert all(route.methods <= {"GET", "HEAD", "POST"} for route in routes())
    return [re.sub(r"\{[^}]*\}", NONE_SUCH, route.path) for route in routes() if "POST" in route.methods]


def changes() -> set[str]:
    """Return those that change something which is not the own session."""
    return set(posts()) - OF_THE_SIGN_IN - ASKING


def csrf_of(client: httpx.Client, path: str = "/") -> str:
    return re.search(r'name="csrf" value="([^"]+)"', client.get(path).text)[1]


def wrote(redis: Redis, before: dict) -> bool:
    return snapshot(redis) != before


# Another site's form -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        ({}, True),
        ({"Origin": "https://evil.example"}, True),
        ({"Origin": "null"}, True),
        ({"Origin": HERE, "Sec-Fetch-Site": "cross-site"}, True),
        ({"Origin": HERE, "Sec-Fetch-Site": "same-site"}, True),
        ({"Origin": HERE, "Sec-Fetch-Site": "none"}, True),
        ({"Origin": "http://127.0.0.1:9182"}, True),
        ({"Origin": "https://127.0.0.1:9181"}, True),
        ({"Origin": "http://127.0.0.1:9181.evil.example"}, True),
        ({"Referer": f"{HERE}/"}, True),
        (FROM_HERE, False),
    ],
)
def test_a_form_that_no_page_of_ours_has_sent_changes_nothing(view: View, client: httpx.Client, headers, token):
    sign_in(client, view, "switch")
    data = {"csrf": csrf_of(client) if token else "guessed"}
    before = snapshot(view.redis)
    for path in posts():
        answer = client.post(path, data=data, headers=headers)
        assert answer.status_code == 403 or (headers == FROM_HERE and path in ASKING), path
        assert "mastowatch" not in answer.cookies
    assert not wrote(view.redis, before)
    assert client.get("/").status_code == 200


def test_the_token_of_another_session_is_of_no_use(view: View, client: httpx.Client):
    sign_in(client, view, "switch")
    of_another = csrf_of(client)
    client.cookies.clear()
    sign_in(client, view, "switch")
    before = snapshot(view.redis)
    for path in set(posts()) - ASKING:
        assert client.post(path, data={"csrf": of_another}, headers=FROM_HERE).status_code == 403, path
    assert not wrote(view.redis, before)


def test_every_change_needs_somebody_with_a_role(view: View, client: httpx.Client):
    before = snapshot(view.redis)
    for path in ASKING:
        assert client.post(path, headers=FROM_HERE).status_code == 401, path
    for path in changes():
        assert client.post(path, headers=FROM_HERE).status_code == 401, path
    sign_in(client, view, "read")
    token = csrf_of(client)
    for path in changes():
        answer = client.post(path, data={"csrf": token}, headers=FROM_HERE)
        assert answer.status_code == 403, path
        assert "This needs the role" in answer.text, path
    assert not wrote(view.redis, before)


def test_no_route_takes_a_form_without_the_check_of_access(view: View, monkeypatch):
    """A route that reads the form itself would answer to somebody who may do everything, and has sent nothing."""
    access = access_for_tests(view)
    checked: list[str] = []
    original = access.change

    async def change(request, *, needs):
        checked.append(request.url.path)
        return await original(request, needs=needs)

    monkeypatch.setattr(access, "change", change)
    with client_of(create_dashboard(view, access), HERE) as client:
        sign_in(client, view, "switch")
        token = csrf_of(client)
        for path in changes():
            checked.clear()
            client.post(path, data={"csrf": token}, headers=FROM_HERE)
            assert checked == [path]


def test_a_get_of_what_changes_something_is_refused_and_changes_nothing(view: View, client: httpx.Client):
    sign_in(client, view, "switch")
    gets = {route.path for route in routes() if "GET" in route.methods}
    shown = [re.sub(r"\{[^}]*\}", NONE_SUCH, path) for path in gets]
    before = snapshot(view.redis)
    for path in posts():
        if path not in shown:
            assert client.get(path).status_code in (404, 405, 422), path
    for path in shown:
        if path != "/events":  # it never ends
            client.get(path)
    assert not wrote(view.redis, before)


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=x", "text/plain", ""])
def test_only_a_plain_form_is_read(view: View, client: httpx.Client, kind: str):
    sign_in(client, view, "switch")
    token = csrf_of(client)
    headers = {**FROM_HERE, "Content-Type": kind}
    for path in posts():
        assert client.post(path, content=f"csrf={token}", headers=headers).status_code == 415, path


def test_a_huge_form_is_refused_before_it_is_read_whole(view: View, client: httpx.Client):
    sign_in(client, view, "switch")
    token = csrf_of(client)
    for data in ({"csrf": token, "x": "y" * 70_000}, {"csrf": token, **{f"x{n}": "y" for n in range(600)}}):
        for path in posts():
            assert client.post(path, data=data, headers=FROM_HERE).status_code in (413, 415), path


# Cookies -------------------------------------------------------------------------------------------------------------


def _payload(**changed: object) -> list[object]:
    values = {"id": "x" * 32, "n": "sam", "r": "switch", "w": "password", "m": "a mark", **changed}
    return [time.time(), values]


def forged(view: View) -> Iterator[str]:
    """Yield cookies that must open nothing."""
    good = next(iter(cookie_for(view, "read").values()))
    payload, signature = good.rsplit(".", 1)
    raw = base64.urlsafe_b64decode(payload.lstrip(".") + "=" * (-len(payload.lstrip(".")) % 4))
    read = json.loads(zlib.decompress(raw) if payload.startswith(".") else raw)
    read[1]["r"] = "switch"
    altered = base64.urlsafe_b64encode(json.dumps(read).encode()).rstrip(b"=").decode()
    yield f"{altered}.{signature}"
    yield f".{base64.urlsafe_b64encode(zlib.compress(json.dumps(read).encode())).rstrip(b'=').decode()}.{signature}"
    yield good[:-1]
    yield good[1:]
    yield payload
    yield f"{payload}."
    yield f".{signature}"
    yield good.upper()
    yield "." + base64.urlsafe_b64encode(zlib.compress(b"[" * 100_000)).decode() + f".{signature}"
    yield ""
    yield "null"
    yield f"{base64.urlsafe_b64encode(json.dumps({'alg': 'none'}).encode()).decode()}.{altered}."
    # The right key, and everything else wrong: algorithm, purpose, kind of serializer, key derivation.
    strong = {"digest_method": hashlib.sha256, "key_derivation": "hmac"}
    access = access_for_tests(view)
    made = _payload(m=access.passwords.mark_of("sam"))
    right = seals.Seal(KEY, "session", time.time).close(made[1])
    assert access.sessions.read(right).name == "sam", "what is wrong with the others is what they are named for"
    yield URLSafeSerializer(KEY, salt="mastowatch session").dumps(made)
    yield URLSafeSerializer(KEY, salt="mastowatch said", signer_kwargs=strong).dumps(made)
    yield URLSafeTimedSerializer(KEY, salt="mastowatch session", signer_kwargs=strong).dumps(made)
    yield URLSafeSerializer(KEY, signer_kwargs=strong).dumps(made)
    yield URLSafeSerializer(b"", salt="mastowatch session", signer_kwargs=strong).dumps(made)
    yield access._said.close({"text": "sam"})
    # The right signature over a session that rests on nothing that is there.
    own = seals.Seal(KEY, "session", time.time)
    yield own.close({**made[1], "m": ""})
    yield own.close({**made[1], "m": "another mark"})
    yield own.close({**made[1], "n": "nobody"})
    yield own.close({**made[1], "w": "mastodon"})


def test_no_forged_cookie_opens_anything(view: View, client: httpx.Client):
    for cookie in forged(view):
        client.cookies.clear()
        answer = client.get("/", headers={"Cookie": f"mastowatch={cookie}"})
        assert (answer.status_code, answer.text) == (303, ""), cookie


def test_a_cookie_from_the_past_or_the_future_opens_nothing(view: View):
    (cookie,) = cookie_for(view, "switch").values()
    for shift in (12 * 3600 + 1, -120):
        moved = replace(view, clock=lambda shift=shift: time.time() + shift)
        with browser(moved) as client:
            assert client.get("/", headers={"Cookie": f"mastowatch={cookie}"}).status_code == 303


def test_a_session_that_somebody_planted_is_not_taken_over(view: View, client: httpx.Client):
    planted = next(iter(cookie_for(view, "read").values()))
    client.cookies.set("mastowatch_form", "planted")
    page = client.get("/sign-in").text
    data = {"csrf": re.search(r'name="csrf" value="([^"]+)"', page)[1], "name": "sam", "password": PASSWORD}
    answer = client.post("/sign-in", data=data, headers=FROM_HERE)
    assert answer.status_code == 303
    sessions = access_for_tests(view).sessions
    before, after = sessions.read(planted), sessions.read(client.cookies["mastowatch"])
    assert after.name == "sam"
    assert after.id != before.id


def test_the_form_to_sign_in_is_bound_to_the_browser(view: View, client: httpx.Client):
    token = csrf_of(client, "/sign-in")
    client.cookies.clear()
    answer = client.post("/sign-in", data={"csrf": token, "name": "sam", "password": PASSWORD}, headers=FROM_HERE)
    assert answer.status_code == 403
    client.get("/sign-in")
    answer = client.post("/sign-in", data={"csrf": token, "name": "sam", "password": PASSWORD}, headers=FROM_HERE)
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("url", "name", "path"),
    [
        ("", "mastowatch", "/"),
        ("https://watch.example", "__Host-mastowatch", "/"),
        ("https://mastodon.example/mastowatch", "__Secure-mastowatch", "/mastowatch"),
    ],
)
def test_cookies_are_for_us_alone_and_no_script_reads_them(redis: Redis, url: str, name: str, path: str):
    view = view_of(redis, dashboard_url=url)
    address = Address(view.settings)
    with browser(view) as client:
        page = client.get(f"{address.base}/sign-in")
        token = re.search(r'name="csrf" value="([^"]+)"', page.text)[1]
        form = page.headers["set-cookie"].partition(";")[0]
        data = {"csrf": token, "name": "sam", "password": PASSWORD}
        headers = {"Origin": address.origin, "Cookie": form}
        answer = client.post(f"{address.base}/sign-in", data=data, headers=headers)
    (cookie,) = [one for one in answer.headers.get_list("set-cookie") if one.startswith(f"{name}=")]
    flags = {flag.strip().lower() for flag in cookie.split(";")[1:]}
    expected = {"httponly", "samesite=strict", f"path={path}"} | ({"secure"} if url else set())
    assert flags == expected


# Where one is led ----------------------------------------------------------------------------------------------------

ELSEWHERE = [
    "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "\\/evil.example", "https://evil.example",
    "javascript:alert(1)", "/\t/evil.example", "\t//evil.example", " //evil.example", "/\n/evil.example",
    "/x\r\nSet-Cookie: a=b", "data:text/html,x", "evil.example", "", "/x\x00", "@evil.example", ".evil.example",
]  # fmt: skip


@pytest.mark.parametrize(
    "request_line",
    [b"GET http://evil.example/jobs HTTP/1.1", b"GET //jobs HTTP/1.1", b"GET /jobs\\x HTTP/1.1", b"GET * HTTP/1.1",
     b"GET /sign-in/..;/jobs HTTP/1.1", b"GET http://x/static/ HTTP/1.1", b"POST http://127.0.0.1/jobs HTTP/1.1"],
)  # fmt: skip
def test_no_request_line_gets_past_the_guard(view: View, request_line: bytes):
    with served(create_dashboard(view, access_for_tests(view))) as address, socket.create_connection(address) as sent:
        sent.sendall(request_line + b"\r\nHost: 127.0.0.1\r\nAccept: text/html\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: sent.recv(65536), b""))
    assert answer.split()[1] in (b"303", b"400", b"401", b"404", b"405"), answer
    assert b"evil.example" not in answer
    assert b"Waiting" not in answer


@pytest.mark.parametrize("base", ["", "/mastowatch"])
@pytest.mark.parametrize("wanted", ELSEWHERE)
def test_a_sign_in_never_leads_elsewhere(redis: Redis, wanted: str, base: str):
    view = view_of(redis, dashboard_url=f"http://127.0.0.1:9181{base}" if base else "")
    with browser(view) as client:
        token = csrf_of(client, f"{base}/sign-in")
        data = {"csrf": token, "name": "sam", "password": PASSWORD, "next": wanted}
        answer = client.post(f"{base}/sign-in", data=data, headers=FROM_HERE)
        assert (answer.status_code, answer.headers["location"]) == (303, f"{base}/")
        again = client.get(f"{base}/sign-in", params={"next": wanted})
        assert (again.status_code, again.headers["location"]) == (303, f"{base}/")


@pytest.mark.parametrize("wanted", ['/x"><script>', "/jobs?error=<b>&text=ä", "/x'onload='1"])
def test_what_one_wanted_is_text_in_the_page_and_in_the_header(client: httpx.Client, wanted: str):
    page = client.get("/sign-in", params={"next": wanted}).text
    assert "<script>" not in page
    assert html.unescape(re.search(r'name="next" value="([^"]*)"', page)[1]) == wanted
    led = client.get(wanted.replace("ä", "%C3%A4"))
    assert re.fullmatch(r"/sign-in\?next=[A-Za-z0-9/%._~-]+", led.headers["location"])


def test_a_link_from_another_site_is_led_on_by_a_page_of_ours(view: View, client: httpx.Client):
    answer = client.get("/jobs?text=%22%3E%3Cscript%3E", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 200
    assert '<meta http-equiv="refresh" content="0; url=/jobs?text=%22%3E%3Cscript%3E">' in answer.text
    assert "<script" not in answer.text
    assert client.get("/jobs", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 303


@pytest.mark.parametrize(
    "path",
    [
        "/static/../jobs", "/static/%2e%2e/jobs", "/static/..%2fapp.py", "/static/%252e%252e%252fapp.py",
        "/static/..%5capp.py", "/static//etc/passwd", "/static/%2fetc%2fpasswd", "//jobs", "/./jobs",
        "/sign-in/../jobs", "/sign-in/..%2fjobs", "/sign-in%2f..%2fjobs", "/healthz/../jobs", "/healthz%2fjobs",
        "/JOBS", "/jobs/", "/jobs%00",
        "/jobs;x=/static/", "/%6aobs", "/sign-in%00", "/static", "/static/", "/sign-in/",
    ],
)  # fmt: skip
def test_no_spelling_of_a_path_gets_past_the_guard(view: View, client: httpx.Client, path: str):
    scope_path = httpx.URL(HERE).copy_with(raw_path=path.encode())
    answer = client.send(client.build_request("GET", scope_path))
    assert answer.status_code in (303, 404, 405, 401)
    if answer.status_code == 303:
        assert answer.headers["location"].startswith("/sign-in?next=")
    assert "Waiting" not in answer.text
    assert "root:" not in answer.text
    assert "import " not in answer.text


@pytest.mark.parametrize(
    "path",
    ["/", "/mastowatch", "/mastowatchx/jobs", "/mastowatch2", "/jobs", "/mastowatch/../jobs", "/Mastowatch/jobs"],
)
def test_below_a_path_nothing_else_is_served(redis: Redis, path: str):
    view = view_of(redis, dashboard_url="https://mastodon.example/mastowatch")
    with browser(view) as client:
        cookies = "; ".join(f"{name}={value}" for name, value in cookie_for(view, "switch").items())
        url = httpx.URL(HERE).copy_with(raw_path=path.encode())
        answer = client.send(client.build_request("GET", url, headers={"Cookie": cookies}))
        if answer.status_code == 303:
            assert answer.headers["location"] == "/mastowatch/"
        else:
            assert answer.status_code == 404
        assert client.get("/mastowatch/jobs", headers={"Cookie": cookies}).status_code == 200
        assert client.get("/healthz").status_code == 200


# Headers and names ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/sign-in", "/static/style.css", "/nothing", "/healthz", "/jobs"])
@pytest.mark.parametrize("role", ["read", None])
def test_every_answer_has_the_headers_that_keep_others_out(view: View, client: httpx.Client, path: str, role):
    if role:
        sign_in(client, view, role)
    headers = client.get(path).headers
    policy = dict(part.strip().partition(" ")[::2] for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert policy["form-action"] == policy["script-src"] == policy["style-src"] == "'self'"
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    # With no-referrer a browser would say "null" for where our own forms come from.
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"
    assert "permissions-policy" in headers
    if not path.startswith("/static"):
        assert headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("evil.example", 421), ("127.0.0.1.evil.example", 421), ("localhost.evil.example", 421), ("", 421),
        ("mastodon.example.evil", 421), ("mastodon.example", 303), ("MASTODON.example:443", 303), ("localhost", 303),
        ("[::1]:9181", 303), ("127.0.0.1", 303), ("mastodon.example@evil.example", 421),
    ],
)  # fmt: skip
def test_a_name_that_is_not_ours_is_not_answered(redis: Redis, host: str, status: int):
    view = view_of(redis, dashboard_url="https://mastodon.example")
    with browser(view) as client:
        assert client.get("/", headers={"Host": host}).status_code == status


def test_a_page_of_another_name_for_our_address_can_send_nothing(redis: Redis):
    view = view_of(redis, dashboard_url="https://mastodon.example")
    with browser(view) as client:
        cookies = "; ".join(f"{name}={value}" for name, value in cookie_for(view, "switch").items())
        headers = {"Host": "evil.example", "Origin": "http://evil.example", "Cookie": cookies}
        assert client.post("/sign-out", headers=headers).status_code == 421
        # Its own name in plain HTTP, as somebody on the way could make it up.
        headers = {"Host": "mastodon.example", "Origin": "http://mastodon.example", "Cookie": cookies}
        assert client.post("/sign-out", headers=headers).status_code == 403


@pytest.mark.parametrize("said", ["x\r\nSet-Cookie: a=b", EVIL, "\x00\u2028" * 400, "ä" * 5000, '"; Path=/'])
def test_a_line_for_the_next_page_is_text_whatever_stands_in_it(view: View, said: str):
    access = access_for_tests(view)
    app = create_dashboard(view, access)

    @app.get("/say")
    def say(request: Request) -> Response:
        response = Response()
        access.say(request, response, said)
        return response

    with client_of(app, HERE) as client:
        sign_in(client, view, "read")
        (cookie,) = client.get("/say").headers.get_list("set-cookie")
        assert len(cookie) < 4096
        assert re.fullmatch(r"mastowatch_said=[A-Za-z0-9_.-]+; [A-Za-z0-9=/; -]+", cookie)
        # In the background it is left alone; the next whole page shows it, once.
        assert "said" not in client.get("/", headers={"HX-Request": "true"}).headers.get("set-cookie", "")
        page = client.get("/").text
        assert 'class="said"' in page
        assert EVIL not in page
        assert 'class="said"' not in client.get("/").text


@pytest.mark.parametrize("name", ["a\r\nSet-Cookie: x=y", EVIL, "../../etc", "%00", "a" * 3000, "ä\u202e"])
@pytest.mark.parametrize(
    "path", ["/jobs/{}", "/cases/{}", "/rules/{}", "/workers/{}", "/jobs?queue={}", "/jobs?cursor={}"]
)
def test_a_name_in_a_path_is_text_and_never_a_header(view: View, client: httpx.Client, path: str, name: str):
    sign_in(client, view, "switch")
    answer = client.get(path.format(quote(name, safe="")))
    assert answer.status_code in (200, 404, 422)
    assert "set-cookie" not in answer.headers
    assert EVIL not in answer.text


def test_what_people_are_called_is_text(view: View, client: httpx.Client):
    access = access_for_tests(view)
    access.passwords._lines[EVIL] = replace(access.passwords._lines["sam"], name=EVIL)
    with client_of(create_dashboard(view, access), HERE) as client:
        client.cookies.set("mastowatch", access.sessions.begin(EVIL, "switch", "password"))
        page = client.get("/").text
    assert EVIL not in page
    assert html.escape(EVIL) in page


# Without a sign-in, and read-only ------------------------------------------------------------------------------------


def test_without_a_sign_in_everybody_looks_and_nobody_changes(view: View):
    before = snapshot(view.redis)
    with client_of(create_dashboard(view), HERE) as client:
        assert client.get("/").status_code == 200
        for path in changes():
            answer = client.post(path, headers=FROM_HERE)
            assert answer.status_code == 403, path
            assert "mastowatch sign-in" in answer.text
        assert client.post("/sign-in", headers=FROM_HERE).status_code == 403
        assert client.post("/sign-out", headers=FROM_HERE).status_code == 401
        assert "mastowatch sign-in password" in client.get("/sign-in").text
    assert not wrote(view.redis, before)


def test_where_it_is_read_only_nobody_changes_anything(redis: Redis):
    view = view_of(redis, dashboard_read_only=True)
    with browser(view) as client:
        sign_in(client, view, "switch")
        token = csrf_of(client)
        before = snapshot(redis)
        for path in changes():
            answer = client.post(path, data={"csrf": token}, headers=FROM_HERE)
            assert answer.status_code == 403, path
            assert "read-only" in answer.text
        assert not wrote(redis, before)
        assert client.post("/sign-out", data={"csrf": token}, headers=FROM_HERE).status_code == 303


def test_who_signs_out_is_told_nothing_more(view: View):
    app = create_dashboard(view, access_for_tests(view))
    with served(app) as (host, port), httpx.Client(base_url=f"http://{host}:{port}", timeout=20) as client:
        client.headers["Accept"] = "text/html"
        sign_in(client, view, "switch")
        other = cookie_for(view, "switch")
        with (
            client.stream("GET", "/events") as mine,
            httpx.stream("GET", f"{client.base_url}/events", cookies=other, timeout=20) as of_another,
        ):
            heard, heard_too = mine.iter_lines(), of_another.iter_lines()
            assert "event: counters" in heard
            assert "event: counters" in heard_too
            headers = {"Origin": f"http://{host}:{port}", "Sec-Fetch-Site": "same-origin"}
            answer = client.post("/sign-out", data={"csrf": csrf_of(client)}, headers=headers)
            assert answer.status_code == 303
            assert not [line for line in heard if line.startswith("event")][1:]
            view.jobs.analyze("4711")
            assert "event: changed" in heard_too
