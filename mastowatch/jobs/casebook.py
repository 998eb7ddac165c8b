"""Keeps the one case of an account up to date: while its report is open, evidence is added and none is forgotten."""

from __future__ import annotations

from dataclasses import replace

from mastowatch.jobs.filing import ATTACHED_MAX, Filing, Judgement
from mastowatch.ports.types import Case, CaseOutcome, CaseReason

# Posts that a case names: those of its report, and the newest of what came later.
POSTS_MAX = 60
# Past evidence that a case keeps beside its latest verdict.
PAST_MAX = 50


def grow(previous: Case | None, judgement: Judgement, filing: Filing, now: float) -> Case:
    """Return the case after a judgement; ``filing`` is what was done, ``now`` epoch seconds."""
    case = _latest(judgement, filing, now)
    if previous is None or not previous.report_id:
        return case
    if filing.report_id not in ("", previous.report_id):
        # Another report: the case begins anew with it.
        return case
    return _grown(previous, case, filing)


def _latest(judgement: Judgement, filing: Filing, now: float) -> Case:
    verdict, account = judgement.verdict, judgement.account
    reasons = tuple(
        CaseReason(reason.rule_id, reason.rule_name, reason.weight, reason.shadow, reason.evidence)
        for reason in verdict.reasons
    )
    return Case(
        account_id=account.id,
        acct=account.acct,
        url=account.url,
        level=verdict.level,
        score=verdict.score,
        shadow_score=verdict.shadow_score,
        outcome=filing.outcome,
        why=filing.why or judgement.decision.why,
        judged_at=now,
        reasons=reasons,
        report_id=filing.report_id,
        marker=filing.marker,
        status_ids=verdict.status_ids[:ATTACHED_MAX],
        generation=filing.generation,
        reported=filing.rules,
        later=_later(reasons, filing.rules) if filing.report_id else (),
        resolved=filing.resolved,
    )


def _grown(previous: Case, case: Case, filing: Filing) -> Case:
    """Return the case with what it had before: its report, and evidence that the latest verdict no longer has."""
    present = {reason.rule_id for reason in case.reasons}
    past = [replace(reason, past=True) for reason in previous.reasons if reason.rule_id not in present]
    reasons = (*case.reasons, *past[:PAST_MAX])
    reported = filing.rules or previous.reported
    status_ids = tuple(dict.fromkeys((*previous.status_ids, *case.status_ids)))
    return replace(
        case,
        outcome=_outcome(case.outcome),
        why=_why(previous, case),
        reasons=reasons,
        report_id=previous.report_id,
        marker=filing.marker if filing.report_id else previous.marker,
        status_ids=(*status_ids[:ATTACHED_MAX], *status_ids[ATTACHED_MAX:][-(POSTS_MAX - ATTACHED_MAX) :]),
        generation=filing.generation or previous.generation,
        reported=reported,
        later=_later(reasons, reported),
        resolved=filing.resolved or (previous.resolved and not filing.report_id),
    )


def _later(reasons: tuple[CaseReason, ...], reported: tuple[str, ...]) -> tuple[str, ...]:
    """Return the rules that hit and are not in the report; none where nobody knows what is in it."""
    hit = (reason.rule_id for reason in reasons if not reason.shadow and reason.rule_id not in reported)
    return tuple(hit) if reported else ()


def _outcome(outcome: CaseOutcome) -> CaseOutcome:
    """Let a report that was filed stay filed, whatever a later verdict says."""
    return "filed" if outcome == "watched" else outcome


def _why(previous: Case, case: Case) -> str:
    if case.outcome == "filed":
        return case.why
    return f"report {previous.report_id} was filed before; now: {case.why}"
