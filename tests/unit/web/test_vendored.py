"""What the browser is given is what VENDORED.md says, and little."""

from __future__ import annotations

import gzip
import hashlib
import re

from mastowatch.web.dashboard.rendering import STATIC

SCRIPT_MAX = 60_000


def test_each_vendored_file_is_as_it_came():
    text = (STATIC / "VENDORED.md").read_text()
    rows = re.findall(r"^\| `([^`]+)` \|.*\| `([0-9a-f]{64})` \|$", text, re.MULTILINE)
    assert {name for name, _ in rows} == {"htmx.min.js", "sse.js"}
    for name, digest in rows:
        assert hashlib.sha256((STATIC / name).read_bytes()).hexdigest() == digest


def test_every_script_is_ours_or_vendored_and_all_of_them_are_small():
    scripts = sorted(STATIC.glob("*.js"))
    assert [one.name for one in scripts] == ["app.js", "htmx.min.js", "sse.js"]
    assert sum(len(gzip.compress(one.read_bytes())) for one in scripts) < SCRIPT_MAX
