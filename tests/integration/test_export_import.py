"""Rules, cases and audit as a file and back: whole or not at all, merged and not doubled, and nothing filed twice."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from mastowatch.adapters.redis_audit import RedisAudit, body_of
from mastowatch.adapters.redis_audit_merging import RedisAuditMerging
from mastowatch.cli import export as cli_export
from mastowatch.config import Settings
from mastowatch.errors import StoreUnavailable
from mastowatch.jobs import context as contexts
from mastowatch.jobs.filing import SETTLE_S
from mastowatch.jobs.portable.exporting import Wanted, export
from mastowatch.jobs.portable.importing import Given, import_
from mastowatch.jobs.portable.records import LINES
from mastowatch.jobs.refusals import BadParameter, WrongState
from mastowatch.ports.types import AccountAction, AuditEntry, OpenReport
from tests.covered import covered
from tests.filing_history import World
from tests.redis_server import private_redis
from tests.rules import AIRDROP
from tests.snapshot import snapshot

pytestmark = pytest.mark.redis

ROOT = Path(__file__).parents[2]
SERVER = "https://m.example"
NOW = float(int(time.time()))
RULE = AIRDROP.replace('"airdrop"', '"casino"').replace("Airdrop", "Casinò")
ALL = Wanted()
SECRETS = ("hunter2", "someone@mail.example", "203.0.113.7", "just between us")
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def other_server() -> Iterator[str]:
    with private_redis() as url:
        yield url


@pytest.fixture
def other(other_server: str) -> Iterator[Redis]:
    """Another host's Redis."""
    with Redis.from_url(other_server) as client:
        client.flushdb()
        yield client


@pytest.fixture
def rules_dir(tmp_path: Path) -> Path:
    directory = tmp_path / "rules.d"
    (directory / "lists").mkdir(parents=True)
    (directory / "casino.toml").write_text(RULE)
    (directory / "lists" / "hosts.txt").write_text("bad.example\n")
    return directory


def settings(rules_dir: Path, **more: Any) -> Settings:
    return Settings(instance_base=SERVER, rules_dir=rules_dir, dry_run=False, **more)


def world_of(redis: Redis, tmp_path: Path) -> World:
    """Return an account and its server, now."""
    world = World(redis, tmp_path)
    world.now = datetime.fromtimestamp(NOW, UTC)
    return world


def seed(redis: Redis, tmp_path: Path) -> World:
    """Leave a report that is open, one that was decided on, a measure, statistics, a dropped rule and an audit."""
    world = world_of(redis, tmp_path)
    world.post("casino")
    world.judge()
    context = world.context
    context.rule_stats.filed(OpenReport("55", "8", ("airdrop",), NOW - 100), NOW + 600)
    context.rule_stats.decided(OpenReport("55", "8", ("airdrop",), NOW - 100), "kept", {}, NOW)
    context.actions.plan(AccountAction("7", "silence", "casino", "1", "planned", NOW, NOW + 86_400, (), ("3",)))
    context.rule_switches.drop("lottery", "too many reports", "breaker", NOW)
    context.rule_switches.drop("airdrop", "too many reports", "breaker", NOW - 50)
    context.rule_switches.rearm("airdrop", NOW - 20)
    return world


def seed_secrets(redis: Redis) -> None:
    """Leave what no export may tell, where such things stand or might."""
    redis.set(f"mastowatch:session:ended:{SECRETS[0]}", SECRETS[0])
    redis.set("mastowatch:recent:look:7", SECRETS[3])
    redis.hset("rq:job:x", mapping={"status": "failed", "exc_info": " ".join(SECRETS)})
    redis.set(f"mastowatch:idempotency:{SECRETS[0]}", json.dumps({"to": SECRETS[1], "ip": SECRETS[2]}))


def written(redis: Redis, rules_dir: Path, path: Path, wanted: Wanted = ALL, now: float = NOW) -> Path:
    path.write_bytes(b"".join(export(redis, settings(rules_dir), wanted, now)))
    return path


def taken(redis: Redis, rules_dir: Path, path: Path, now: float = NOW, **options: bool) -> dict[str, dict[str, int]]:
    with path.open("rb") as file:
        _, done = import_(redis, settings(rules_dir), Given(file, path.name, **options), now)
    return {kind: dict(counts) for kind, counts in done.items()}


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def remembered(redis: Redis) -> dict[bytes, Any]:
    """Return what an export carries, as it stands in Redis."""
    kept = ("claim:", "claims", "report", "action", "case", "rule", "audit")
    return {
        key: value
        for key, value in snapshot(redis).items()
        if key.startswith(tuple(f"mastowatch:{one}".encode() for one in kept))
    }


def test_all_of_it_comes_over_to_another_host_as_it_was(redis, other, rules_dir, tmp_path):
    seed(redis, tmp_path)
    path = written(redis, rules_dir, tmp_path / "all.jsonl")
    found = lines(path)
    assert {one["kind"] for one in found} == {"header", *LINES, "end"}
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = taken(other, elsewhere, path)
    assert {kind: set(counts) for kind, counts in done.items()} == {kind: {"added"} for kind in LINES}
    again = lines(written(other, elsewhere, tmp_path / "again.jsonl"))
    assert sorted(map(str, again[:-1])) == sorted(map(str, found[:-1]))
    for name in ("casino.toml", "lists/hosts.txt"):
        assert (elsewhere / name).read_bytes() == (rules_dir / name).read_bytes()
        assert stat.S_IMODE((elsewhere / name).stat().st_mode) == 0o644
    assert contexts.load_rules(elsewhere).rules[0].id == "casino"


def test_a_second_time_changes_nothing(redis, other, rules_dir, tmp_path):
    seed(redis, tmp_path)
    path = written(redis, rules_dir, tmp_path / "all.jsonl")
    taken(other, rules_dir, path)
    before = remembered(other)
    done = taken(other, rules_dir, path)
    assert {word for counts in done.values() for word in counts} == {"same"}
    assert remembered(other) == before


def test_an_account_that_was_reported_there_is_not_reported_here(redis, other, rules_dir, tmp_path):
    """The account's report is known from the file alone: the other server's list of reports is never asked."""
    world = seed(redis, tmp_path)
    assert len(world.reports()) == 1
    here = world_of(other, tmp_path)
    here.server, here.context = world.server, replace(here.context, mastodon=world.server.for_purpose)
    taken(other, rules_dir, written(redis, rules_dir, tmp_path / "all.jsonl"))
    here.context.posts  # noqa: B018
    here.later(seconds=1)
    here.judge()
    assert len(world.reports()) == 1
    assert here.claim == world.claim
    assert here.case.report_id == world.case.report_id
    assert other.hget("mastowatch:claims:redis", "run_id") == b"imported", "what was under way there is waited for"


def test_reports_wait_after_an_import_as_after_a_restart(redis, other, rules_dir, tmp_path):
    world = seed(redis, tmp_path)
    taken(other, rules_dir, written(redis, rules_dir, tmp_path / "all.jsonl"))
    claims = world_of(other, tmp_path).context.claims
    assert claims.steady_since(NOW + 5) == NOW + 5
    assert claims.steady_since(NOW + SETTLE_S) == NOW + 5
    del world


def test_what_is_here_and_newer_stays(redis, other, rules_dir, tmp_path):
    world = seed(redis, tmp_path)
    path = written(redis, rules_dir, tmp_path / "all.jsonl")
    here = world_of(other, tmp_path).context
    case = world.case
    here.cases.put(replace(case, judged_at=NOW + 60, why="newer"))
    later = replace(world.claim, generation=2, report_id="99", changed_at=NOW - 5)
    here.claims.filed(later, "99", NOW - 5)
    action = here.actions.plan(AccountAction("7", "silence", "casino", "1", "planned", NOW + 9, NOW + 86_400))
    here.rule_switches.drop("lottery", "mine", "precision", NOW - 900)
    (rules_dir / "casino.toml").write_text((rules_dir / "casino.toml").read_text() + "# mine\n")
    done = taken(other, rules_dir, path)
    assert {kind for kind, counts in done.items() if counts == {"kept": 1}} >= {
        "case", "claim", "measure", "rule_dropped", "rule_file",
    }  # fmt: skip
    assert here.cases.get("7").why == "newer"
    assert (here.claims.get("7").generation, here.claims.get("7").report_id) == (2, "99")
    assert here.actions.get("7") == action
    assert here.rule_switches.shadowed()["lottery"].why == "mine"
    assert "# mine" in (rules_dir / "casino.toml").read_text()


@pytest.mark.parametrize("state", ["planned", "sent", "failed"])
def test_what_was_filed_there_becomes_filed_here(redis, other, rules_dir, tmp_path, state):
    world = seed(redis, tmp_path)
    path = written(redis, rules_dir, tmp_path / "all.jsonl")
    other.hset("mastowatch:claim:7", mapping={"marker": "00000000", "state": state, "changed_at": repr(NOW + 50)})
    assert taken(other, rules_dir, path)["claim"] == {"updated": 1}
    assert world_of(other, tmp_path).claim == world.claim


def test_a_rule_dropped_there_and_armed_again_here_since_stays_armed(redis, other, rules_dir, tmp_path):
    seed(redis, tmp_path)
    path = written(redis, rules_dir, tmp_path / "all.jsonl")
    here = world_of(other, tmp_path).context.rule_switches
    here.drop("lottery", "mine", "breaker", NOW + 1)
    here.rearm("lottery", NOW + 2)
    assert taken(other, rules_dir, path)["rule_dropped"] == {"kept": 1}
    assert here.shadowed() == {}


def test_counters_are_not_added_twice_and_accounts_are_united(redis, other, rules_dir, tmp_path):
    world = seed(redis, tmp_path)
    world.context.rule_stats.hits("1", {"casino": False}, NOW)
    here = world_of(other, tmp_path).context.rule_stats
    here.hits("1", {"casino": False}, NOW - 9)
    here.hits("2", {"casino": False}, NOW - 9)
    path = written(redis, rules_dir, tmp_path / "all.jsonl")
    for _ in range(2):
        taken(other, rules_dir, path)
        record = here.read(["casino"])["casino"]
        assert (record.hits, record.reports, record.last_hit_at) == (3, 1, NOW)
    # The report is known, so that looking at it again counts it no second time.
    here.filed(OpenReport("1", "7", ("casino",), NOW), NOW)
    assert here.read(["casino"])["casino"].reports == 1
    assert here.fates(["55"])["55"].outcome == "kept"


def test_a_report_decided_on_there_is_decided_on_here(redis, other, rules_dir, tmp_path):
    seed(redis, tmp_path)
    here = world_of(other, tmp_path).context.rule_stats
    here.filed(OpenReport("55", "8", ("airdrop",), NOW - 100), NOW + 600)
    assert taken(other, rules_dir, written(redis, rules_dir, tmp_path / "all.jsonl"))["report"]["updated"] == 1
    assert here.fates(["55"])["55"].outcome == "kept"
    assert [one.report_id for one in here.due(NOW + 9000, 9)] == ["1"]


# --- the audit -------------------------------------------------------------------------------------------


def entry(number: int) -> AuditEntry:
    return AuditEntry(NOW + number, "action", "did", f"thing {number}", by="alice")


def stream(redis: Redis, *numbers: int, at: int = 1_000_000) -> None:
    for number in numbers:
        redis.xadd(RedisAudit.STREAM, {"entry": body_of(entry(number))}, id=f"{at + number}-0")


def told(redis: Redis) -> list[tuple[str, str]]:
    return [(place, one.why) for place, one in RedisAuditMerging(redis).entries(0.0)]


def test_older_entries_of_the_audit_are_put_where_they_belong_and_none_comes_twice(redis, other, rules_dir, tmp_path):
    stream(redis, 1, 3, 5, 7)
    stream(other, 2, 3, 6)
    path = written(redis, rules_dir, tmp_path / "audit.jsonl", Wanted(("audit",)))
    assert taken(other, rules_dir, path)["audit"] == {"added": 3, "same": 1}
    assert told(other) == [(f"{1_000_000 + number}-0", f"thing {number}") for number in (1, 2, 3, 5, 6, 7)]
    assert taken(other, rules_dir, path)["audit"] == {"same": 4}
    assert not other.exists(RedisAuditMerging.MERGING)
    RedisAudit(other).add(entry(9))
    assert told(other)[-1][1] == "thing 9"


def test_entries_of_the_same_millisecond_are_all_kept(redis, other, rules_dir, tmp_path):
    stream(redis, 1)
    other.xadd(RedisAudit.STREAM, {"entry": body_of(entry(2))}, id="1000001-0")
    path = written(redis, rules_dir, tmp_path / "audit.jsonl", Wanted(("audit",)))
    for expected in ({"added": 1}, {"same": 1}):
        assert taken(other, rules_dir, path)["audit"] == expected
        assert told(other) == [("1000001-0", "thing 2"), ("1000001-1", "thing 1")]


def test_an_entry_that_comes_while_the_audit_is_merged_is_not_lost(redis):
    stream(redis, 5)
    late = iter([entry(9)])

    def alive() -> None:
        for one in late:
            RedisAudit(redis).add(one)

    places = [(f"{1_000_000 + number}-0", entry(number)) for number in range(600) if number != 5]
    RedisAuditMerging(redis).merge(places, len(places), tell=False, alive=alive)
    assert [why for _, why in told(redis)] == [*(f"thing {number}" for number in range(600)), "thing 9"]


def test_more_than_the_audit_keeps_is_left_out_the_oldest_first(redis):
    stream(redis, 10, 11)
    places = [(f"{1_000_000 + number}-0", entry(number)) for number in range(5)]
    merging = RedisAuditMerging(redis, at_most=4)
    assert merging.merge(places, 5, tell=False, alive=lambda: None) == {"late": 3, "added": 2}
    assert [why for _, why in told(redis)] == [f"thing {number}" for number in (3, 4, 10, 11)]
    assert merging.merge(places, 5, tell=False, alive=lambda: None) == {"late": 3, "same": 2}


def test_what_is_in_both_takes_the_place_of_one(redis):
    """After an older copy of Redis came back: what was written since is in the export, and most of that is here."""
    stream(redis, *range(8), 12)
    places = [(f"{1_000_000 + number}-0", entry(number)) for number in range(3, 12)]
    merging = RedisAuditMerging(redis, at_most=10)
    for tell in (True, False):
        assert merging.merge(places, len(places), tell=tell, alive=lambda: None) == {"same": 5, "added": 4}
    assert [why for _, why in told(redis)][-10:] == [f"thing {number}" for number in range(3, 13)]
    assert merging.merge(places, len(places), tell=False, alive=lambda: None) == {"same": 9}


# --- files with faults -----------------------------------------------------------------------------------


def spoilt(path: Path, spoil: Callable[[list[dict[str, Any]]], None]) -> None:
    """Change the records and write the sum anew, as somebody who means it."""
    import hashlib
    from collections import Counter

    found = lines(path)[:-1]
    spoil(found)
    body = b"".join(json.dumps(one).encode() + b"\n" for one in found)
    end = {
        "kind": "end",
        "counts": Counter(one["kind"] for one in found[1:]),
        "sha256": hashlib.sha256(body).hexdigest(),
    }
    path.write_bytes(body + json.dumps(end).encode() + b"\n")


def at(kind: str, **fields: Any) -> Callable[[list[dict[str, Any]]], None]:
    def spoil(found: list[dict[str, Any]]) -> None:
        next(one for one in found if one["kind"] == kind).update(fields)

    return spoil


FAULTS = [
    (at("claim", state="perhaps"), "line 2: state: Input should be"),
    (at("claim", account_id="7; flushall"), "line 2: account_id: String should match"),
    (at("case", score="high"), "score: Input should be a valid number"),
    (at("case", judged_at=1e300), "judged_at: Input should be less than"),
    (at("case", password="x"), "password: Extra inputs are not permitted"),
    (at("rule_file", name="../../cron.d/x.toml"), "name: String should match"),
    (at("rule_list", name="a/b"), "name: String should match"),
    (at("rule_record", hits="QUJD"), "hits: Value error, is no HyperLogLog"),
    (at("rule_file", text="id = "), "the rules can't be used: casino.toml"),
    (at("audit", place="99999999999999-0"), "place: is in the future"),
    (at("audit", rules={"*": float("nan")}), "line 13: rules."),
    (at("audit", rules={"*": 1e12}), "line 13: rules."),
    (at("audit", rules={"casino": 1e9}), "line 13: rules."),
    (at("claim", marker=""), "line 2: marker: String should match"),
    (at("rule_file", text="#" + "\u20ac" * 30_000), "text: Value error, must be 65536 bytes"),
    (at("rule_list", text="\u20ac" * 200_000), "text: Value error, must be 524288 bytes"),
    (at("audit", at=NOW + 90_000), "at: is in the future"),
    (at("case", judged_at=NOW + 90_000), "judged_at: is in the future"),
    (at("claim", changed_at=253402300799.0), "changed_at: is in the future"),
    (at("rule_rearmed", at=NOW + 90_000), "at: is in the future"),
    (at("rule_file", name="\u20ac" * 100 + ".toml"), "name: Value error, must be 200 bytes"),
    (at("rule_list", name="host\u202es"), "name: Value error, must be 200 bytes"),
    (at("header", format=2), "line 1: format: 2 is newer than this version reads"),
    (at("header", layout=99), "was written by a newer version"),
    (at("header", instance="https://elsewhere.example"), "is about https://elsewhere.example, and INSTANCE_BASE"),
    (lambda found: found.append({"kind": "job"}), "kind: 'job' is none that this version knows"),
    (lambda found: found.append(found[-1]), "place: is not after the one before"),
    (lambda found: found.pop(0), "line 1: is no header"),
]


@pytest.mark.parametrize(("spoil", "expected"), FAULTS, ids=[told for _, told in FAULTS])
def test_a_fault_is_named_with_its_line_and_field_before_anything_is_written(
    redis, other, rules_dir, tmp_path, spoil, expected
):
    seed(redis, tmp_path)
    path = written(redis, rules_dir, tmp_path / "all.jsonl")
    spoilt(path, spoil)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with pytest.raises(BadParameter) as caught:
        taken(other, elsewhere, path)
    assert expected in str(caught.value)
    assert (snapshot(other), list(elsewhere.iterdir())) == ({}, [])


def test_a_header_without_its_format_is_of_the_first_one(redis, other, rules_dir, tmp_path):
    seed(redis, tmp_path)
    path = written(redis, rules_dir, tmp_path / "all.jsonl")
    spoilt(path, lambda found: found[0].pop("format"))
    assert taken(other, rules_dir, path)["claim"] == {"added": 1}


@pytest.mark.parametrize("cut", [1, 4, -1, -2])
def test_a_file_that_was_cut_is_noticed(redis, other, rules_dir, tmp_path, cut):
    seed(redis, tmp_path)
    path = written(redis, rules_dir, tmp_path / "all.jsonl")
    whole = path.read_bytes().splitlines(keepends=True)
    for part in (b"".join(whole)[:cut], b"".join(whole[:cut]), b"".join([*whole[:2], *whole[3:]])):
        path.write_bytes(part)
        with pytest.raises(BadParameter, match=r"is cut|no end|changed since|is no JSON"):
            taken(other, rules_dir, path)
    assert snapshot(other) == {}


def test_rules_of_another_server_come_without_what_they_did_there(redis, other, rules_dir, tmp_path):
    seed(redis, tmp_path)
    path = written(redis, rules_dir, tmp_path / "rules.jsonl", Wanted(("rules",)))
    spoilt(path, at("header", instance="https://elsewhere.example"))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = taken(other, elsewhere, path)
    assert done["rule_file"] == {"added": 1}
    assert set(done["rule_record"]) == {"foreign"}
    assert snapshot(other) == {}


# --- the commands ----------------------------------------------------------------------------------------


@pytest.fixture
def mastowatch(rules_dir: Path) -> Command:
    def run(url: str, *words: str) -> subprocess.CompletedProcess[str]:
        env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "REDIS_URL": url, "USER": "alice", **covered()}
        env |= {"INSTANCE_BASE": SERVER, "RULES_DIR": str(rules_dir)}
        command = [sys.executable, "-m", "mastowatch", *words]
        return subprocess.run(command, capture_output=True, text=True, env=env, timeout=60, stdin=subprocess.DEVNULL)

    return run


def test_the_commands_write_a_file_for_its_owner_alone_and_merge_it(
    redis, redis_server, other, other_server, tmp_path, mastowatch
):
    seed(redis, tmp_path)
    seed_secrets(redis)
    path = tmp_path / "all.jsonl"
    done = mastowatch(redis_server, "export", "-o", str(path))
    assert (done.returncode, done.stdout) == (0, "")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not [secret for secret in SECRETS if secret in path.read_text()]
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith(".")] == []
    stdout = mastowatch(redis_server, "export", "all").stdout.splitlines()
    assert stdout[1:-1] == path.read_text().splitlines()[1:-1]

    before = snapshot(other)
    assert mastowatch(other_server, "import", str(path)).returncode == 1
    assert mastowatch(other_server, "import", str(path), "--dry-run").returncode == 0
    assert {
        key: value for key, value in snapshot(other).items() if b"layout" not in key and b"proc" not in key
    } == before
    merged = mastowatch(other_server, "import", str(path), "--yes", "--json")
    assert json.loads(merged.stdout)["claim"] == {"added": 1}
    shown = mastowatch(other_server, "cases").stdout
    assert "a@x.example" in shown
    again = mastowatch(other_server, "import", str(path), "--yes")
    assert "nothing was changed" in again.stdout
    (audit,) = [one for one in json.loads(mastowatch(other_server, "audit", "--json").stdout)["entries"] if one["by"]]
    assert (audit["outcome"], audit["by"]) == ("imported", "alice on the command line")
    (tmp_path / "cut.jsonl").write_bytes(path.read_bytes()[:-20])
    cut = mastowatch(other_server, "import", str(tmp_path / "cut.jsonl"), "--yes")
    assert (cut.returncode, "is cut; nothing was imported" in cut.stderr) == (2, True)


def test_only_what_is_newer_than_since(redis, redis_server, tmp_path, mastowatch):
    seed(redis, tmp_path)
    found = mastowatch(redis_server, "export", "cases", "--since", "2099-01-01").stdout.splitlines()
    # A measure in force is told however old it is.
    assert {json.loads(line)["kind"] for line in found} == {"header", "measure", "end"}


@pytest.mark.parametrize("since", ["1960-01-01", "9999w", "999999999w", "9999-12-31T23:59:59-23:59"])
def test_since_a_time_before_or_after_all_others(redis, redis_server, tmp_path, mastowatch, since):
    seed(redis, tmp_path)
    done = mastowatch(redis_server, "export", "--since", since)
    assert (done.returncode, done.stderr) == (0, "")
    found = {json.loads(line)["kind"] for line in done.stdout.splitlines()}
    assert ("case" in found) == ("w" in since or since < "2000")
    assert ("audit" in found) == ("w" in since or since < "2000")


def test_what_is_no_ordinary_file_stays_what_it_is(redis, redis_server, tmp_path, mastowatch):
    """As /dev/null, which every program of the machine wants to be what it is."""
    seed(redis, tmp_path)
    pipe, link = tmp_path / "pipe", tmp_path / "null"
    os.mkfifo(pipe)
    link.symlink_to("/dev/null")
    for path in (pipe, link, tmp_path):
        done = mastowatch(redis_server, "export", "-o", str(path))
        assert (done.returncode, "is no ordinary file" in done.stderr) == (2, True)
    assert pipe.is_fifo()
    assert link.is_symlink()
    assert not [one for one in tmp_path.iterdir() if one.name.startswith(".")]
    with pytest.raises(BadParameter, match="is no ordinary file"):
        cli_export.ensure_replaceable(Path("/dev/stdout"))


def test_what_can_not_be_read_or_written_is_told_in_a_line(redis, redis_server, tmp_path, mastowatch):
    wrong = mastowatch(redis_server, "import", str(tmp_path / "nothing"), "--yes")
    assert (wrong.returncode, "can't be read: No such file" in wrong.stderr) == (2, True)
    wrong = mastowatch(redis_server, "export", "-o", str(tmp_path / "no" / "x"))
    assert (wrong.returncode, "can't be written: No such file" in wrong.stderr) == (1, True)


DAMAGE: dict[str, Callable[[Redis], Any]] = {
    "a claim at no time": lambda redis: redis.hset("mastowatch:claim:7", "changed_at", "inf"),
    "a claim in no state": lambda redis: redis.hset("mastowatch:claim:7", "state", "odd"),
    "a claim on nobody": lambda redis: redis.copy("mastowatch:claim:7", "mastowatch:claim:x"),
    "a key that is no text": lambda redis: redis.copy("mastowatch:claim:7", b"mastowatch:claim:\xff"),
    "a field that is no text": lambda redis: redis.hset("mastowatch:claim:7", "reason", b"\xff"),
    "a report with rules that are none": lambda redis: redis.hset("mastowatch:report:55", "rules", "[[]]"),
    "a measure on nobody": lambda redis: redis.copy("mastowatch:action:7", "mastowatch:action:x"),
    "a sketch that is a list": lambda redis: (
        redis.delete("mastowatch:rule:casino:hits"),
        redis.rpush("mastowatch:rule:casino:hits", 1),
    ),
    "a re-arming at no time": lambda redis: redis.hset("mastowatch:rules:rearmed", "casino", "soon"),
    "a dropped rule without a word": lambda redis: redis.hset("mastowatch:rules:dropped", "casino", "[]"),
    "switches of another kind": lambda redis: redis.set("mastowatch:rules:dropped", "x"),
    "a case with an endless score": lambda redis: redis.set(
        "mastowatch:case:7", redis.get("mastowatch:case:7").replace(b'"score":', b'"score":1e999,"was":', 1)
    ),
    "an entry of the audit that is none": lambda redis: redis.xadd("mastowatch:audit", {"entry": b"\xff"}),
}


# Of these the rest of the record is told, or nothing tells that there was one.
UNTOLD = ("a key that is no text", "a sketch that is a list", "switches of another kind")


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_is_damaged_does_not_keep_the_rest_from_being_exported(redis, other, rules_dir, tmp_path, damage):
    seed(redis, tmp_path)
    told: list[str] = []
    whole = list(export(redis, settings(rules_dir), ALL, NOW, left_out=told.append))
    assert told == []
    DAMAGE[damage](redis)
    lines = list(export(redis, settings(rules_dir), ALL, NOW, left_out=told.append))
    path = tmp_path / "export.jsonl"
    path.write_bytes(b"".join(lines))
    taken(other, rules_dir, path)
    assert told or damage in UNTOLD
    assert len(set(whole[1:-1]) - set(lines)) <= 2


def test_a_rule_file_that_can_not_be_written_is_told_in_a_line_and_comes_the_next_time(
    redis, other, rules_dir, tmp_path
):
    seed(redis, tmp_path)
    path = written(redis, rules_dir, tmp_path / "all.jsonl")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    in_its_way = elsewhere / "casino.toml"
    real = contexts.write_rule_source
    with pytest.MonkeyPatch.context() as patch:

        def no_room(directory: Path, name: str, text: str) -> None:
            if name == in_its_way.name:
                raise OSError(28, "No space left on device")
            real(directory, name, text)

        patch.setattr(contexts, "write_rule_source", no_room)
        with pytest.raises(WrongState, match=r"No space left on device.*run the same command again"):
            taken(other, elsewhere, path)
    assert taken(other, elsewhere, path)["rule_file"] == {"added": 1}
    assert in_its_way.read_text() == RULE


# What is damaged here, and the kind of record that is then left out.
HERE: dict[str, tuple[str, Callable[[Redis], Any]]] = {
    "a claim that is a list": ("claim", lambda redis: as_list(redis, "mastowatch:claim:7")),
    "a claim without a generation": ("claim", lambda redis: redis.hset("mastowatch:claim:7", "generation", "x")),
    "a measure without a time": ("measure", lambda redis: redis.hset("mastowatch:action:7", "changed_at", "")),
    "a measure that is a list": ("measure", lambda redis: as_list(redis, "mastowatch:action:7")),
    "a report that is a list": ("report", lambda redis: as_list(redis, "mastowatch:report:55")),
    "a counter that is none": ("rule_record", lambda redis: redis.hset("mastowatch:rule:airdrop", "kept", "many")),
    "a rule re-armed at no time": ("rule_record", lambda redis: redis.hset("mastowatch:rule:airdrop", "since", "x")),
    "dropped rules that are a list": ("rule_dropped", lambda redis: as_list(redis, "mastowatch:rules:dropped")),
    "re-armed at no time": ("rule_rearmed", lambda redis: redis.hset("mastowatch:rules:rearmed", "airdrop", "soon")),
    "cases that are a list": ("case", lambda redis: as_list(redis, "mastowatch:cases")),
}


def as_list(redis: Redis, key: str) -> None:
    redis.delete(key)
    redis.rpush(key, 1)


@pytest.mark.parametrize("damage", HERE)
def test_what_is_damaged_here_does_not_keep_the_rest_from_being_imported(redis, other, rules_dir, tmp_path, damage):
    """Also not what comes after it in the file; and whoever has lost something imports."""
    seed(redis, tmp_path)
    path = written(redis, rules_dir, tmp_path / "all.jsonl")
    kind, do = HERE[damage]
    taken(other, rules_dir, path)
    do(other)
    other.delete("mastowatch:audit")
    before = remembered(other)
    done = taken(other, rules_dir, path, dry_run=True)
    assert done[kind]["damaged"] == 1
    assert remembered(other) == before
    assert taken(other, rules_dir, path) == done
    assert done["audit"] == {"added": 1}
    assert {word for other_kind, counts in done.items() if other_kind not in (kind, "audit") for word in counts} == {
        "same"
    }


def test_a_full_redis_is_told_and_not_taken_for_damage(redis, other, rules_dir, tmp_path):
    seed(redis, tmp_path)
    path = written(redis, rules_dir, tmp_path / "all.jsonl")
    other.config_set("maxmemory", 1)
    try:
        with pytest.raises(StoreUnavailable, match="maxmemory"):
            taken(other, rules_dir, path)
    finally:
        other.config_set("maxmemory", 0)
