"""The frozen values that cross every port: what the world looks like to MastoWatch.

Ids are Mastodon's own, as strings. Times are aware datetimes in UTC. Texts ending in ``_html`` are HTML as
Mastodon serves it, everything else is plain text. No e-mail address, IP or private post fits into any of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Origin = Literal["local", "remote"]
Visibility = Literal["public", "unlisted", "private", "direct"]
Category = Literal["spam", "violation", "legal", "other"]


@dataclass(frozen=True, slots=True)
class Field:
    """One row of a profile's table; ``value_html`` often holds a link."""

    name: str
    value_html: str


@dataclass(frozen=True, slots=True)
class Account:
    """A public profile with what moderation needs to know of it.

    ``domain`` is None for a local account. ``acct`` is ``name`` or ``name@domain``. ``discovered_at`` is when
    this server first saw the account, read from its id; None where ids carry no time.
    ``staff`` is true when its role highlights it or grants any moderation right.
    """

    id: str
    acct: str
    username: str
    domain: str | None
    display_name: str
    note_html: str
    url: str
    created_at: datetime
    discovered_at: datetime | None = None
    last_status_at: datetime | None = None
    fields: tuple[Field, ...] = ()
    followers: int = 0
    following: int = 0
    statuses: int = 0
    bot: bool = False
    staff: bool = False
    suspended: bool = False
    silenced: bool = False
    sensitized: bool = False
    disabled: bool = False

    @property
    def origin(self) -> Origin:
        """Where the account lives."""
        return "local" if self.domain is None else "remote"


@dataclass(frozen=True, slots=True)
class Media:
    """An attachment; ``blurhash`` tells near-identical pictures, ``description`` is its alt text."""

    kind: str
    description: str = ""
    blurhash: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """One public or unlisted post. ``mentions`` are accts, ``tags`` are names without the #."""

    id: str
    account_id: str
    created_at: datetime
    content_html: str = ""
    spoiler_text: str = ""
    visibility: Visibility = "public"
    language: str | None = None
    url: str = ""
    in_reply_to_account_id: str | None = None
    mentions: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    media: tuple[Media, ...] = ()
    reblog: bool = False


@dataclass(frozen=True, slots=True)
class Sighted:
    """A post as the public timeline or the stream shows it, with its author. ``version`` is another after an edit."""

    status: Status
    account: Account
    version: str


@dataclass(frozen=True, slots=True)
class AccountPage:
    """One page of accounts, newest id first. ``limit`` is the page size asked for, ``full`` if more may follow."""

    accounts: tuple[Account, ...]
    full: bool


@dataclass(frozen=True, slots=True)
class Look:
    """An account with its posts as they were when it was judged, ``at`` (epoch seconds)."""

    account: Account
    statuses: tuple[Status, ...]
    at: float


# What became of a report: moderators acted on it, closed it without, or it can't be told any more.
Outcome = Literal["kept", "rejected", "unknown"]


@dataclass(frozen=True, slots=True)
class OpenReport:
    """A report of ours that waits for a moderator, and the rules that it names. ``filed_at``: epoch seconds.

    ``status_id`` is the first of the attached posts, "" where none was attached. ``before`` are the measures that were
    in force on the account already.
    """

    report_id: str
    account_id: str
    rule_ids: tuple[str, ...]
    filed_at: float
    status_id: str = ""
    before: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a report of ours so far: still open, or decided on. Times are epoch seconds, 0 for not yet."""

    report_id: str
    outcome: Literal["open"] | Outcome
    filed_at: float
    decided_at: float = 0.0
    rule_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RuleRecord:
    """What a rule has done so far. ``hits`` and ``shadow_hits`` are different accounts, with 1 % of error or less.

    ``kept`` and ``rejected`` are reports that moderators decided on; those ``_since`` were filed after ``since``, when
    the rule was last re-armed. Times are epoch seconds, 0 for never.
    """

    rule_id: str
    hits: int = 0
    shadow_hits: int = 0
    reports: int = 0
    kept: int = 0
    rejected: int = 0
    last_hit_at: float = 0.0
    since: float = 0.0
    kept_since: int = 0
    rejected_since: int = 0

    @property
    def precision(self) -> float | None:
        """Which part of the decided reports was kept; None before the first decision."""
        return _share(self.kept, self.rejected)

    def decided_since(self, rearmed_at: float) -> int:
        """Return how many reports filed after ``rearmed_at`` were decided on."""
        return self.kept_since + self.rejected_since if self.since == rearmed_at else 0

    def precision_since(self, rearmed_at: float) -> float | None:
        """Return the precision of the reports filed after ``rearmed_at``; None where none was decided on."""
        return _share(self.kept_since, self.rejected_since) if self.since == rearmed_at else None


def _share(kept: int, rejected: int) -> float | None:
    return kept / (kept + rejected) if kept + rejected else None


@dataclass(frozen=True, slots=True)
class ReportRequest:
    """What to file. ``comment`` is at most 1,000 characters and ends with the marker of its claim."""

    account_id: str
    comment: str
    marker: str
    status_ids: tuple[str, ...] = ()
    category: Category = "spam"
    rule_ids: tuple[str, ...] = ()
    forward: bool = False


@dataclass(frozen=True, slots=True)
class Receipt:
    """Mastodon's own id of a filed report."""

    report_id: str
    status_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FiledReport:
    """A report as Mastodon keeps it. ``comment`` is told only of the bot's own: what people wrote is theirs.

    ``in_force`` are the measures in force on its target by now, "disable" among them. ``resolved_by`` is the account
    that resolved it, "" where the server doesn't tell.
    """

    id: str
    by_account_id: str
    target_account_id: str
    comment: str
    created_at: datetime
    resolved: bool
    resolved_at: datetime | None = None
    in_force: frozenset[str] = frozenset()
    status_ids: tuple[str, ...] = ()
    resolved_by: str = ""


ClaimState = Literal["planned", "sent", "filed", "failed"]


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to file the one open report on an account; see docs/explanation/filing-once.md.

    ``marker`` goes into the comment, so that the report can be found again. ``generation`` counts the reports that
    the account was given, one after another was resolved. ``rules`` are in the report, ``reported_at`` is when it was
    sent: what is not among the one and newer than the other is new. ``reason`` tells why it failed; of a report found
    at Mastodon that nobody here knew of, which measure it announced. Times are epoch seconds.
    """

    account_id: str
    marker: str
    state: ClaimState
    changed_at: float
    owner: str = ""
    report_id: str = ""
    reason: str = ""
    generation: int = 1
    rules: tuple[str, ...] = ()
    reported_at: float = 0.0


Same = Literal["link_host", "template", "media", "name"]


@dataclass(frozen=True, slots=True)
class Sighting:
    """Something that an account shows, and that makes a campaign if several accounts do ``within_s`` seconds.

    ``value`` is shown in evidence: a link host; "" for what must not be told. ``at`` (epoch seconds) is when it was
    shown; it doesn't tell sightings apart.
    """

    rule_id: str
    same: Same
    value_hash: str
    value: str
    within_s: float
    at: float = field(default=0.0, compare=False)


CaseOutcome = Literal["watched", "rehearsed", "filed", "exempt", "gone", "refused", "held"]


@dataclass(frozen=True, slots=True)
class CaseReason:
    """One line of a verdict: a rule that hit, what it weighs, and the evidence a moderator can read.

    ``past``: it hit before, and the latest verdict no longer has it; it does not count in the score.
    """

    rule_id: str
    rule_name: str
    weight: float
    shadow: bool
    evidence: str
    past: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """The latest judgement of one account, kept for the dashboard and the API. ``judged_at``: epoch seconds.

    While its report is open the case grows: ``reported`` are the rules in the report, ``later`` those that hit since.
    ``generation`` counts the account's reports, ``resolved``: the latest was closed when we last looked.
    """

    account_id: str
    acct: str
    url: str
    level: Literal["none", "watch", "report"]
    score: float
    shadow_score: float
    outcome: CaseOutcome
    why: str
    judged_at: float
    reasons: tuple[CaseReason, ...] = ()
    report_id: str = ""
    marker: str = ""
    status_ids: tuple[str, ...] = ()
    generation: int = 0
    reported: tuple[str, ...] = ()
    later: tuple[str, ...] = ()
    resolved: bool = False


@dataclass(frozen=True, slots=True)
class QueuePoint:
    """One point of a queue's history. ``at`` and ages in seconds; finished and failed are totals so far."""

    at: float
    queue: str
    depth: int
    oldest_s: float
    started: int
    finished: int
    failed: int
    workers: int


Counters = Mapping[str, int]

# Who has switched a rule to shadow: its breaker, or what the moderators decided on its reports.
DroppedBy = Literal["breaker", "precision"]
# Stands where a rule's id does, for reporting by all rules together; no rule can have this id.
EVERY_RULE = "*"


@dataclass(frozen=True, slots=True)
class Dropped:
    """A rule that counts apart as if it were in shadow, until a person re-arms it. ``at``: epoch seconds."""

    rule_id: str
    why: str
    by: DroppedBy
    at: float


@dataclass(frozen=True, slots=True)
class Quota:
    """At most so many reports of a scope (a rule's id, or EVERY_RULE) in any hour, and in any 24 hours."""

    scope: str
    per_hour: int
    per_day: int


@dataclass(frozen=True, slots=True)
class Full:
    """A quota that has nothing left in a window."""

    scope: str
    window: Literal["hour", "day"]
    limit: int


# What may be done to an account beyond reporting it, the mildest first.
Measure = Literal["sensitive", "silence", "suspend"]
ActionState = Literal["planned", "sent", "acted", "done", "undoing", "undone", "left", "failed"]


@dataclass(frozen=True, slots=True)
class AccountAction:
    """A measure that a report brought about, and how far it and its undoing got; see docs/explanation/enforcement.md.

    ``others`` are the measures that were in force already, ``reopen`` the reports that were open before it: Mastodon
    resolves them with it. ``why`` tells how it ended. Times are epoch seconds.
    """

    account_id: str
    measure: Measure
    rule_id: str
    report_id: str
    state: ActionState
    changed_at: float
    expires_at: float
    others: tuple[str, ...] = ()
    reopen: tuple[str, ...] = ()
    why: str = ""

    @property
    def ended(self) -> bool:
        """Whether nothing is left to be done."""
        return self.state in ("undone", "left", "failed")


AuditEvent = Literal["judged", "annotated", "dropped", "rearmed", "enforced", "undone", "action"]


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One decision, also one not to act: on an account, or on a rule (then ``account_id`` is ""). No text of a post.

    ``rules`` and ``shadow_rules`` are the weights of those that hit, by id. ``at``: epoch seconds. Of a person's
    ``action``, ``outcome`` says what was done, ``why`` to what (ids only), and ``by`` who did it.
    """

    at: float
    event: AuditEvent
    outcome: str
    why: str
    account_id: str = ""
    acct: str = ""
    level: str = ""
    score: float = 0.0
    shadow_score: float = 0.0
    rules: Mapping[str, float] = field(default_factory=dict)
    shadow_rules: Mapping[str, float] = field(default_factory=dict)
    report_id: str = ""
    by: str = ""


SwitchName = Literal["panic_stop", "dry_run"]


@dataclass(frozen=True, slots=True)
class SwitchState:
    """How a switch stands, who turned it last, and when (epoch seconds; 0 where that can't be read)."""

    on: bool
    by: str
    at: float


@dataclass(frozen=True, slots=True)
class StreamNote:
    """How the public stream is read, told every few seconds by the process that reads it.

    ``lag_s`` is the age of the freshest post since the note before, None where none came; ``post_at`` is when a post
    last came in, 0 for never. Times are epoch seconds.
    """

    at: float
    connected: bool
    covering: bool
    lag_s: float | None = None
    post_at: float = 0.0


@dataclass(frozen=True, slots=True)
class WebhooksSeen:
    """When a webhook was last taken in, of which ``event``; when one was last refused, and ``why``, in words of ours.

    Times are epoch seconds, 0 for never.
    """

    taken_at: float = 0.0
    event: str = ""
    refused_at: float = 0.0
    why: str = ""


@dataclass(frozen=True, slots=True)
class FamilyUse:
    """How much of a family is used up in the present window, which ends at ``resets_at`` (epoch seconds)."""

    family: str
    used: int
    limit: int
    resets_at: float


@dataclass(frozen=True, slots=True)
class Durations:
    """How long Mastodon took to answer requests of a purpose: requests up to each bound in seconds, and the sum."""

    purpose: str
    up_to: tuple[tuple[str, int], ...]
    sum_s: float


@dataclass(frozen=True, slots=True)
class Readings:
    """What stands in Redis beside jobs, at one moment, for those who watch over MastoWatch.

    ``held`` are accounts kept back by scope, ``running`` processes by (kind, version), ``memory`` is in bytes (used,
    most; 0: no limit), None where Redis does not tell it. ``unreadable`` names what could not be read.
    """

    tally: Counters
    durations: tuple[Durations, ...]
    answers: Mapping[str, int]
    budget: tuple[FamilyUse, ...]
    blocked_until: float
    panic_stop: bool
    dry_run: bool
    dropped: tuple[str, ...]
    held: Mapping[str, int]
    rules: tuple[RuleRecord, ...]
    open_reports: int
    stream: StreamNote | None
    layout: int
    running: Mapping[tuple[str, str], int]
    memory: tuple[int, int] | None
    unreadable: tuple[str, ...] = ()
