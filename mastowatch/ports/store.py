"""The ports to what MastoWatch remembers. All of it may raise StoreUnavailable.

Times are passed in as epoch seconds; nothing here asks the hour.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from mastowatch.ports.types import (
    Account,
    AccountAction,
    AuditEntry,
    Case,
    Claim,
    Counters,
    Dropped,
    DroppedBy,
    Fate,
    Full,
    Look,
    OpenReport,
    Outcome,
    QueuePoint,
    Quota,
    Readings,
    RuleRecord,
    Sighting,
    Status,
    StreamNote,
    SwitchName,
    SwitchState,
    WebhooksSeen,
)


class Claims(Protocol):
    """Who may file the one open report on an account, and how far that got."""

    def get(self, account_id: str) -> Claim | None:
        """Return the claim, if there is one."""
        ...

    def plan(self, account_id: str, marker: str, now: float) -> Claim:
        """Return the existing claim, or plan a new one with ``marker``, in one atomic step."""
        ...

    def steady_since(self, now: float) -> float:
        """Return since when the store has not been restarted, as far as anybody noticed; 0: never was.

        One that was may have come back from an older copy: claims may be lost whose reports are under way.
        """
        ...

    def send(self, expect: Claim, sending: Claim) -> Claim | None:
        """Move to ``sending`` (state ``sent``) if the claim is still ``expect``; None when someone else was first.

        None as well when the store was restarted and nobody has asked for ``steady_since`` after it.
        """
        ...

    def filed(self, claim: Claim, report_id: str, now: float) -> None:
        """Record that Mastodon has the report of ``claim``: whatever stands there, this is the truth now.

        Only a claim of a later generation stays: it is about a report that came after.
        """
        ...

    def failed(self, claim: Claim, reason: str, now: float) -> None:
        """Record that nothing was filed, unless another owner has taken over since or has filed it."""
        ...


class Cursors(Protocol):
    """How far each walk has come; a cursor outlives restarts."""

    def get(self, name: str) -> str | None:
        """Return the id the walk ``name`` has reached."""
        ...

    def set(self, name: str, value: str) -> None:
        """Remember it."""
        ...

    def clear(self, name: str) -> None:
        """Forget it: the next walk begins at its start."""
        ...


class RecentPosts(Protocol):
    """How the accounts judged of late looked, with their public and unlisted posts: what new rules are tried on.

    Bounded in posts and in days; the oldest looks go first.
    """

    def remember(self, account: Account, statuses: Iterable[Status], now: float) -> None:
        """Keep this look at the account in place of the one before; boosts and other posts are left out."""
        ...

    def since(self, at: float) -> Iterator[Look]:
        """Yield the looks taken at or after ``at``, the oldest first."""
        ...

    def get(self, account_id: str) -> Look | None:
        """Return the look at an account, if it is kept."""
        ...

    def find(self, acct: str) -> Look | None:
        """Return the look at the account of this name (``name`` or ``name@domain``), if it is kept; case aside."""
        ...

    def count(self) -> tuple[int, int]:
        """Return how many looks and posts are kept."""
        ...


class RuleStats(Protocol):
    """What each rule has hit, and what moderators made of its reports."""

    def hits(self, account_id: str, shadow_by_rule: Mapping[str, bool], now: float) -> None:
        """Count the account for the rules that hit it, each account once; True where the rule was in shadow."""
        ...

    def filed(self, report: OpenReport, look_at: float) -> bool:
        """Count a report for its rules, and plan to look at ``look_at`` what became of it; False: it is known."""
        ...

    def due(self, now: float, limit: int) -> tuple[OpenReport, ...]:
        """Return the reports to look at by now, the longest due first."""
        ...

    def look_again(self, report_id: str, at: float) -> None:
        """Plan the next look at a report that is still open."""
        ...

    def decided(self, report: OpenReport, outcome: Outcome, rearmed_at: Mapping[str, float], now: float) -> bool:
        """Count the outcome for the report's rules, once and in one step; False: it was counted before.

        ``rearmed_at`` tells when each of them was last re-armed: what was filed before says nothing on it now.
        """
        ...

    def read(self, rule_ids: Iterable[str]) -> Mapping[str, RuleRecord]:
        """Return the record of each rule; an empty one of those that never hit."""
        ...

    def fates(self, report_ids: Iterable[str]) -> Mapping[str, Fate]:
        """Return what became of each report; those that are not known are left out."""
        ...

    def open_reports(self) -> int:
        """Return how many reports are yet to be decided on."""
        ...


class Locks(Protocol):
    """Short-lived locks with an owner: only the owner releases, and a dead owner's lock runs out."""

    def acquire(self, name: str, owner: str, ttl_s: float) -> bool:
        """Return True if ``owner`` now holds ``name``, for ``ttl_s`` seconds from now; call again to hold it longer."""
        ...

    def release(self, name: str, owner: str) -> None:
        """Release it if ``owner`` still holds it."""
        ...


class Judged(Protocol):
    """What an account looked like when it was last judged, so that an unchanged one costs no request."""

    def fingerprints(self, account_ids: Iterable[str]) -> dict[str, str]:
        """Return the known fingerprints by account id."""
        ...

    def remember(self, account_id: str, fingerprint: str) -> None:
        """Keep it for a week."""
        ...


class HandedOn(Protocol):
    """Which posts were handed on for judgement lately, so that a second sight of one leads to nothing."""

    def fresh(self, versions: Iterable[str]) -> set[str]:
        """Return those that are not remembered."""
        ...

    def remember(self, versions: Iterable[str], now: float) -> None:
        """Keep them for two hours; bounded in number, the oldest go first."""
        ...


class Cases(Protocol):
    """The latest judgements, bounded in number."""

    def put(self, case: Case) -> None:
        """Store the account's one case, replacing the one before."""
        ...

    def get(self, account_id: str) -> Case | None:
        """Return the case of an account."""
        ...

    def latest(self, limit: int, offset: int = 0) -> tuple[Case, ...]:
        """Return the cases judged last, newest first."""
        ...

    def older(self, than: tuple[float, str] | None, limit: int) -> tuple[Case, ...]:
        """Return the cases that stand after one (when it was judged, its account), newest first; from the first."""
        ...

    def count(self) -> int:
        """Return how many cases are kept."""
        ...


class Switches(Protocol):
    """The panic stop and the dry run, as set by a person at run time. The settings may turn on either as well."""

    def panic_stop(self) -> bool:
        """Return whether it is on; raises StoreUnavailable when that can't be read: the caller stops."""
        ...

    def set_panic_stop(self, *, on: bool, by: str, now: float) -> None:
        """Switch it, recording who did it and when."""
        ...

    def describe_panic_stop(self) -> str:
        """Return "off" or "on since ... by ..." for people."""
        ...

    def dry_run(self) -> bool:
        """Return whether reports are only rehearsed; raises StoreUnavailable when that can't be read: files none."""
        ...

    def set_dry_run(self, *, on: bool, by: str, now: float) -> None:
        """Switch it, recording who did it and when."""
        ...

    def state(self, name: SwitchName) -> SwitchState | None:
        """Return how a switch stands and who turned it last; None: nobody ever has, so it is off."""
        ...


class Campaigns(Protocol):
    """Which accounts have something in common, each thing as long as its window and bounded in number."""

    def note(self, sightings: Iterable[Sighting], account_id: str, now: float) -> Mapping[Sighting, tuple[str, ...]]:
        """Note what the account shows; return who showed each of them within its window, itself included.

        At most 200 sightings are looked at, and the newest 500 accounts of each kept.
        """
        ...

    def seen(self, sightings: Iterable[Sighting], now: float) -> Mapping[Sighting, tuple[str, ...]]:
        """Return who showed each of them within its window; notes nothing, for whoever only looks."""
        ...

    def woken(self, sightings: Iterable[Sighting]) -> frozenset[Sighting]:
        """Return those whose first accounts were queued again, within the window."""
        ...

    def wake(self, sighting: Sighting, queue: Callable[[], None]) -> None:
        """Call ``queue``, which queues the first accounts again, and then remember that it was done.

        In this order: whoever dies in between has them queued twice, not never.
        """
        ...


class Tally(Protocol):
    """Counters over all processes: accounts seen, judged, reported, API requests by purpose."""

    def add(self, name: str, amount: int = 1) -> None:
        """Count."""
        ...

    def add_all(self, amounts: Counters) -> None:
        """Count all of these, or, when this fails, none."""
        ...

    def read(self) -> Counters:
        """Return all counters."""
        ...


class History(Protocol):
    """A bounded time series of each queue."""

    def record(self, points: Iterable[QueuePoint]) -> None:
        """Append points; the oldest fall off."""
        ...

    def recent(self, queue: str, limit: int) -> tuple[QueuePoint, ...]:
        """Return the newest points, oldest first."""
        ...


class RuleSwitches(Protocol):
    """Which rules count apart, as if they were in shadow, until a person re-arms them; set at run time."""

    def shadowed(self) -> Mapping[str, Dropped]:
        """Return the dropped rules by id."""
        ...

    def paused(self) -> Dropped | None:
        """Return why all reporting is paused, or None: it isn't."""
        ...

    def drop(self, rule_id: str, why: str, by: DroppedBy, now: float) -> bool:
        """Drop a rule, or pause all reporting (EVERY_RULE); False if that is so already, and stays as it was."""
        ...

    def rearm(self, rule_id: str, now: float) -> bool:
        """Let the rule (EVERY_RULE: all reporting) count again; False if it does already."""
        ...

    def rearmed_at(self, rule_id: str) -> float:
        """Return when a person last re-armed it (epoch seconds), or 0."""
        ...

    def rearmed(self) -> frozenset[str]:
        """Return what a person has ever re-armed: ids of rules, EVERY_RULE for all reporting."""
        ...

    def untold(self) -> tuple[Dropped, ...]:
        """Return what has been dropped, the pause of all reporting included, and no alert has gone out about."""
        ...

    def told(self, dropped: Dropped) -> None:
        """Remember that the alert about it has gone out."""
        ...


class Quotas(Protocol):
    """Counts reports before they are filed, in sliding windows."""

    def take(self, key: str, quotas: Sequence[Quota], now: float) -> tuple[Full, ...]:
        """Count the report ``key`` in each quota, in one atomic step, or in none and return those that are full.

        Counted once however often it is asked about: what was counted already is never refused.
        """
        ...

    def clear(self, scope: str) -> None:
        """Begin anew: nothing is counted in ``scope``."""
        ...


class Held(Protocol):
    """Accounts that a breaker has kept from being reported: they are judged again when it is re-armed."""

    def hold(self, scope: str, account_id: str, now: float) -> None:
        """Keep it; past a bound the one that was held longest ago falls off."""
        ...

    def waiting(self, scope: str) -> Mapping[str, float]:
        """Return when each account was held last, by its id, longest ago first."""
        ...

    def release(self, scope: str, account_id: str, held_at: float) -> None:
        """Forget it, unless it was held anew after ``held_at``."""
        ...


class Audit(Protocol):
    """Every decision, also not to act; the oldest fall off."""

    def add(self, entry: AuditEntry) -> None:
        """Append it."""
        ...

    def recent(self, limit: int) -> tuple[AuditEntry, ...]:
        """Return the newest entries, newest first."""
        ...

    def older(self, than: str | None, limit: int) -> tuple[tuple[str, AuditEntry], ...]:
        """Return the entries before a place (None: from the newest), newest first, each with its own place."""
        ...

    def count(self) -> int:
        """Return how many entries are kept."""
        ...


class AccountActions(Protocol):
    """Measures against accounts, one an account at a time, until they are undone."""

    def get(self, account_id: str) -> AccountAction | None:
        """Return the latest measure against the account."""
        ...

    def plan(self, action: AccountAction) -> AccountAction:
        """Plan it, in one atomic step, or return the one that stands: one not ended, or of the same report."""
        ...

    def move(self, expect: AccountAction, to: AccountAction) -> bool:
        """Exchange it if it still stands at ``expect``; False when someone else was first."""
        ...

    def due(self, now: float, limit: int) -> tuple[AccountAction, ...]:
        """Return those to be looked at: done and expired, or neither done nor ended ATTEND_S after their last step."""
        ...


class StreamNotes(Protocol):
    """How the public stream is read, from the process that reads it to all others."""

    def note(self, note: StreamNote) -> None:
        """Replace the note before; it is forgotten after a minute without a new one."""
        ...

    def read(self) -> StreamNote | None:
        """Return the last note; None while no process reads the stream."""
        ...


class WebhookNotes(Protocol):
    """When Mastodon's webhooks were last heard of, from the process that takes them in to all others."""

    def note(self, seen: WebhooksSeen) -> None:
        """Remember the last one that was taken in, and the last one that was refused; where there is none, keep it."""
        ...

    def read(self) -> WebhooksSeen:
        """Return what is known."""
        ...


class Watching(Protocol):
    """What stands in Redis beside jobs, read at once."""

    def read(self, now: float) -> Readings:
        """Return it in few round trips, without writing; what can't be read is left out, and named."""
        ...
