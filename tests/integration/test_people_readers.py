"""Cases, rules and the audit as the API and the dashboard read them: filters, paging, bounds, and no write."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest
from redis import Redis

from mastowatch.config import Loaded, Settings
from mastowatch.jobs import audit_view, cases_view
from mastowatch.jobs import context as contexts
from mastowatch.jobs.audit_view import read_audit
from mastowatch.jobs.cases_view import list_cases, read_case
from mastowatch.jobs.context import View
from mastowatch.jobs.refusals import BadParameter, Unknown
from mastowatch.jobs.rules_view import list_rules, read_rule
from mastowatch.ports.types import AccountAction, AuditEntry, Case, CaseReason, OpenReport
from tests.snapshot import snapshot

pytestmark = pytest.mark.redis
NOW = 1_767_268_800.125
SHIPPED = Path(__file__).parents[2] / "etc" / "rules.d"
CASE = Case("1", "a@x.example", "https://x.example/@a", "report", 7.0, 0.0, "filed", "why", NOW)


@pytest.fixture
def view(redis: Redis, tmp_path: Path) -> View:
    for name in ("casino-words.toml", "mention-wave.toml"):
        (tmp_path / name).write_text((SHIPPED / name).read_text())
    settings = Settings(instance_base="https://mastodon.example", rules_dir=tmp_path)
    return replace(contexts.view(Loaded(settings, {}), redis), clock=lambda: NOW)


def put(view: View, number: int, *rule_ids: str, **changes) -> None:
    reasons = tuple(CaseReason(one, one.title(), 5.0, False, "evidence") for one in rule_ids)
    case = replace(CASE, account_id=str(number), acct=f"a{number}@x.example", judged_at=NOW + number, reasons=reasons)
    view.cases.put(replace(case, **changes))


def ids(page) -> list[str]:
    return [one.account_id for one in page.cases]


def decide(view: View, report_id: str, outcome: str) -> None:
    report = OpenReport(report_id, "1", ("casino-words",), NOW - 60)
    view.rule_stats.filed(report, NOW)
    if outcome != "open":
        view.rule_stats.decided(report, outcome, {}, NOW)


def test_cases_are_found_by_each_filter(view: View):
    put(view, 1, "casino-words", report_id="11")
    put(view, 2, "mention-wave", outcome="held", level="report")
    put(view, 3, "casino-words", outcome="watched", level="watch")
    put(view, 4, outcome="watched", level="none", acct="Zoé@y.example")
    put(view, 5, "casino-words", report_id="15")
    decide(view, "11", "rejected")
    decide(view, "15", "open")
    assert ids(list_cases(view)) == ["5", "4", "3", "2", "1"]
    assert ids(list_cases(view, outcome="held")) == ["2"]
    assert ids(list_cases(view, rule="casino-words")) == ["5", "3", "1"]
    assert ids(list_cases(view, level="none")) == ["4"]
    assert ids(list_cases(view, decision="rejected")) == ["1"]
    assert ids(list_cases(view, decision="open")) == ["5"]
    assert ids(list_cases(view, account="@ZOÉ@y")) == ["4"]
    assert ids(list_cases(view, account="3")) == ["3"], "an id, or a part of the name"
    assert ids(list_cases(view, rule="casino-words", level="report", decision="kept")) == []


@pytest.mark.parametrize("wrong", [{"outcome": "x"}, {"level": "noted"}, {"decision": "x"}, {"account": "a" * 301},
                                   {"limit": 0}, {"limit": 201}, {"cursor": "x"}, {"cursor": "Y2FzZTox"}])  # fmt: skip
def test_what_is_not_allowed_is_named(view: View, wrong):
    with pytest.raises(BadParameter, match=next(iter(wrong))):
        list_cases(view, **wrong)


def test_a_cursor_neither_skips_nor_repeats_also_with_a_filter(view: View):
    for number in range(1, 12):
        put(view, number, "casino-words" if number % 2 else "mention-wave")
    for where, wanted in (({}, 11), ({"rule": "casino-words"}, 6)):
        found, cursor = [], None
        for _ in itertools.count():
            page = list_cases(view, limit=2, cursor=cursor, **where)
            found += ids(page)
            cursor = page.next_cursor
            if cursor is None:
                break
        assert len(found) == len(set(found)) == wanted
        assert found == sorted(found, key=int, reverse=True)


def test_a_search_is_bounded_and_goes_on_at_its_cursor(view: View, monkeypatch):
    monkeypatch.setattr(cases_view, "SCAN_MAX", 5)
    monkeypatch.setattr(cases_view, "_BATCH", 5)
    for number in range(1, 9):
        put(view, number, "casino-words" if number == 1 else "mention-wave")
    first = list_cases(view, rule="casino-words")
    assert (ids(first), first.scanned) == ([], 5)
    assert ids(list_cases(view, rule="casino-words", cursor=first.next_cursor)) == ["1"]


def test_a_case_tells_what_moderators_decided_and_what_was_done(view: View):
    put(view, 1, "casino-words", report_id="11", marker="abc", reported=("casino-words",))
    decide(view, "11", "kept")
    view.measures.plan(AccountAction("1", "silence", "casino-words", "11", "done", NOW, NOW + 86_400))
    view.audit.add(AuditEntry(NOW, "judged", "filed", "why", account_id="1"))
    view.audit.add(AuditEntry(NOW, "judged", "none", "why", account_id="2"))
    found = read_case(view, "1")
    assert (found.decision, found.decided_at.timestamp(), found.filed_at.timestamp()) == ("kept", NOW, NOW - 60)
    assert found.report_url == "https://mastodon.example/admin/reports/11"
    assert (found.measure.measure, found.measure.ended) == ("silence", False)
    assert [one.account_id for one in found.audit] == ["1"]
    for unknown in ("2", "../1", "1" * 21, ""):
        with pytest.raises(Unknown):
            read_case(view, unknown)


def test_a_report_id_that_is_no_number_makes_no_link(view: View):
    put(view, 1, report_id="1/../../evil")
    assert read_case(view, "1").report_url is None


def test_the_audit_is_found_by_event_account_and_person(view: View):
    view.audit.add(AuditEntry(NOW, "judged", "none", "why", account_id="1"))
    view.audit.add(AuditEntry(NOW, "dropped", "shadow", "breaker", rules={"casino-words": 0.0}))
    view.audit.add(AuditEntry(NOW, "action", "turned on", "dry run", by="Alice on the dashboard"))
    view.audit.add(AuditEntry(NOW, "rearmed", "counts again", "re-armed by root (command line)"))
    assert [one.event for one in read_audit(view).entries] == ["rearmed", "action", "dropped", "judged"]
    assert [one.event for one in read_audit(view, event="dropped").entries] == ["dropped"]
    assert [one.account_id for one in read_audit(view, account_id="1").entries] == ["1"]
    assert [one.why for one in read_audit(view, by="alice").entries] == ["dry run"]
    assert [one.by for one in read_audit(view, by="*").entries] == ["root (command line)", "Alice on the dashboard"]
    for wrong in ({"event": "x"}, {"account_id": "a"}, {"by": "a" * 201}, {"limit": 0}, {"cursor": "!"}):
        with pytest.raises(BadParameter, match=next(iter(wrong))):
            read_audit(view, **wrong)


def test_the_audit_goes_on_at_its_cursor_while_new_entries_come_in(view: View, monkeypatch):
    monkeypatch.setattr(audit_view, "SCAN_MAX", 4)
    monkeypatch.setattr(audit_view, "_BATCH", 4)
    for number in range(9):
        view.audit.add(AuditEntry(float(number), "judged", "none", "why", account_id=str(number)))
    first = read_audit(view, limit=4)
    view.audit.add(AuditEntry(99.0, "judged", "none", "why"))
    second = read_audit(view, limit=4, cursor=first.next_cursor)
    assert [one.account_id for one in (*first.entries, *second.entries)] == ["8", "7", "6", "5", "4", "3", "2", "1"]
    sought = read_audit(view, account_id="0")
    assert (sought.entries, sought.scanned) == ([], 4)
    while sought.next_cursor and not sought.entries:
        sought = read_audit(view, account_id="0", cursor=sought.next_cursor)
    assert [one.account_id for one in sought.entries] == ["0"]


def test_every_rule_tells_what_it_does_and_what_it_has_done(view: View):
    view.rule_stats.hits("1", {"casino-words": False, "mention-wave": True}, NOW)
    decide(view, "11", "kept")
    view.rule_switches.drop("mention-wave", "too many", "breaker", NOW)
    view.held.hold("mention-wave", "7", NOW)
    found = list_rules(view)
    rows = {one.id: one for one in found.rules}
    assert (found.faults, rows["casino-words"].state, rows["mention-wave"].state) == ([], "report", "dropped")
    assert (rows["casino-words"].hits, rows["casino-words"].kept, rows["casino-words"].precision) == (1, 1, 1.0)
    assert (rows["mention-wave"].shadow_hits, rows["mention-wave"].dropped.held) == (1, 1)
    detail = read_rule(view, "mention-wave")
    assert any("mentions at least" in one.text for part in detail.sections for one in part.conditions)
    assert detail.source.startswith("#") or "id =" in detail.source
    with pytest.raises(Unknown, match="did you mean casino-words"):
        read_rule(view, "casino-word")


def test_files_with_faults_are_told_of_and_the_others_shown(view: View, tmp_path: Path):
    assert list_rules(view).digest
    (tmp_path / "broken.toml").write_text("id =")
    found = list_rules(view)
    assert (found.digest, [one.file for one in found.faults], len(found.rules)) == (None, ["broken.toml"], 2)
    (tmp_path / "broken.toml").unlink()
    assert list_rules(view).digest, "read again as soon as it is right"


def test_reading_writes_nothing(view: View):
    put(view, 1, "casino-words", report_id="11")
    decide(view, "11", "open")
    view.rule_stats.hits("1", {"casino-words": False}, NOW)
    view.audit.add(AuditEntry(NOW, "judged", "none", "why", account_id="1"))
    before = snapshot(view.redis)
    list_cases(view, rule="casino-words")
    read_case(view, "1")
    list_rules(view)
    read_rule(view, "casino-words")
    read_audit(view, by="x")
    assert snapshot(view.redis) == before
