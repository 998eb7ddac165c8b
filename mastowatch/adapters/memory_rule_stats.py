"""What each rule has hit and what moderators made of its reports, in memory: for tests and rehearsals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

from mastowatch.adapters.redis_rule_stats import OPEN_MAX
from mastowatch.ports.types import Fate, OpenReport, Outcome, RuleRecord


class MemoryRuleStats:
    """Accounts and counters by rule id, and open reports by theirs."""

    def __init__(self, *, open_max: int = OPEN_MAX) -> None:
        self._open_max = open_max
        self._accounts: defaultdict[tuple[str, bool], set[str]] = defaultdict(set)
        self._records: dict[str, RuleRecord] = {}
        self._known: dict[str, Fate] = {}
        self._open: dict[str, tuple[float, OpenReport]] = {}

    def hits(self, account_id: str, shadow_by_rule: Mapping[str, bool], now: float) -> None:
        """See the port."""
        for rule_id, shadow in shadow_by_rule.items():
            self._accounts[rule_id, shadow].add(account_id)
            self._records[rule_id] = replace(self._record(rule_id), last_hit_at=now)

    def filed(self, report: OpenReport, look_at: float) -> bool:
        """See the port."""
        if report.report_id in self._known:
            return False
        self._known[report.report_id] = Fate(report.report_id, "open", report.filed_at, 0.0, report.rule_ids)
        self._open[report.report_id] = look_at, report
        for late in self._by_time()[self._open_max :]:
            del self._open[late]
        for rule_id in report.rule_ids:
            record = self._record(rule_id)
            self._records[rule_id] = replace(record, reports=record.reports + 1)
        return True

    def due(self, now: float, limit: int) -> tuple[OpenReport, ...]:
        """See the port."""
        return tuple(self._open[one][1] for one in self._by_time() if self._open[one][0] <= now)[:limit]

    def look_again(self, report_id: str, at: float) -> None:
        """See the port."""
        if report_id in self._open:
            self._open[report_id] = at, self._open[report_id][1]

    def decided(self, report: OpenReport, outcome: Outcome, rearmed_at: Mapping[str, float], now: float) -> bool:
        """See the port."""
        if self._open.pop(report.report_id, None) is None:
            return False
        self._known[report.report_id] = replace(self._known[report.report_id], outcome=outcome, decided_at=now)
        for rule_id in report.rule_ids if outcome != "unknown" else ():
            since = rearmed_at.get(rule_id, 0.0)
            self._records[rule_id] = _counted(self._record(rule_id), outcome, since, report.filed_at)
        return True

    def read(self, rule_ids: Iterable[str]) -> Mapping[str, RuleRecord]:
        """See the port."""
        return {
            one: replace(
                self._record(one), hits=len(self._accounts[one, False]), shadow_hits=len(self._accounts[one, True])
            )
            for one in rule_ids
        }

    def fates(self, report_ids: Iterable[str]) -> Mapping[str, Fate]:
        """See the port."""
        return {one: self._known[one] for one in report_ids if one in self._known}

    def open_reports(self) -> int:
        """See the port."""
        return len(self._open)

    def _record(self, rule_id: str) -> RuleRecord:
        return self._records.get(rule_id, RuleRecord(rule_id))

    def _by_time(self) -> list[str]:
        return sorted(self._open, key=lambda one: (self._open[one][0], one))


def _counted(record: RuleRecord, outcome: Outcome, since: float, filed_at: float) -> RuleRecord:
    if record.since != since:
        record = replace(record, since=since, kept_since=0, rejected_since=0)
    fresh = int(filed_at >= since)
    if outcome == "kept":
        return replace(record, kept=record.kept + 1, kept_since=record.kept_since + fresh)
    return replace(record, rejected=record.rejected + 1, rejected_since=record.rejected_since + fresh)
