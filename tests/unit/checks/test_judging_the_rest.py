"""What is made of rules, breakers, budget, webhooks, stream, certificates, and of this machine."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from mastowatch import __version__
from mastowatch.config import Settings
from mastowatch.jobs.checks import certificate, judging, machine
from mastowatch.jobs.rules_on_disk import rules_on_disk
from mastowatch.ports.host import FileFacts, Journal, LayoutFacts, Package, Running, Space
from mastowatch.ports.probe import Certificate, Reply
from mastowatch.ports.types import EVERY_RULE, Dropped, FamilyUse, StreamNote, WebhooksSeen
from tests.rules import AIRDROP

NOW = 1_800_000_000.0
DAY = 86400.0
SETUP = "mastowatch setup --webhooks"


def states(found):
    return [(one.state, one.says) for one in found]


def test_rules(tmp_path: Path):
    assert judging.judge_rules(rules_on_disk(tmp_path), tmp_path)[0].state == "failure"
    (tmp_path / "a.toml").write_text(AIRDROP)
    assert states(judging.judge_rules(rules_on_disk(tmp_path), tmp_path)) == [("ok", "1 can be read: 1 report")]
    (tmp_path / "a.toml").write_text(AIRDROP.replace('"report"', '"shadow"'))
    assert states(judging.judge_rules(rules_on_disk(tmp_path), tmp_path)) == [("note", "1 can be read: 1 shadow")]
    for number in range(5):
        (tmp_path / f"b{number}.toml").write_text("id = 5")
    found = judging.judge_rules(rules_on_disk(tmp_path), tmp_path)
    assert [one.state for one in found] == ["failure"] * 4
    assert "b0.toml" in found[0].says
    assert found[0].mend.endswith("mastowatch rules check")


def test_breakers():
    assert judging.judge_breakers(None, [], 0)[0].state == "ok"
    paused = Dropped(EVERY_RULE, "61 reports in an hour", "breaker", NOW)
    rules = [Dropped(f"r{n}", "21 reports in an hour", "breaker", NOW + n) for n in range(5)]
    found = judging.judge_breakers(paused, rules, 7)
    assert [one.state for one in found] == ["failure", *["warning"] * 4, "note"]
    assert (found[0].mend, found[1].mend) == ("mastowatch rules arm all", "mastowatch rules arm r4")
    assert found[0].says == "all reporting is paused: 61 reports in an hour"
    assert found[5].says == "7 accounts wait to be judged again when they are re-armed"


def test_budget():
    plenty, little = FamilyUse("token", 10, 300, NOW + 60), FamilyUse("paging", 290, 300, NOW + 600)
    assert judging.judge_budget([plenty], 0.0, NOW).says == "token: 290 of 300 left"
    assert judging.judge_budget([plenty, little], 0.0, NOW).state == "note"
    blocked = judging.judge_budget([plenty], NOW + 90, NOW)
    assert (blocked.state, blocked.says) == ("warning", "no request for another 90 s")


@pytest.mark.parametrize(
    ("limits", "state"),
    [
        ({}, None),
        ({"X-RateLimit-Limit": "300", "X-RateLimit-Remaining": "x"}, None),
        ({"X-RateLimit-Limit": "300", "X-RateLimit-Remaining": "290"}, "ok"),
        ({"X-RateLimit-Limit": "300", "X-RateLimit-Remaining": "3"}, "note"),
        ({"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "90"}, "warning"),
    ],
)
def test_what_the_server_says_is_left(limits, state):
    found = judging.judge_limits(Reply(200, limits=limits), Settings())
    assert [one.state for one in found] == ([state] if state else [])


@pytest.mark.parametrize(
    ("seen", "secret", "state", "says"),
    [
        (WebhooksSeen(), False, "note", "not set up"),
        (WebhooksSeen(refused_at=NOW - 60, why="no secret"), False, "failure",
         "no secret is set up, and one was refused 60 s ago (no secret)"),
        (WebhooksSeen(), True, "warning", "none has ever come in"),
        (WebhooksSeen(), None, "unknown", "none has ever come in"),
        (WebhooksSeen(NOW - 60, "status.created"), True, "ok", "last one 60 s ago (status.created)"),
        (WebhooksSeen(NOW - 60, "status.created"), None, "ok", "last one 60 s ago (status.created)"),
        (WebhooksSeen(NOW - 60, "status.created", NOW - 30, "not signed"), True, "ok",
         "last one 60 s ago (status.created); one was refused 30 s ago (not signed)"),
        (WebhooksSeen(NOW - 3 * DAY, "status.created", NOW - 30, "wrong signature"), True, "failure",
         "one was refused 30 s ago (wrong signature); last one 3 days ago (status.created)"),
        (WebhooksSeen(NOW - 3600, "status.created", NOW - 30, "wrong signature"), True, "warning",
         "one was refused 30 s ago (wrong signature); last one 60 minutes ago (status.created)"),
        (WebhooksSeen(NOW - 30, "status.created", NOW - 60, "wrong signature"), True, "ok",
         "last one 30 s ago (status.created); one was refused 60 s ago (wrong signature)"),
        (WebhooksSeen(NOW - 9 * DAY, "status.created"), True, "warning", "last one 9 days ago (status.created)"),
    ],
)  # fmt: skip
def test_webhooks(seen, secret, state, says):
    found = judging.judge_webhooks(seen, NOW, secret=secret)
    assert (found.state, found.says) == (state, says)
    assert state in ("ok", "unknown") or found.mend == SETUP


def test_stream():
    assert judging.judge_stream(None, 60, NOW, enabled=False).says == "not in use; the timeline is polled every 60 s"
    assert judging.judge_stream(None, 60, NOW, enabled=True).mend == "systemctl restart mastowatch-stream"
    note = StreamNote(NOW, connected=False, covering=False)
    assert judging.judge_stream(note, 0, NOW, enabled=True).state == "warning"
    note = StreamNote(NOW, connected=True, covering=True, lag_s=1.0, post_at=NOW - 3)
    assert judging.judge_stream(note, 60, NOW, enabled=True).says == "connected, 1 s behind, last post 3 s ago"
    late = StreamNote(NOW, connected=True, covering=True, lag_s=400.0, post_at=NOW - 3)
    assert judging.judge_stream(late, 60, NOW, enabled=True).state == "warning"


@pytest.mark.parametrize(
    ("shown", "state", "says"),
    [
        (Certificate(NOW + 60.5 * DAY), "ok", "m.example: 60 days left"),
        (Certificate(NOW + 13.5 * DAY), "warning", "m.example: 13 days left"),
        (Certificate(problem="certificate has expired"), "failure", "m.example: certificate has expired"),
        (Certificate(problem="no connection (TimeoutError)", reached=False), "unknown",
         "m.example: no connection (TimeoutError)"),
    ],
)  # fmt: skip
def test_certificates(shown, state, says):
    found = certificate.judge_certificate("https://m.example", shown, NOW)
    assert (found.state, found.says) == (state, says)
    assert ssl.OPENSSL_VERSION
    assert state != "failure" or "-connect m.example:443" in found.mend


@pytest.mark.parametrize(
    ("free", "entries", "state"), [(50, 90, "ok"), (9, 90, "warning"), (2, 90, "failure"), (50, 1, "failure")]
)
def test_disks(free, entries, state):
    [found] = machine.judge_disk([Space("/", 10**9, free * 10**7, 100, entries)])
    assert found.state == state


def test_a_large_disk_may_be_nearly_full_and_one_disk_is_told_once():
    large = Space("/", 10**12, 6 * 10**9, 100, 90)
    assert states(machine.judge_disk([large, Space("/var/log/journal", 10**12, 6 * 10**9, 100, 90)])) == [
        ("ok", "/: 6.0 GB free (1%)")
    ]


def test_journal():
    assert states(machine.judge_journal(Journal(10**8, persistent=True, suppressed=0))) == [
        ("ok", "100 MB, nothing left out")
    ]
    found = machine.judge_journal(Journal(5 * 10**9, persistent=False, suppressed=12))
    assert [one.state for one in found] == ["warning", "warning", "note"]
    assert found[0].says == "12 lines left out in the last day"


CREDENTIALS = "/etc/mastowatch/credentials"
ENV = "/etc/mastowatch/mastowatch.env"


def file(path: str, mode: int, owner: str = "root", group: str = "root", *, is_dir: bool = False) -> FileFacts:
    return FileFacts(path, mode, owner, group, is_dir, 10)


@pytest.mark.parametrize(
    ("one", "password", "mend"),
    [
        (file(CREDENTIALS, 0o700, is_dir=True), False, None),
        (file(CREDENTIALS, 0o755, is_dir=True), False, f"chown root:root {CREDENTIALS} && chmod 0700 {CREDENTIALS}"),
        (file(f"{CREDENTIALS}/api_key", 0o400), False, None),
        (file(f"{CREDENTIALS}/api_key", 0o640), False,
         f"chown root:root {CREDENTIALS}/api_key && chmod 0600 {CREDENTIALS}/api_key"),
        (file(f"{CREDENTIALS}/api_key", 0o600, "alice"), False,
         f"chown root:root {CREDENTIALS}/api_key && chmod 0600 {CREDENTIALS}/api_key"),
        (file("/srv/token", 0o644), False, "chmod 0600 /srv/token"),
        (file("/srv/token", 0o600, "mastowatch"), False, None),
        (file(ENV, 0o644), False, None),
        (file(ENV, 0o644), True, f"chgrp mastowatch {ENV} && chmod 0640 {ENV}"),
        (file(ENV, 0o640, group="mastowatch"), True, None),
        (file(ENV, 0o600), True, f"chgrp mastowatch {ENV} && chmod 0640 {ENV}"),
        (file(ENV, 0o600), False, f"chmod o+r {ENV}"),
        (file(ENV, 0o646), False, f"chmod o-w {ENV}"),
        (file("/etc/mastowatch/rules.d", 0o700, is_dir=True), False, "chmod o+rx /etc/mastowatch/rules.d"),
        (file("/etc/mastowatch/rules.d/a.toml", 0o600, "mastowatch"), False, None),
    ],
)  # fmt: skip
def test_file_modes(one, password, mend):
    groups = frozenset({"mastowatch"})
    [found] = machine.judge_files([one], secrets=["/srv/token"], password_in_settings=password, groups=groups)
    assert (found.mend or None, found.state == "ok") == (mend, mend is None)


@pytest.mark.parametrize(
    ("one", "mend"),
    [
        (file("/srv/token", 0o600, "mastowatch"), None),
        (file("/srv/token", 0o600), "chown mastowatch: /srv/token && chmod 0600 /srv/token"),
        (file("/srv/token", 0o640, group="mastowatch"), "chown mastowatch: /srv/token && chmod 0600 /srv/token"),
        (file("/srv/token", 0o644, "mastowatch"), "chmod 0600 /srv/token"),
        (file(f"{CREDENTIALS}/token", 0o600), f"sudoedit {ENV}"),
    ],
)
def test_a_secret_that_the_settings_name_must_be_for_the_units_and_for_nobody_else(one, mend):
    groups = frozenset({"mastowatch"})
    [found] = machine.judge_files([one], secrets=[one.path], password_in_settings=False, groups=groups, units=True)
    assert (found.mend or None, found.state == "ok") == (mend, mend is None)


def test_package():
    ours, older = Running(1, __version__, "worker", "a", 5), Running(1, "0.0.9", "worker", "b", 6)
    assert states(machine.judge_package(Package("ii ", "0.1.0-1"), [ours])) == [
        ("ok", "mastowatch 0.1.0-1; 1 processes run it")
    ]
    assert machine.judge_package(None, [])[0].says == f"version {__version__}, not from a package"
    assert machine.judge_package(Package("iF ", "0.1.0-1"), [])[0].mend == "dpkg --configure -a && apt-get install -f"
    [found] = machine.judge_package(Package("ii ", "0.1.0-1"), [ours, older])
    assert (found.state, "worker on b (process 6, version 0.0.9) runs" in found.says) == ("warning", True)


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        (LayoutFacts("1", 1, "", "", ()), "ok"),
        (LayoutFacts("2", 1, "", "", ()), "failure"),
        (LayoutFacts("x", 1, "", "", ()), "failure"),
        (LayoutFacts("2", 2, "2", "", ()), "warning"),
        (LayoutFacts("1", 2, "", "", ()), "warning"),
        (LayoutFacts("1", 2, "", "2", (Running(1, "0.1.0", "worker", "a", 5),)), "warning"),
    ],
)
def test_layout(facts, state):
    found = machine.judge_layout(facts)
    assert found.state == state
    assert not facts.announced or "worker on a" in found.means
    # `mastowatch forget` alone refuses, and no source of packages has a newer one.
    assert found.mend in ("", "mastowatch forget --force", "systemctl restart mastowatch.target")


def test_a_rule_file_with_a_fault_is_named_to_be_edited(tmp_path):
    (tmp_path / "casino.toml").write_text("id = [")
    (found,) = judging.judge_rules(rules_on_disk(tmp_path), tmp_path)
    assert found.mend == f"sudoedit {tmp_path}/casino.toml && mastowatch rules check"
