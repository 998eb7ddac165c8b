"""Shows every rule with its mode, what it has done, and whether it counts; and what is wrong with the rule files."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from mastowatch.domain.rule import Rule
from mastowatch.jobs.context import View
from mastowatch.jobs.dropped_api import DroppedRow
from mastowatch.jobs.rules_on_disk import rules_on_disk
from mastowatch.jobs.workforce import read_workers
from mastowatch.ports.types import Dropped, RuleRecord

FAULTS_MAX = 100
State = Literal["off", "shadow", "report", "dropped"]


class FaultRow(BaseModel):
    """What is wrong with a rule file."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    file: str
    key: str
    problem: str
    hint: str


class RuleRow(BaseModel):
    """A rule and what it has done. Hits are different accounts, with 1 % of error or less."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    description: str
    file: str
    mode: str = Field(description="As its file has it: off, shadow or report.")
    state: State = Field(description="The mode, or dropped: it counts apart, as if in shadow, until it is re-armed.")
    weight: float
    category: str
    action: str = Field(description="report, or what is done to an account beside it.")
    hits: int
    shadow_hits: int
    reports: int
    kept: int = Field(description="Reports that moderators acted on.")
    rejected: int = Field(description="Reports that moderators closed without.")
    precision: float | None = Field(description="Which part of the decided reports was kept; null before the first.")
    last_hit_at: datetime | None
    dropped: DroppedRow | None


class RuleRows(BaseModel):
    """All rules as they stand in the files, and what each worker has in force."""

    model_config = ConfigDict(frozen=True)

    rules: list[RuleRow] = Field(description="As far as they can be read.")
    faults: list[FaultRow] = Field(description="While there is one, workers keep the rules from before.")
    digest: str | None = Field(description="Changes with any rule or list; null while there is a fault.")
    in_force: dict[str, str] = Field(description="The digest that each worker has.")
    paused: DroppedRow | None = Field(description="Set while all reporting is paused.")
    open_reports: int = Field(description="Reports that wait for a moderator's decision.")
    recent_accounts: int = Field(description="Accounts that rules can be tried on.")
    recent_posts: int


def list_rules(view: View) -> RuleRows:
    """Return every rule, those that hit most first."""
    found = rules_on_disk(view.settings.rules_dir)
    records = view.rule_stats.read(rule.id for rule in found.rules)
    dropped, paused = view.rule_switches.shadowed(), view.rule_switches.paused()
    rows = [_row(view, rule, records[rule.id], dropped.get(rule.id)) for rule in found.rules]
    accounts, posts = view.posts.count()
    return RuleRows(
        rules=sorted(rows, key=lambda one: (-one.hits - one.shadow_hits, one.id)),
        faults=[FaultRow.model_validate(one) for one in found.faults[:FAULTS_MAX]],
        digest=found.loaded.digest if found.loaded else None,
        in_force={one.name: one.rules or "" for one in read_workers(view.redis)},
        paused=dropped_row(view, paused) if paused else None,
        open_reports=view.rule_stats.open_reports(),
        recent_accounts=accounts,
        recent_posts=posts,
    )


def dropped_row(view: View, dropped: Dropped) -> DroppedRow:
    """Return why a rule is dropped (EVERY_RULE: why reporting is paused), and how many accounts it holds back."""
    return DroppedRow(
        rule_id=dropped.rule_id,
        why=dropped.why,
        by=dropped.by,
        at=datetime.fromtimestamp(dropped.at, UTC),
        held=len(view.held.waiting(dropped.rule_id)),
    )


def _row(view: View, rule: Rule, record: RuleRecord, dropped: Dropped | None) -> RuleRow:
    return RuleRow(
        id=rule.id,
        name=rule.name,
        description=rule.description,
        file=rule.file,
        mode=rule.mode,
        state="dropped" if dropped and rule.mode == "report" else rule.mode,
        weight=rule.weight,
        category=rule.category,
        action=rule.action,
        hits=record.hits,
        shadow_hits=record.shadow_hits,
        reports=record.reports,
        kept=record.kept,
        rejected=record.rejected,
        precision=record.precision,
        last_hit_at=datetime.fromtimestamp(record.last_hit_at, UTC) if record.last_hit_at else None,
        dropped=dropped_row(view, dropped) if dropped else None,
    )
