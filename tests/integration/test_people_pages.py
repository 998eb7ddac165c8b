"""Cases, rules, audit and switches over HTTP: who may do what, what is asked first, and what strangers wrote."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from redis import Redis

from mastowatch.jobs.context import View
from mastowatch.jobs.switches import read_switches
from mastowatch.web.dashboard import create_dashboard
from tests.asgi import client_of
from tests.browser.people_seed import EVIL, GROWN_ID, HOSTILE_ID, LOOK_ID, seed_people
from tests.browser.seed import make_view
from tests.dashboard_people import access_for_tests, post, sign_in
from tests.snapshot import snapshot

pytestmark = pytest.mark.redis
BASE = "http://127.0.0.1:9181"
PAGES = [
    "/cases", f"/cases/{GROWN_ID}", f"/cases/{HOSTILE_ID}", "/rules", "/rules/mention-wave", "/try",
    f"/try?account={LOOK_ID}", "/audit", "/audit?by=*", "/switches", "/switches/panic-stop/on",
    "/rules/mention-wave/arm", "/switches/reporting", "/switches/queues/low/resume", "/switches/dry-run/off",
]  # fmt: skip
CHANGES = {
    f"/cases/{GROWN_ID}/judge": "act",
    "/switches/panic-stop/on": "act",
    "/switches/dry-run/on": "act",
    "/switches/panic-stop/off": "switch",
    "/switches/dry-run/off": "switch",
    "/switches/reporting": "switch",
    "/switches/queues/low/resume": "switch",
    "/switches/queues/high/pause": "switch",
    "/rules/mention-wave/arm": "switch",
}


@pytest.fixture
def view(redis: Redis) -> View:
    view = make_view(redis)
    seed_people(view)
    case = view.cases.get(GROWN_ID)
    view.cases.put(replace(case, account_id=LOOK_ID, acct="user83920174@spam.example"))
    view.cases.put(replace(case, account_id="115306", acct="newsdesk@press.example"))
    return view


@pytest.fixture
def anybody(view: View) -> Iterator[httpx.Client]:
    """A dashboard where nobody can sign in."""
    with client_of(create_dashboard(view), BASE) as client:
        yield client


@pytest.fixture
def signed(view: View) -> Iterator[httpx.Client]:
    with client_of(create_dashboard(view, access_for_tests(view)), BASE) as client:
        yield client


@pytest.mark.parametrize("path", PAGES)
def test_what_strangers_wrote_is_text_and_no_page_writes(anybody: httpx.Client, view: View, path):
    before = snapshot(view.redis)
    answer = anybody.get(path)
    assert answer.status_code == 200
    assert EVIL not in answer.text
    assert "<img src=x" not in answer.text
    assert "\u202e" not in answer.text
    assert 'href="javascript:' not in answer.text
    assert " style=" not in answer.text
    assert snapshot(view.redis) == before


@pytest.mark.parametrize("path", ["/cases", f"/cases/{HOSTILE_ID}", "/audit", "/switches"])
def test_the_hostile_texts_are_there_as_text(anybody: httpx.Client, path):
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in anybody.get(path).text


@pytest.mark.parametrize("path", PAGES)
def test_whoever_may_only_read_sees_no_button_that_changes(anybody: httpx.Client, signed: httpx.Client, view, path):
    sign_in(signed, view, "read")
    for client in (anybody, signed):
        page = client.get(path).text
        actions = re.findall(r'<form[^>]*method="post"[^>]*action="([^"]*)"', page)
        assert [one for one in actions if one not in ("/try", "/sign-out")] == []


@pytest.mark.parametrize(("path", "role"), CHANGES.items())
def test_each_change_takes_its_role(signed: httpx.Client, view: View, path, role):
    below = {"act": ("read",), "switch": ("read", "act")}[role]
    for less in below:
        sign_in(signed, view, less)
        before = snapshot(view.redis)
        assert post(signed, path).status_code == 403
        assert snapshot(view.redis) == before
    sign_in(signed, view, role)
    answer = post(signed, path)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/")


@pytest.mark.parametrize("path", CHANGES)
def test_no_change_without_the_token_or_from_another_site(signed: httpx.Client, view: View, path):
    sign_in(signed, view, "switch")
    before = snapshot(view.redis)
    ours = {"Origin": BASE, "Sec-Fetch-Site": "same-origin"}
    token = re.search(r'name="csrf" value="([^"]+)"', signed.get("/").text).group(1)
    assert signed.post(path, data={"x": "1"}, headers=ours).status_code == 403
    assert signed.post(path, data={"csrf": "0" * 64}, headers=ours).status_code == 403
    other = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    assert signed.post(path, data={"csrf": token}, headers=other).status_code == 403
    assert signed.get(path, params={"csrf": token}).status_code in (200, 404, 405)
    assert snapshot(view.redis) == before


@pytest.mark.parametrize("path", CHANGES)
def test_no_change_where_nobody_can_sign_in(anybody: httpx.Client, view: View, path):
    before = snapshot(view.redis)
    assert anybody.post(path, data={}, headers={"Origin": BASE, "Sec-Fetch-Site": "same-origin"}).status_code == 403
    assert snapshot(view.redis) == before


def test_the_switches_are_turned_and_the_audit_says_by_whom(signed: httpx.Client, view: View):
    sign_in(signed, view, "switch")
    assert post(signed, "/switches/panic-stop/on").status_code == 303
    assert read_switches(view).panic_stop.on
    assert "sam on the dashboard" in signed.get("/switches").text
    post(signed, "/switches/panic-stop/off")
    assert not read_switches(view).panic_stop.on
    post(signed, "/switches/queues/low/resume")
    assert read_switches(view).paused_queues == []
    post(signed, "/switches/reporting")
    assert read_switches(view).reporting_paused is None
    post(signed, "/rules/mention-wave/arm")
    assert read_switches(view).dropped == []
    assert view.held.waiting("mention-wave") == {}
    page = signed.get("/audit?by=sam").text
    assert page.count("sam on the dashboard") >= 5


def test_a_switch_that_the_settings_hold_says_so(view: View):
    held = replace(view, settings=view.settings.model_copy(update={"dry_run": True}))
    with client_of(create_dashboard(held, access_for_tests(held)), BASE) as client:
        sign_in(client, held, "switch")
        for path in ("/switches", "/switches/dry-run/off"):
            assert "DRY_RUN=true" in client.get(path).text
        # 'mastowatch-*' has a socket among them, which can't be reloaded: systemctl would fail.
        assert "<code>systemctl reload mastowatch.target</code>" in client.get("/switches/dry-run/off").text
        client.cookies.update(post(client, "/switches/dry-run/off").cookies)
        assert "the settings keep it on" in client.get("/switches").text


def test_an_account_is_judged_again_once(signed: httpx.Client, view: View):
    sign_in(signed, view, "act")
    assert post(signed, f"/cases/{GROWN_ID}/judge").status_code == 303
    waiting = [raw.decode() for raw in view.redis.lrange("rq:queue:default", 0, -1)]
    assert sum(GROWN_ID in one for one in waiting) == 1
    assert post(signed, f"/cases/{GROWN_ID}/judge").status_code == 409
    assert post(signed, "/cases/404/judge").status_code == 404


def test_what_is_not_there_to_turn_is_refused(signed: httpx.Client, view: View):
    sign_in(signed, view, "switch")
    for path, status in {
        "/rules/casino-words/arm": 404, "/rules/all/arm": 404, "/switches/queues/nope/pause": 404,
        "/switches/other/on": 422, "/switches/panic-stop/sideways": 405,
    }.items():  # fmt: skip
        assert post(signed, path).status_code in (status, 404), path
    post(signed, "/switches/reporting")
    assert post(signed, "/switches/reporting").status_code == 409


def test_cases_are_filtered_by_the_url_and_older_ones_a_link_away(anybody: httpx.Client, view: View):
    page = anybody.get("/cases", params={"outcome": "filed", "account": "spam.example"}).text
    assert "user83920174" in page
    assert "newsdesk" not in page
    assert "No case fits" in anybody.get("/cases?rule=posting-rate").text
    case = view.cases.get(GROWN_ID)
    for number in range(60):
        view.cases.put(replace(case, account_id=str(900_000 + number), judged_at=1000.0 + number))
    older = re.search(r'<a rel="next" href="([^"]+)"', anybody.get("/cases?rule=casino-words").text).group(1)
    assert "rule=casino-words" in older
    assert "/cases/900000" in anybody.get(older.replace("&amp;", "&")).text


@pytest.mark.parametrize("path", [
    "/cases?outcome=x", "/cases?level=x", "/cases?decision=x", "/cases?cursor=x", "/audit?event=x", "/audit?account=x",
    "/audit?cursor=x", "/rules?state=x",
])  # fmt: skip
def test_a_filter_that_does_not_exist_is_named(anybody: httpx.Client, path):
    answer = anybody.get(path)
    assert answer.status_code == 422
    assert path.partition("?")[2].partition("=")[0] in answer.text


def test_a_sum_adds_up_as_it_is_shown(anybody: httpx.Client):
    page = anybody.get(f"/cases/{GROWN_ID}").text
    counted = page.partition("Rules that count")[2].partition("</table>")[0]
    weights = [float(one) for one in re.findall(r'<td class="num">\+([0-9.]+)</td>', counted)]
    rest = [float(one) for one in re.findall(r'<td class="num">(-?[0-9.]+)</td><td colspan="2" class="none">', counted)]
    total = float(re.search(r"<tfoot><tr><td class=\"num\">([0-9.]+)<", counted).group(1))
    assert round(sum(weights) + sum(rest), 6) == total == 6.583333
    assert "dropped" in counted
    assert "no rule any more" in counted
    assert "Limited" in page
    assert "in force" in page


def test_faults_of_rule_files_are_told_and_what_the_workers_have(view: View, tmp_path: Path):
    (tmp_path / "broken.toml").write_text('id = "<script>alert(1)</script>"')
    broken = replace(view, settings=view.settings.model_copy(update={"rules_dir": tmp_path}))
    with client_of(create_dashboard(broken), BASE) as client:
        page = client.get("/rules").text
        assert "the workers keep the rules they had" in page
        assert "broken.toml" in page
        assert "<script>alert" not in page
        assert client.get("/try").status_code == 200
        tried = client.post("/try", data={"text": "x"}, headers={"Origin": BASE})
        assert "nothing to try on" in tried.text


def test_a_text_is_tried_by_anybody_and_nothing_is_kept(anybody: httpx.Client, view: View):
    before = snapshot(view.redis)
    form = {"text": f"Casino bonus free spins https://spin.example {EVIL}", "age": "1d", "followers": "0", "posts": "5"}
    answer = anybody.post("/try", data=form, headers={"Origin": BASE, "Sec-Fetch-Site": "same-origin"})
    assert answer.status_code == 200
    assert "It would be reported" in answer.text
    assert EVIL not in answer.text
    assert "&lt;script&gt;" in answer.text, "the form keeps what was typed"
    assert snapshot(view.redis) == before


@pytest.mark.parametrize(("form", "told"), [
    ({}, "Give a text"), ({"text": "x" * 10_001}, "text"), ({"text": "x", "posts": "many"}, "posts"),
    ({"text": "x", "age": "1y"}, "age"), ({"account": "x" * 301}, "account"),
])  # fmt: skip
def test_what_can_not_be_tried_is_named(anybody: httpx.Client, form, told):
    answer = anybody.post(
        "/try", data=form, headers={"Origin": BASE, "Content-Type": "application/x-www-form-urlencoded"}
    )
    assert answer.status_code == 422
    assert told in answer.text


def test_other_sites_may_not_try(anybody: httpx.Client):
    headers = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    assert anybody.post("/try", data={"text": "x"}, headers=headers).status_code == 403
    large = {"text": "x" * 70_000}
    assert anybody.post("/try", data=large, headers={"Origin": BASE}).status_code == 413


def test_an_account_that_is_not_there_is_told_how_to_get(anybody: httpx.Client):
    page = anybody.get("/try?account=nobody@nowhere.example").text
    assert "mastowatch rules test" in page
    assert "user83920174" in anybody.get(f"/try?account={LOOK_ID}").text
