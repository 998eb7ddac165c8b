"""docs/reference/api.md: every line with curl is run against the API as it is served, and answers what stands there."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from mastowatch.web import webhooks
from mastowatch.web.app import create_api
from tests.api_server import KEY, served
from tests.api_world import WORKER, seed, view_of

pytestmark = pytest.mark.redis
PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "api.md").read_text()
_BLOCK = re.compile(r"^```(sh|json|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass
class Shown:
    """A command of the page, the status that it names behind a #, and what it is said to print."""

    command: str
    status: str
    output: str | None
    is_json: bool


def blocks() -> list[tuple[str, str]]:
    return [(found[1], found[2]) for found in _BLOCK.finditer(PAGE)]


def shown() -> list[Shown]:
    """Return the commands in the order of the page; what a block prints is what its last command prints."""
    found: list[Shown] = []
    for kind, text in blocks():
        if kind == "sh" and "api()" not in text:
            lines = [line for line in text.replace("\\\n", " ").splitlines() if line and not line.startswith("#")]
            for line in lines:
                command, _, told = line.partition("  # ")
                number = re.match(r"[1-5][0-9]{2}\b", told)
                found.append(Shown(command, number[0] if number else "", None, is_json=False))
        elif kind != "sh":
            found[-1].output, found[-1].is_json = text, kind == "json"
    return found


def setting(base: str, key: Path) -> str:
    """Return what the page's own first block sets up, for this server."""
    # The status goes to a place of its own, behind all that the line prints.
    return (
        f'base={base}\ncurl() {{ command curl -w "%{{stderr}}%{{http_code}}" "$@"; }}\n'
        f"key() {{ printf 'X-API-Key: %s' \"$(cat {key})\"; }}\n"
        'api() { curl --fail-with-body -sS -H @<(key) "$@"; }\n'
    )


@pytest.fixture
def base(redis: Redis) -> Iterator[str]:
    view = view_of(redis)
    seed(view)
    # As a worker that waits for commands does.
    with redis.pubsub() as commands:
        commands.subscribe(f"rq:pubsub:{WORKER}")
        commands.get_message(timeout=10)
        with served(view) as url:
            yield url


def test_each_line_answers_what_the_page_says(base: str, tmp_path: Path):
    key = tmp_path / "key"
    key.write_text(KEY)
    commands = shown()
    assert len(commands) > 50
    for one in commands:
        done = subprocess.run(
            ["bash", "-c", setting(base, key) + one.command], capture_output=True, text=True, timeout=60
        )
        status = re.findall(r"[1-5][0-9]{2}", done.stderr)[-1:]
        assert status, (one.command, done.stdout, done.stderr)
        assert status[0] == one.status if one.status else status[0] < "300", (one.command, done.stdout, status)
        if one.output is None:
            continue
        if one.is_json:
            differ = list(differences(json.loads(one.output), json.loads(done.stdout)))
            assert not differ, (one.command, differ, done.stdout)
        else:
            assert form(done.stdout) == form(one.output), one.command


def differences(told: Any, answered: Any, at: str = "") -> Iterator[str]:
    """Yield where the answer lacks what the page shows, or has it of another type; values may differ."""
    if isinstance(told, dict) and isinstance(answered, dict):
        for name, value in told.items():
            if name not in answered:
                yield f"{at}.{name} is missing"
            else:
                yield from differences(value, answered[name], f"{at}.{name}")
    elif isinstance(told, list) and isinstance(answered, list):
        if told and not answered:
            yield f"{at} is empty"
        elif told:
            yield from differences(told[0], answered[0], f"{at}[0]")
    elif told is not None and answered is not None and type(told) is not type(answered):
        yield f"{at} is {answered!r}"


def form(text: str) -> str:
    return re.sub(r"[0-9]+(\.[0-9]+)?", "0", text).strip()


def test_the_page_shows_every_operation(redis: Redis):
    document = create_api(view_of(redis), KEY).openapi()
    lines = [one.command for one in shown()]
    for path, item in document["paths"].items():
        fits = re.compile(r"\$base" + re.sub(r"\\{[a-z_]+\\}", "[A-Za-z0-9_-]+", re.escape(path)) + r"""(?=[?"' ]|$)""")
        for method in item:
            wanted = {"get": r"^(?!.*-X)"}.get(method, rf"-X {method.upper()} ")
            assert any(fits.search(line) and re.search(wanted, line) for line in lines), f"{method} {path}"
    assert any(webhooks.PATH in line for line in lines)


def test_every_line_of_the_page_is_an_operation(redis: Redis):
    paths = [*create_api(view_of(redis), KEY).openapi()["paths"], "/openapi.json"]
    known = [re.compile(re.sub(r"\\{[a-z_]+\\}", "[A-Za-z0-9_-]+", re.escape(path))) for path in paths]
    for one in shown():
        found = re.search(r"\$base(/[^?\"' ]*)", one.command)
        assert found, one.command
        assert any(path.fullmatch(found[1]) for path in known), one.command
