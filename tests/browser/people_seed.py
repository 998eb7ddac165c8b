"""More for the pages about people and rules: dropped rules, switches turned, looks to try rules on, hostile texts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from mastowatch.jobs.actions import Actions
from mastowatch.jobs.context import View, load_rules
from mastowatch.ports.types import (
    EVERY_RULE,
    Account,
    AccountAction,
    AuditEntry,
    Case,
    CaseReason,
    OpenReport,
    Status,
)

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>"
TURNED = "gpj.\u202eevil\u2066"
LONG = "x" * 400
HOSTILE_ID, LOOK_ID, GROWN_ID = "666001", "115301", "115310"


def seed_people(view: View) -> None:
    """Add it to what ``seed`` has left in the View's Redis."""
    now = view.clock()
    _stats(view, now)
    _grown(view, now)
    _hostile(view, now)
    _look(view, now)
    _switched(view, now)


def _stats(view: View, now: float) -> None:
    """Let rules have hit, and moderators have decided, for a week."""
    figures = {
        "casino-words": (110, 12, 40, 3),
        "crypto-link-spam": (96, 0, 31, 1),
        "mention-wave": (48, 60, 9, 11),
        "repeated-text": (31, 70, 0, 0),
        "reply-spam": (0, 37, 0, 0),
        "phishing-bio": (12, 0, 6, 0),
    }
    number = 0
    for rule_id, (hits, shadow, kept, rejected) in figures.items():
        for account in range(hits):
            view.rule_stats.hits(f"7{account:05}", {rule_id: False}, now - 900)
        for account in range(shadow):
            view.rule_stats.hits(f"8{account:05}", {rule_id: True}, now - 4000)
        for outcome in ("kept",) * kept + ("rejected",) * rejected:
            number += 1
            report = OpenReport(str(50_000 + number), "700001", (rule_id,), now - 9000)
            view.rule_stats.filed(report, now)
            view.rule_stats.decided(report, outcome, {}, now - 500)  # type: ignore[arg-type]
    digest = load_rules(view.settings.rules_dir).digest
    for raw in view.redis.smembers("rq:workers"):
        view.redis.hset(raw.decode() if isinstance(raw, bytes) else raw, "rules", digest)


def _grown(view: View, now: float) -> None:
    """Leave a case that has grown, with weights that leave something to rounding, and a measure in force."""
    reasons = (
        CaseReason("casino-words", "Casino words", 3.25, False, "“free spins” in 4 posts"),
        CaseReason("mention-wave", "Mentions many strangers", 2.3333333, False, "31 people in 6 posts"),
        CaseReason("repeated-text", "The same text again", 1.5, True, "5 posts with one text"),
        CaseReason("link-farming", "Link farming", 4.0, False, "shop.example in 9 posts", past=True),
        CaseReason("gone-rule", "A rule that was taken away", 1.0, False, "“old”"),
    )
    view.cases.put(
        Case(GROWN_ID, "lucky.spin@casino.example", "https://casino.example/@lucky.spin", "report", 6.583333, 1.5,
             "filed", "report 2210 is open; added to its case: mention-wave", now - 240, reasons, "2210", "a1b2c3d4",
             ("9101", "9102", "9103"), 2, ("casino-words", "link-farming"), ("mention-wave", "gone-rule"))
    )  # fmt: skip
    view.rule_stats.filed(OpenReport("2210", GROWN_ID, ("casino-words", "link-farming"), now - 86_000), now + 600)
    view.measures.plan(AccountAction(GROWN_ID, "silence", "casino-words", "2210", "done", now - 85_000, now + 500_000))
    acct, weights = "lucky.spin@casino.example", {"casino-words": 3.25}
    filed = AuditEntry(
        now - 86_000, "judged", "filed", "the score reached the threshold", GROWN_ID, acct, "report", 7.25
    )
    view.audit.add(replace(filed, rules=weights, report_id="2210"))
    taken = AuditEntry(now - 85_990, "enforced", "silence", "for 7 days, as casino-words asks", GROWN_ID, acct)
    view.audit.add(replace(taken, rules=weights, report_id="2210"))


def _hostile(view: View, now: float) -> None:
    """Leave a case whose every text was written to break the page."""
    reasons = (
        CaseReason("casino-words", f"Rule {EVIL}", 6.0, False, f"{EVIL} {TURNED} {LONG}"),
        CaseReason(f"r{TURNED}", LONG, 2.0, True, TURNED),
    )
    view.cases.put(
        Case(HOSTILE_ID, f"a{TURNED}{EVIL}{LONG}@b.example", "javascript:alert(1)", "report", 6.0, 2.0, "filed",
             f"{EVIL} {LONG}", now - 50, reasons, "2211", EVIL, ("1", EVIL))
    )  # fmt: skip
    view.audit.add(AuditEntry(now - 50, "judged", "filed", f"{EVIL} {LONG}", HOSTILE_ID, f"a{TURNED}{EVIL}{LONG}",
                              "report", 6.0, 2.0, {"casino-words": 6.0}, {}, "2211"))  # fmt: skip
    view.audit.add(
        AuditEntry(now - 49, "action", f"did {EVIL}", f"{EVIL} {TURNED} {LONG}", by=f"mallory {EVIL}{TURNED}")
    )


def _look(view: View, now: float) -> None:
    """Keep a look at an account, as a judgement leaves it."""
    at = datetime.fromtimestamp(now, UTC)
    account = Account(
        LOOK_ID, "user83920174@spam.example", "user83920174", "spam.example", "Lucky", "<p>Casino bonus</p>",
        "https://spam.example/@user83920174", at - timedelta(hours=20), at - timedelta(hours=19), followers=0,
        following=410, statuses=3,
    )  # fmt: skip
    texts = ("Casino bonus 500% free spins https://spin.example/a",) * 3
    posts = tuple(
        Status(f"91{number}", LOOK_ID, at - timedelta(minutes=9 - number), f'<p>{text[:-22]}<a href="https://spin.example/a">x</a></p>',
               mentions=tuple(f"u{number}{one}" for one in range(6)))
        for number, text in enumerate(texts)
    )  # fmt: skip
    view.posts.remember(account, posts, now - 3600)


def _switched(view: View, now: float) -> None:
    alice = Actions(view, "alice on the dashboard")
    alice.set_dry_run(on=True)
    alice.set_dry_run(on=False)
    Actions(view, "root on the command line").pause_queue("low")
    view.rule_switches.drop("mention-wave", "11 of 20 decided reports were rejected", "precision", now - 7200)
    view.audit.add(AuditEntry(now - 7200, "dropped", "shadow", "precision: 11 of 20 decided reports were rejected",
                              rules={"mention-wave": 0.0}))  # fmt: skip
    for account in range(3):
        view.held.hold("mention-wave", f"70{account}", now - 600)
    view.rule_switches.drop(
        EVERY_RULE, "60 reports in an hour, as many as REPORTS_PER_HOUR allows", "breaker", now - 300
    )
    view.held.hold(EVERY_RULE, "700", now - 200)
    view.audit.add(
        AuditEntry(now - 300, "dropped", "paused", "breaker: 60 reports in an hour", rules={EVERY_RULE: 0.0})
    )
