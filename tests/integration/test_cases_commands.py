"""`mastowatch cases` and `mastowatch audit`, over a real Redis: what the API gives, for people too."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from redis import Redis

from mastowatch.config import Loaded, Settings
from mastowatch.jobs import context as contexts
from mastowatch.jobs.actions import Actions
from mastowatch.jobs.cases_view import list_cases
from mastowatch.ports.types import AuditEntry, Case, CaseReason
from tests.covered import covered

pytestmark = pytest.mark.redis

ROOT = Path(__file__).parents[2]


def test_cases_and_audit_are_shown(redis: Redis, redis_server: str):
    def mastowatch(*words: str) -> subprocess.CompletedProcess[str]:
        env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "REDIS_URL": redis_server, **covered()}
        command = [sys.executable, "-m", "mastowatch", *words]
        return subprocess.run(command, capture_output=True, text=True, env=env, timeout=120, stdin=subprocess.DEVNULL)

    view = contexts.view(Loaded(Settings(), {}), redis)
    now = time.time()
    for number, outcome in ((1, "filed"), (2, "watched")):
        reasons = (CaseReason("casino", "Casino", 7.0, shadow=False, evidence="links to \x1b[31mcasino.example"),)
        acct, url = f"a{number}@x.example", "https://x.example/@a"
        view.cases.put(Case(str(number), acct, url, "report", 7.0, 0.0, outcome, "why", now, reasons, "9", "m", ("5",)))
    view.audit.add(AuditEntry(now, "judged", "filed", "score 7", account_id="1", acct="a1@x.example"))
    Actions(view, "alice on the dashboard").pause_queue("low")

    listed = mastowatch("cases")
    assert (listed.returncode, listed.stderr) == (0, "")
    assert [line.split()[0] for line in listed.stdout.splitlines()[1:]] == ["a2@x.example", "a1@x.example"]
    as_json = json.loads(mastowatch("cases", "--outcome", "filed", "--json").stdout)
    assert as_json == json.loads(list_cases(view, outcome="filed").model_dump_json())
    shown = mastowatch("cases", "1").stdout
    assert "account  a1@x.example (1)\n" in shown
    assert "  casino (7): links to \ufffd[31mcasino.example\n" in shown
    missing = mastowatch("cases", "77")
    assert (missing.returncode, missing.stdout) == (1, "")
    audit = mastowatch("audit").stdout.splitlines()
    assert "alice on the dashboard" in audit[1]
    assert "score 7" in audit[2]
    ours = json.loads(mastowatch("audit", "--by", "*", "--json").stdout)
    assert [one["why"] for one in ours["entries"]] == ["queue low"]
