"""The dashboard below a path of another site's name: every link, form and file of every page stays there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx
import pytest
from redis import Redis

from mastowatch.config import Loaded, Settings
from mastowatch.jobs import context as contexts
from mastowatch.jobs.context import View
from mastowatch.web.dashboard import create_dashboard
from tests.asgi import client_of
from tests.browser.seed import seed
from tests.dashboard_people import NAMES, PASSWORD, access_for_tests, cookie_for, served
from tests.nginx import behind_nginx

pytestmark = pytest.mark.redis

NAME, BASE = "mastodon.example", "/mastowatch"
URL = f"https://{NAME}{BASE}"
SNIPPET = Path(__file__).parents[2] / "packaging/examples/nginx.conf"
# Enough to have seen each kind of page, with all that is in the seed.
PAGES_MAX = 250


class Links(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src", "action", "hx-get", "hx-post", "sse-connect", "data-events", "formaction"):
                # A link that tells its site nothing of where it stands may lead anywhere.
                away = (
                    tag == "a" and "noreferrer" in (dict(attrs).get("rel") or "") and (value or "").startswith("https:")
                )
                self.found += [] if away else [(tag, value or "")]
            if tag == "meta" and name == "content" and "url=" in (value or ""):
                self.found.append(("a", (value or "").partition("url=")[2]))


@pytest.fixture
def view(redis: Redis) -> View:
    seeded = seed(redis)
    changed = seeded.settings.model_copy(update={"dashboard_url": URL})
    return contexts.view(Loaded(Settings.model_validate(changed.model_dump()), {}), redis)


@pytest.fixture
def client(view: View) -> Iterator[httpx.Client]:
    with client_of(create_dashboard(view, access_for_tests(view)), f"https://{NAME}") as client:
        client.cookies.update(cookie_for(view, "switch"))
        client.headers["Accept"] = "text/html"
        yield client


def test_nothing_on_any_page_leads_out_of_the_path(client: httpx.Client, view: View):
    waiting, seen = [f"{BASE}/"], set[str]()
    while waiting and len(seen) < PAGES_MAX:
        path = waiting.pop(0)
        seen.add(path)
        answer = client.get(path)
        assert answer.status_code == 200, path
        if not answer.headers["content-type"].startswith("text/html"):
            continue
        for tag, link in Links(answer.text).found:
            whole = urlsplit(urljoin(f"https://{NAME}{path}", link))
            assert (whole.scheme, whole.netloc) == ("https", NAME), (path, link)
            assert whole.path.startswith(f"{BASE}/"), (path, link)
            following = whole.path + (f"?{whole.query}" if whole.query else "")
            if tag == "a" and following not in seen and following not in waiting:
                waiting.append(following)
    kinds = {re.sub(r"/[^/]*\d[^/]*", "/N", urlsplit(path).path) for path in seen}
    assert len(kinds) >= 9, kinds


def test_scripts_and_styles_name_no_path_of_their_own(client: httpx.Client):
    page = client.get(f"{BASE}/").text
    for _, link in Links(page).found:
        if "/static/" in link and link.endswith((".js", ".css")) and "min" not in link and "sse" not in link:
            text = client.get(link).text
            assert not re.search(r"""url\(\s*["']?/|["'`]/(?!/)[a-z]""", text), link


@pytest.fixture
def proxied(view: View, tmp_path: Path) -> Iterator[str]:
    with served(create_dashboard(view, access_for_tests(view))) as (_, port):
        locations = SNIPPET.read_text().replace("127.0.0.1:9181", f"127.0.0.1:{port}")
        with behind_nginx(tmp_path, locations, NAME) as url:
            yield url


def test_it_works_behind_nginx_as_the_example_has_it(proxied: str):
    headers = {"Host": NAME, "Accept": "text/html"}
    with httpx.Client(base_url=proxied, headers=headers) as client:
        assert client.get("/").status_code == 404
        assert client.get("/mastowatchx/").status_code == 404
        assert urlsplit(client.get(BASE).headers["location"]).path == f"{BASE}/"
        asked = client.get(f"{BASE}/jobs?status=failed")
        assert asked.headers["location"] == f"{BASE}/sign-in?next=/jobs%3Fstatus%3Dfailed"
        page = client.get(asked.headers["location"])
        cookie = page.headers["set-cookie"].partition(";")[0]
        token = re.search(r'name="csrf" value="([^"]+)"', page.text)[1]
        data = {"csrf": token, "name": NAMES["act"], "password": PASSWORD, "next": "/jobs?status=failed"}
        sent = {"Cookie": cookie, "Origin": f"https://{NAME}", "Sec-Fetch-Site": "same-origin"}
        answer = client.post(f"{BASE}/sign-in", data=data, headers=sent)
        assert (answer.status_code, answer.headers["location"]) == (303, f"{BASE}/jobs?status=failed")
        session = next(one for one in answer.headers.get_list("set-cookie") if one.startswith("__Secure-mastowatch="))
        signed_in = {"Cookie": session.partition(";")[0]}
        assert "alice" in client.get(f"{BASE}/jobs", headers=signed_in).text
        assert client.get(f"{BASE}/static/style.css").status_code == 200
        too_large = client.post(f"{BASE}/sign-in", content=b"x" * 70_000, headers=sent)
        assert too_large.status_code == 413


def test_open_pages_hear_of_changes_through_nginx_at_once(proxied: str, view: View):
    headers = {"Host": NAME, "Cookie": "; ".join(f"{k}={v}" for k, v in cookie_for(view, "read").items())}
    with httpx.Client(base_url=proxied) as client, client.stream("GET", f"{BASE}/events", headers=headers) as answer:
        assert answer.status_code == 200
        # The first event comes while the answer goes on; held back by a buffer it would never come.
        assert any("event:" in line for line in answer.iter_lines())
