"""Every error that MastoWatch raises on purpose, in one tree.

Adapters turn foreign errors into these and keep the cause (``raise ... from error``).
Times are seconds since the epoch, UTC.
"""

from __future__ import annotations


class MastoWatchError(Exception):
    """The root: catch it to catch all that MastoWatch raises on purpose."""


class ConfigError(MastoWatchError):
    """A setting is wrong; the text names source, key, value and what is allowed, in one line."""


class RuleError(MastoWatchError):
    """A rule can't be used; names the file, the key, and what to do.

    ``file`` is the rule's file name, ``key`` the dotted path inside it ("status.pattern"), or "" for the file.
    """

    def __init__(self, file: str, key: str, problem: str, hint: str = "") -> None:
        self.file, self.key, self.problem, self.hint = file, key, problem, hint
        where = f"{file}: {key}" if key else file
        super().__init__(f"{where}: {problem}" + (f" ({hint})" if hint else ""))


class RuleErrors(ExceptionGroup[RuleError], MastoWatchError):
    """All that is wrong with a set of rules, one RuleError for each fault."""

    @property
    def faults(self) -> tuple[RuleError, ...]:
        """The errors, without any grouping."""
        return tuple(one for one in self.exceptions if isinstance(one, RuleError))

    def __str__(self) -> str:
        return "; ".join(map(str, self.exceptions))


class StoreUnavailable(MastoWatchError):
    """Redis did not answer or refused; what was asked may or may not have happened."""


class LayoutUnready(StoreUnavailable):
    """The keys in Redis are of an older layout, or between two: nothing may be touched until they are migrated."""


class LayoutNewer(MastoWatchError):
    """The keys in Redis are of a layout that this version does not know; it must not touch them."""


class Stopped(MastoWatchError):
    """The panic stop is on, or a switch can't be read, which counts as that."""


class Deferred(MastoWatchError):
    """The work can't be done now and should be tried again at ``retry_at`` (epoch seconds)."""

    def __init__(self, message: str, retry_at: float) -> None:
        self.retry_at = retry_at
        super().__init__(message)


class BudgetExhausted(Deferred):
    """The shared budget of API requests has nothing left for this kind of work until ``retry_at``."""


class AccountBusy(Deferred):
    """Another worker judges the same account right now."""


class Uncountable(Deferred):
    """What must be counted before acting can't be: it counts as full, and nothing is done."""


class FilingInDoubt(Deferred):
    """A report was sent and its answer is unknown; it is looked up at Mastodon after ``retry_at``."""


class RehearsalBegun(MastoWatchError):
    """The dry run was turned on while an account was judged: judge again, and file nothing."""


class RuleDropped(MastoWatchError):
    """A rule that the verdict counts on has been dropped to shadow: judge again without it."""


class ReportingPaused(MastoWatchError):
    """All reporting is paused by its breaker until a person re-arms it; the text says why."""


class AlertNotSent(MastoWatchError):
    """An alert did not reach its address; it is tried again."""


class ActionInDoubt(Deferred):
    """An action was sent and its answer is unknown, or another worker takes it; it is looked up after ``retry_at``."""


class MastodonError(MastoWatchError):
    """A request to Mastodon did not give what was asked for."""


class MastodonUnreachable(MastodonError):
    """No usable answer: connection refused, time out, cut body, or a 5xx. A write may have happened."""


class MastodonRateLimited(MastodonError, BudgetExhausted):
    """Mastodon answered 429; nothing may be asked of it before ``retry_at``."""


class MastodonAuthError(MastodonError):
    """The access token is revoked or lacks a scope or a role; the text says which one to add."""


class MastodonNotFound(MastodonError):
    """The account, post or report is gone, suspended, or not visible to the bot."""


class MastodonRefused(MastodonError):
    """Mastodon understood the request and refused it (4xx other than 401, 403, 404, 429)."""
