"""Shows every rule with its mode, what it has done, and whether it counts; and what is wrong with the rule files."""

from __future__ import annotations

import difflib
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from mastowatch.domain import wording
from mastowatch.domain.rule import Rule
from mastowatch.errors import RuleError
from mastowatch.jobs.context import View, read_rule_source
from mastowatch.jobs.dropped_api import DroppedRow, dropped_row
from mastowatch.jobs.refusals import Unknown
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


class ConditionRow(BaseModel):
    """A condition of a rule, in plain words."""

    model_config = ConfigDict(frozen=True)

    key: str = Field(description="Where it stands in the rule's file.")
    text: str


class SectionRow(BaseModel):
    """Conditions that belong together, and the words that lead to them."""

    model_config = ConfigDict(frozen=True)

    title: str
    conditions: list[ConditionRow]


class RuleDetail(RuleRow):
    """A rule with all that it asks for."""

    forward: bool = Field(description="Its reports go to the account's own server as well.")
    expires_s: float | None = Field(description="When its measure is undone, in seconds.")
    sections: list[SectionRow] = Field(description="What it asks for, in plain words.")
    reports_per_hour: int
    reports_per_day: int
    precision_min: float = Field(description="Below this share of kept reports it is dropped ...")
    precision_after: int = Field(description="... once so many were decided on.")
    match: list[dict[str, Any]] = Field(description="Examples that it must hit.")
    no_match: list[dict[str, Any]] = Field(description="Examples that it must not hit.")
    source: str = Field(description="The file as it is written now.")
    used_by: list[str] = Field(description="Rules that look at this one.")
    rearmed_at: datetime | None = Field(description="When a person re-armed it last.")


def read_rule(view: View, rule_id: str) -> RuleDetail:
    """Return a rule as it stands in its file; raises Unknown."""
    found = rules_on_disk(view.settings.rules_dir)
    rule = next((one for one in found.rules if one.id == rule_id), None)
    if rule is None:
        raise Unknown(_no_rule(rule_id, [one.id for one in found.rules]))
    record, dropped = view.rule_stats.read([rule_id])[rule_id], view.rule_switches.shadowed().get(rule_id)
    rearmed_at = view.rule_switches.rearmed_at(rule_id)
    return RuleDetail(
        **_row(view, rule, record, dropped).model_dump(),
        forward=rule.forward,
        expires_s=rule.expires.total_seconds() if rule.expires else None,
        sections=[_section(one) for one in wording.sections(rule)],
        reports_per_hour=rule.limits.reports_per_hour or view.settings.rule_reports_per_hour,
        reports_per_day=rule.limits.reports_per_day or view.settings.rule_reports_per_day,
        precision_min=rule.limits.precision_min,
        precision_after=rule.limits.precision_after,
        match=[dict(one) for one in rule.match],
        no_match=[dict(one) for one in rule.no_match],
        source=_source(view, rule),
        used_by=sorted(one.id for one in found.rules if rule_id in one.parts),
        rearmed_at=datetime.fromtimestamp(rearmed_at, UTC) if rearmed_at else None,
    )


def _source(view: View, rule: Rule) -> str:
    try:
        return read_rule_source(view.settings.rules_dir / rule.file)
    except RuleError:  # gone since the rules were read
        return ""


def _no_rule(rule_id: str, known: list[str]) -> str:
    close = difflib.get_close_matches(rule_id, known, n=1)
    return f"there is no rule {rule_id!r} in RULES_DIR; " + (
        f"did you mean {close[0]}?" if close else "the list of rules has all"
    )


def _section(one: wording.Section) -> SectionRow:
    return SectionRow(title=one.title, conditions=[ConditionRow(key=said.key, text=said.text) for said in one.said])


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
