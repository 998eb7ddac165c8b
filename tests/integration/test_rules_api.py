"""POST /rules/reload: what is wrong is named with file and key, what is good is told by its digest."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from redis import Redis

from mastowatch.config import Loaded, Settings
from mastowatch.jobs import context as contexts
from mastowatch.web.app import create_api
from tests.asgi import client_of
from tests.engine import made

pytestmark = pytest.mark.redis
KEY = "a-long-key-for-the-tests"
SHIPPED = Path(__file__).parents[2] / "etc" / "rules.d"
GOOD = (SHIPPED / "casino-words.toml").read_text()


@pytest.fixture
def client(redis: Redis, tmp_path: Path):
    (tmp_path / "one.toml").write_text(GOOD)
    view = contexts.view(Loaded(Settings(rules_dir=tmp_path), {}), redis)
    with client_of(create_api(view, KEY)) as client:
        client.headers["X-API-Key"] = KEY
        yield client


def test_good_rules_are_told_by_their_digest_and_what_the_workers_have(client: httpx.Client, redis, tmp_path):
    with made(redis, name="w1", labels={"rules": "older"}) as worker:
        worker.step(0)
        answer = client.post("/rules/reload")
    assert answer.status_code == 200
    digest = contexts.load_rules(tmp_path).digest
    assert answer.json() == {"rules": 1, "digest": digest, "in_force": {"w1": "older"}}


def test_every_fault_is_named_with_file_and_key(client: httpx.Client, tmp_path):
    (tmp_path / "two.toml").write_text(GOOD.replace("weight = 5.0", "weight = 0\nfoo = 1"))
    (tmp_path / "three.toml").write_text("id =")
    answer = client.post("/rules/reload")
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    body = answer.json()
    assert (body["title"], body["status"], body["instance"]) == ("Bad rules", 422, "/rules/reload")
    found = [(one["file"], one["key"]) for one in body["faults"]]
    assert found == [("three.toml", ""), ("two.toml", "foo"), ("two.toml", "weight")]
    assert "above 0" in body["faults"][2]["hint"]


def test_strangers_may_not(client: httpx.Client):
    del client.headers["X-API-Key"]
    assert client.post("/rules/reload").status_code == 401
