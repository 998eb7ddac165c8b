"""``mastowatch stream``: reads the public stream of posts and hands on what some rule wants to see more of.

What may have been missed, by a break, an outage of Redis or the panic stop, a look at the timeline makes good: see
``jobs/timeline.py``.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from redis import Redis
from redis.exceptions import RedisError

from mastowatch import metrics
from mastowatch.config import Loaded
from mastowatch.domain.ruleset import RuleSet
from mastowatch.errors import Stopped, StoreUnavailable
from mastowatch.jobs import context as contexts
from mastowatch.jobs import sifting
from mastowatch.jobs.context import Context
from mastowatch.jobs.holding import Hold
from mastowatch.jobs.rule_reload import RuleFiles
from mastowatch.jobs.timeline import Coverage
from mastowatch.logs import event
from mastowatch.ports.stream import PublicStream
from mastowatch.ports.types import Sighted, StreamNote
from mastowatch.processes.layout import Agreement
from mastowatch.processes.loop import Loop
from mastowatch.processes.notify import Notifier, clock_time
from mastowatch.processes.patience import Patience
from mastowatch.processes.reloading import OF_REDIS, Reloader

log = logging.getLogger(__name__)

IDLE_S = 0.25
BOOKS_S = 5.0  # how often it is told in Redis how far all is seen
STANDBY_S = 2.0
LEAD_S = 20.0  # a stream that died stands in the way of another for so long
RETRY_MAX_S, REFUSED_RETRY_S = 60.0, 900.0
# The server says that it streams a moment before it does.
SETTLE_S = 2.0
_OF_CONNECTION = ("instance_base", "stream_base", "public_posts", "access_token_file", "user_agent")


def run(loaded: Loaded) -> None:
    """Read the stream until SIGTERM; then hand on what is held, and leave.

    Raises ConfigError or a rule error at the start; a bad file at a reload only leaves the old ones in force.
    """
    redis, notifier = contexts.connect(loaded, waits=False), Notifier()
    files = RuleFiles(loaded.settings.rules_dir)
    reading = Reading(loaded, contexts.build(loaded, redis))
    reloader = Reloader(loaded, lambda found: _adopt(found, redis, reading, files), OF_REDIS)
    which, rules = loaded.settings.public_posts, len(reading.context.rules)
    event(log, logging.INFO, "stream_started", posts=which, instance_base=loaded.settings.instance_base, rules=rules)

    def step() -> bool:
        if files.changed():
            reading.take_rules(files.read(reading.context.settings.rules_dir, reading.context.rules))
        return reading.step()

    with Agreement(redis, "stream", alive=notifier.alive) as agreement:
        Loop(
            agreement.guard(step),
            notifier=notifier,
            describe=reading.describe,
            idle_s=IDLE_S,
            reload=reloader.reload,
            ready=reading.ready,
        ).run()
        reading.leave()
        event(log, logging.INFO, "stream_stopped", posts_seen=reading.seen, posts_handed_on=reading.handed_on)


def _adopt(loaded: Loaded, redis: Redis, reading: Reading, files: RuleFiles) -> None:
    """Put settings and the rules on disk in force; bad rules are named and leave the old ones in force."""
    before = reading.context.rules
    context = contexts.build(loaded, redis, before)
    reading.adopt(loaded, replace(context, rules=files.read(loaded.settings.rules_dir, before)))


class Line:
    """The connection, made anew after each end, with patience."""

    def __init__(self, connect: Callable[[], PublicStream], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._connect, self._clock = connect, clock
        self._stream: PublicStream | None = None
        self._patience = Patience(RETRY_MAX_S)
        self._next = 0.0
        self._broken_at: float | None = None
        self._refused = ""
        self._told_open = False
        self.trouble = ""

    @property
    def stream(self) -> PublicStream | None:
        """The connection, if it is open."""
        return self._stream if self._stream is not None and self._stream.is_open else None

    def tend(self) -> None:
        """Make a connection if there is none and it is time, and note the end of one."""
        if self._stream is None:
            if self._clock() >= self._next:
                self._stream, self._told_open = self._connect(), False
            return
        if self._stream.is_open and not self._told_open:
            self._tell_open()
        end = self._stream.end
        if end is None:
            return
        self._stream = None
        pause = self._patience.next_s()
        if end.kind == "refused":
            pause = REFUSED_RETRY_S
            self._tell_refused(end.why)
        else:
            self._tell_broken(end.why, pause)
        self._next = self._clock() + pause
        again = clock_time(time.time() + pause)
        self.trouble = f"{'Refused' if end.kind == 'refused' else 'Not connected'}: {end.why}; next try at {again}"

    def went_well(self) -> None:
        """Note that a post came in: the next break is a new one."""
        self._patience.reset()

    def cut(self) -> None:
        """End the connection, and make a new one at once."""
        if self._stream is not None:
            self._stream.close()
        self._stream, self._next, self._refused = None, 0.0, ""

    def _tell_open(self) -> None:
        away_s = self._clock() - self._broken_at if self._broken_at is not None else 0.0
        event(log, logging.INFO, "stream_connected", away_s=round(away_s, 1))
        self._told_open, self._broken_at, self._refused, self.trouble = True, None, "", ""

    def _tell_broken(self, why: str, pause: float) -> None:
        if self._broken_at is None:
            self._broken_at = self._clock()
            event(log, logging.WARNING, "stream_broken", why=why, retry_s=round(pause, 1))

    def _tell_refused(self, why: str) -> None:
        """Say it once, however often it is tried again."""
        if why != self._refused:
            hint = "until it is, looks at the timeline are made instead (POLL_PUBLIC_TIMELINE_INTERVAL)"
            event(log, logging.ERROR, "stream_refused", why=why, retry_s=round(REFUSED_RETRY_S), hint=hint)
        self._refused = why
        self._broken_at = self._clock() if self._broken_at is None else self._broken_at


class Reading:
    """What the process does: one ``step`` takes what has come in, and sees to what is due."""

    def __init__(
        self,
        loaded: Loaded,
        context: Context,
        *,
        connect: Callable[[Loaded], PublicStream] = contexts.open_stream,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.context, self._loaded, self._clock = context, loaded, clock
        self._owner = uuid.uuid4().hex
        self._lead = f"stream:{context.settings.public_posts}"
        self._coverage = Coverage(context, self._owner)
        self._hold = Hold()
        self._line = Line(lambda: connect(self._loaded), clock=clock)
        self._leading = self._covering = False
        # Since when, on the clock of the context, nothing has been missed; None while there is no connection.
        self._since: float | None = None
        self._stopped = self._full = ""
        self._next_books = 0.0
        self.seen = self.handed_on = self._counted = 0
        # Of the posts since the books were last kept, the age of the freshest; and when a post last came in.
        self._lag_s: float | None = None
        self._post_at = 0.0

    def ready(self) -> bool:
        """Tell whether it reads, or knows why it can't."""
        return self._line.stream is not None or bool(self._line.trouble) or not self._leading

    def step(self) -> bool:
        """Take what has come in; return whether there was anything. Raises when Redis is away: nothing is lost then."""
        stream = self._connected() if self._leading else None
        if stream is None:
            self._missed(None)
        else:
            if self._since is None:
                self._since = self.context.clock() + SETTLE_S
            self._sift(stream.take(IDLE_S))
        # While Redis is away these two raise, and what came in is held.
        self._hand_on()
        self._keep_books()
        return stream is not None

    def describe(self) -> str:
        """Return what it does, for an admin."""
        done = f"{self.seen} posts seen, {self.handed_on} handed on; {len(self.context.rules)} rules"
        if not self._leading:
            return f"Standing by: another stream reads; {done}"
        if self._line.stream is None:
            return f"{self._line.trouble or 'Connecting'}; {done}"
        state = "Reading" if self._covering else "Reading; a look at the timeline fills the gap"
        state = self._stopped or (f"Nothing is handed on: {self._full}" if self._full else state)
        return f"{state}; {done}"

    def adopt(self, loaded: Loaded, context: Context) -> None:
        """Put settings and rules in force; connects anew where the settings ask for other posts or another server."""
        before = self._loaded.settings
        self.context, self._loaded = context, loaded
        same = all(getattr(before, name) == getattr(loaded.settings, name) for name in _OF_CONNECTION)
        if not same:
            self._missed(None)
            with suppress(StoreUnavailable):  # the lock runs out by itself
                self._let_others_lead()
            self._leading = False
            self._lead = f"stream:{context.settings.public_posts}"
        if not same or self._line.stream is None:
            self._line.cut()
        self._coverage = Coverage(context, self._owner)
        self._next_books = 0.0

    def take_rules(self, rules: RuleSet) -> None:
        """Screen by these rules from now on."""
        self.context = replace(self.context, rules=rules)

    def leave(self) -> None:
        """Hand on what is held, say how far all is seen, and make room for another."""
        try:
            self._hand_on(all_of_them=True)
            self._next_books = 0.0
            self._keep_books()
            self._coverage.end()
            self._let_others_lead()
        except (RedisError, StoreUnavailable) as error:
            # The mark in Redis stands where it stood: the next life begins with a look from there.
            event(log, logging.WARNING, "stream_left_posts", posts=len(self._hold), error=type(error).__name__)
        self._line.cut()

    def _connected(self) -> PublicStream | None:
        self._line.tend()
        return self._line.stream

    def _sift(self, taken: list[Sighted]) -> None:
        if not taken:
            return
        self.seen += len(taken)
        self._note_lag(taken)
        self._line.went_well()
        if self._stopped:
            return
        if not self._hold.add(sifting.wanted(self.context, taken), self._clock()):
            self._missed(self.context.clock())

    def _hand_on(self, *, all_of_them: bool = False) -> None:
        now = self._clock()
        ripe = self._hold.ripe(now, all_of_them=all_of_them)
        self._full = self.context.jobs.full() if ripe and not all_of_them else ""
        if self._full:
            # They stay held, and a look at the timeline makes good what finds no room here, or dies with us.
            self._missed(None if self._since is None else self.context.clock())
            return
        if not ripe or self._must_stop():
            return
        self.handed_on += sifting.hand_on(self.context, ripe)
        self._hold.let_go(ripe, now)

    def _keep_books(self) -> None:
        """Every few seconds: hold the lead, count, look at the panic stop, and tell how far all is seen."""
        if self._clock() < self._next_books:
            return
        self._leading = self.context.locks.acquire(self._lead, self._owner, LEAD_S)
        self._next_books = self._clock() + (BOOKS_S if self._leading else STANDBY_S)
        if not self._leading:
            self._line.cut()
        if self.seen > self._counted:
            self.context.tally.add(metrics.POSTS_SEEN, self.seen - self._counted)
            self._counted = self.seen
        now = self.context.clock()
        if not self._must_stop() and self._since is not None and self._since <= now:
            self._covering = self._coverage.extend(self._since, now)
        if self._leading:
            connected = self._line.stream is not None
            self.context.stream_notes.note(StreamNote(now, connected, self._covering, self._lag_s, self._post_at))
            self._lag_s = None

    def _note_lag(self, taken: list[Sighted]) -> None:
        self._post_at = self.context.clock()
        # Old posts come in as well, when another server delivers late; the freshest tells how far this one is behind.
        lag_s = max(0.0, self._post_at - max(one.status.created_at.timestamp() for one in taken))
        self._lag_s = lag_s if self._lag_s is None else min(lag_s, self._lag_s)

    def _must_stop(self) -> bool:
        """Look at the panic stop. While it is on nothing more is held; what is missed so is looked at after it."""
        try:
            self.context.ensure_running()
        except Stopped as error:
            if isinstance(error.__cause__, StoreUnavailable):
                raise error.__cause__ from error
            self._stopped = f"Stopped: {error}"
            self._missed(None if self._since is None else self.context.clock())
            return True
        self._stopped = ""
        return False

    def _missed(self, since: float | None) -> None:
        """Note that posts were missed; from ``since`` on none are (None: nobody knows)."""
        if self._covering:
            self._covering = False
            with suppress(StoreUnavailable):  # the lock runs out by itself
                self._coverage.end()
        self._since = since

    def _let_others_lead(self) -> None:
        self.context.locks.release(self._lead, self._owner)
