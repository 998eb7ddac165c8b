"""Introduces the domain to the adapters: the one place that knows both. Made once a process, handed down.

A job carries ids only, so the functions in ``tasks`` find their world here: the process puts its Context in
force with ``put``, a test for the length of a block with ``use``.
"""

from __future__ import annotations

import hashlib
import logging
import ssl
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from redis import Redis
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry

from mastowatch.adapters import (
    memory_campaigns,
    redis_audit_merging,
    redis_campaigns,
    redis_erasure,
    redis_forget,
    redis_handed_on,
    redis_layout,
    redis_portable,
    redis_sentinel,
    redis_store,
    rule_files,
)
from mastowatch.adapters.budget import Budget
from mastowatch.adapters.redis_actions import RedisAccountActions
from mastowatch.adapters.redis_audit import RedisAudit
from mastowatch.adapters.redis_posts import RedisRecentPosts
from mastowatch.adapters.redis_quotas import RedisHeld, RedisQuotas
from mastowatch.adapters.redis_rule_stats import RedisRuleStats
from mastowatch.adapters.redis_rule_switches import RedisRuleSwitches
from mastowatch.adapters.redis_sessions import RedisEndedSessions
from mastowatch.adapters.redis_stream_notes import RedisStreamNotes
from mastowatch.adapters.redis_watching import RedisWatching
from mastowatch.adapters.redis_webhook_notes import RedisWebhookNotes
from mastowatch.config import Loaded, Settings
from mastowatch.domain.ruleset import RuleSet
from mastowatch.errors import ConfigError, RehearsalBegun, RuleError, Stopped, StoreUnavailable
from mastowatch.jobs.queues import Jobs
from mastowatch.logs import event
from mastowatch.ports import store
from mastowatch.ports.alerts import Alerts
from mastowatch.ports.host import Host, LayoutFacts
from mastowatch.ports.mastodon import Mastodon, Purpose
from mastowatch.ports.probe import Certificate, Probe
from mastowatch.ports.sign_in import Application, EndedSessions, SignInServer
from mastowatch.ports.stream import PublicStream

log = logging.getLogger(__name__)
# The lock of whoever writes records anew out of what was read before: an import, and who erases an account.
IMPORT_LOCK = "import"
# While one of these keys exists, no job is taken: looked at in the same step that takes one.
GATES = (redis_store.RedisSwitches.PANIC_KEY,)
# While this key exists, reports are rehearsed.
DRY_RUN_SWITCH = redis_store.RedisSwitches.DRY_RUN_KEY
# Somebody waits for the page meanwhile.
SIGN_IN_TIMEOUT_S = 10.0
_current: ContextVar[Context] = ContextVar("mastowatch_context")


@dataclass(frozen=True)
class Context:
    """What a task needs. ``mastodon`` gives the port for a purpose, ``clock`` epoch seconds.

    ``bot`` names the access token without telling it: under this name the bot's own account id is remembered.
    """

    settings: Settings
    rules: RuleSet
    mastodon: Callable[[Purpose], Mastodon]
    jobs: Jobs
    claims: store.Claims
    cursors: store.Cursors
    locks: store.Locks
    judged: store.Judged
    cases: store.Cases
    switches: store.Switches
    rule_switches: store.RuleSwitches
    quotas: store.Quotas
    held: store.Held
    actions: store.AccountActions
    audit: store.Audit
    tally: store.Tally
    history: store.History
    campaigns: store.Campaigns
    posts: store.RecentPosts
    rule_stats: store.RuleStats
    handed_on: store.HandedOn
    stream_notes: store.StreamNotes
    clock: Callable[[], float] = time.time
    bot: str = "bot"
    alerts: Alerts | None = None

    def me_id(self) -> str:
        """Return the bot's own account id; asked once a token, not once a process: every job is a new one."""
        name = f"me:{self.bot}"
        known = self.cursors.get(name)
        if known is None:
            known = self.mastodon("judge").me().id
            self.cursors.set(name, known)
        return known

    def rehearsing(self) -> bool:
        """Return whether reports are only rehearsed, by the settings or by the switch.

        Raises Stopped when the switch can't be read: whoever goes on might file what nobody wants filed.
        """
        if self.settings.dry_run:
            return True
        try:
            return self.switches.dry_run()
        except StoreUnavailable as error:
            raise Stopped("the dry-run switch can't be read, so nothing is judged") from error

    def judged_by(self, *, rehearsing: bool | None = None) -> str:
        """Return what a judgement depends on beside the account: rules, thresholds, exemptions, rehearsal.

        With any of them changed, an account that was judged already is judged again. ``rehearsing`` is what a judgement
        went by, as the switch may have been turned since; None: as it stands now.
        """
        chosen = self.settings
        parts = (
            self.rules.digest,
            str(self.rehearsing() if rehearsing is None else rehearsing),
            str(chosen.report_threshold),
            str(chosen.watch_threshold),
            ",".join(sorted(chosen.exempt_accounts)),
            ",".join(sorted(chosen.exempt_domains)),
            ",".join(sorted(chosen.our_bots)),
            str(chosen.exempt_followed_locally),
        )
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]

    @contextmanager
    def alone(self, name: str, ttl_s: float) -> Iterator[bool]:
        """Hold the lock ``name`` for a block, ``ttl_s`` seconds at most; yields False where somebody else holds it."""
        owner = uuid.uuid4().hex
        if not self.locks.acquire(name, owner, ttl_s):
            yield False
            return
        try:
            yield True
        finally:
            self.locks.release(name, owner)

    def ensure_running(self) -> None:
        """Raise Stopped while the panic stop is on, or can't be read: stop is the safe answer."""
        if self.settings.panic_stop:
            raise Stopped("PANIC_STOP is on in the settings")
        try:
            stopped = self.switches.panic_stop()
        except StoreUnavailable as error:
            raise Stopped("the panic stop can't be read, so it counts as on") from error
        if stopped:
            raise Stopped("the panic stop is on; `mastowatch panic off` ends it")

    def ensure_filing(self) -> None:
        """Raise Stopped as ``ensure_running`` does, or RehearsalBegun while reports are only rehearsed.

        For what is about to change something at Mastodon: the switch may have been turned since the account was judged.
        """
        self.ensure_running()
        if self.rehearsing():
            raise RehearsalBegun("the dry run has been turned on")


def current() -> Context:
    """Return the Context in force; raises LookupError outside ``use``."""
    return _current.get()


@contextmanager
def use(context: Context) -> Iterator[Context]:
    """Put ``context`` in force."""
    token = _current.set(context)
    try:
        yield context
    finally:
        _current.reset(token)


def put(context: Context) -> None:
    """Put ``context`` in force for the rest of the process (``use`` ends with its block)."""
    _current.set(context)


def connect(loaded: Loaded, *, waits: bool = True) -> Redis:
    """Return a client of the Redis in the settings; connects at the first command.

    Time-outs are short, so that a dead Redis shows in seconds, and one quick retry rides out a restart. Each connection
    looks first whether the keys have the layout that this version knows; if not, it is closed: Redis counts as away.
    Where the settings name sentinels, each connection goes to the primary that they name then.
    Raises ConfigError for a secret or a certificate that can't be read.
    ``waits=False``: for a process with a watchdog to feed or people who wait for a page; a Redis that stands still is
    given up after 3 s.
    """
    options: dict[str, Any] = {
        "redis_connect_func": partial(redis_layout.check_connection, known=redis_layout.LAYOUT),
        "socket_timeout": 10,
        "socket_connect_timeout": 3,
        "health_check_interval": 30,
        "retry": Retry(ExponentialBackoff(cap=0.5, base=0.05), 2),
    }
    if not waits:
        # A connection that has broken is made anew once; an answer that did not come is not waited for again.
        options |= {"socket_timeout": 3, "retry": Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,))}
    settings = loaded.settings
    password = loaded.secret("redis_password")
    if password:
        options["password"] = password
    if settings.redis_ca_file:
        check_ca_file(settings)
        options["ssl_ca_certs"] = str(settings.redis_ca_file)
    if _database(settings.redis_url) == 0:
        event(log, logging.WARNING, "redis_database_shared", hint="database 0 is Mastodon's own; use another")
    if settings.redis_sentinels:
        # A server that has lost its part may keep its clients waiting: the sooner they ask for its successor.
        options["socket_timeout"] = min(options["socket_timeout"], 5)
        name, sentinel_password = settings.redis_sentinel_master, loaded.secret("redis_sentinel_password")
        return redis_sentinel.connect(settings.redis_url, settings.redis_sentinels, name, sentinel_password, **options)
    client: Redis = Redis.from_url(settings.redis_url, **options)
    return client


def confirm_replicated(redis: Redis, settings: Settings) -> Callable[[], None]:
    """Return what raises StoreUnavailable unless REDIS_WAIT_REPLICAS have all that was written until it is called."""
    return redis_sentinel.Confirming(redis, replicas=settings.redis_wait_replicas).replicated


def check_ca_file(settings: Settings) -> None:
    """Raise ConfigError for a REDIS_CA_FILE that can't be used: Redis would be told to be away for ever."""
    if settings.redis_ca_file is None:
        return
    try:
        ssl.create_default_context(cafile=settings.redis_ca_file)
    except ssl.SSLError as error:
        raise ConfigError(f"REDIS_CA_FILE: {settings.redis_ca_file} holds no certificate") from error
    except OSError as error:
        raise ConfigError(f"REDIS_CA_FILE: {settings.redis_ca_file} can't be read: {error.strerror}") from error


def layout(redis: Redis, kind: str, *, alive: Callable[[], None] = lambda: None) -> redis_layout.Layout:
    """Return the layout of the keys as a process of this ``kind`` sees it; opens no connection.

    ``alive`` is called while a migration takes its time.
    """
    known, migrations = redis_layout.LAYOUT, redis_layout.MIGRATIONS
    return redis_layout.Layout(redis, kind, known=known, migrations=migrations, alive=alive)


def check_layout(redis: Redis) -> None:
    """Raise RedisError unless Redis answers and the keys have the layout that this version knows; writes nothing."""
    redis_layout.check(redis, redis_layout.LAYOUT)


def is_other_layout(error: Exception) -> bool:
    """Tell whether Redis does answer, and its keys have a layout that this version does not know."""
    return isinstance(error, redis_layout.LayoutRefused)


@contextmanager
def ensure_layout(redis: Redis, kind: str = "command") -> Iterator[None]:
    """Make sure, for the length of a block that writes, that the keys have the layout that this version knows.

    Raises LayoutNewer, or StoreUnavailable: Redis is away, or LayoutUnready.
    """
    ours = layout(redis, kind)
    try:
        ours.agree()
        yield
    finally:
        ours.leave()


@contextmanager
def forgetting(redis: Redis) -> Iterator[redis_forget.Forgetting]:
    """Yield what deletes our keys; whatever their layout, it connects."""
    ours = redis_forget.Forgetting(redis)
    try:
        yield ours
    finally:
        ours.close()


def erasure(redis: Redis) -> redis_erasure.Erasure:
    """Return what erases all that is known of an account."""
    return redis_erasure.Erasure(redis)


def _database(url: str) -> int:
    parts = urlsplit(url)
    text = parts.path.strip("/") if parts.scheme != "unix" else parts.query.partition("db=")[2]
    return int(text) if text.isdigit() else 0


def load_rules(directory: Path) -> RuleSet:
    """Read, compile and try the rules of ``directory``; raises RuleErrors, and changes nothing."""
    documents, lists, unread = read_rule_documents(directory)
    return RuleSet.load(documents, lists, unread)


def read_rule_documents(
    directory: Path,
) -> tuple[list[tuple[str, dict[str, Any]]], Mapping[str, tuple[str, ...]], list[RuleError]]:
    """Return the rule files of ``directory`` as TOML documents, the lists beside them, and what can't be read."""
    documents, errors = rule_files.read_what_can_be(directory)
    lists, more = rule_files.read_lists(directory)
    return documents, lists, [*errors, *more]


def read_rule_document(path: Path) -> tuple[str, dict[str, Any]]:
    """Return one rule file as its name and its TOML document; raises RuleError."""
    return rule_files.read_rule(path)


def read_rule_source(path: Path) -> str:
    """Return one rule file as it is written; raises RuleError."""
    return rule_files.read_source(path)


def rule_sources(directory: Path) -> Iterator[tuple[str, str]]:
    """Yield each rule file and list as it is written, by its name below ``directory``; raises RuleError."""
    return rule_files.sources(directory)


def parse_rule(name: str, text: str) -> dict[str, Any]:
    """Return the TOML document of a rule file; raises RuleError."""
    return rule_files.parse(name, text)


def write_rule_source(directory: Path, name: str, text: str) -> None:
    """Write a rule file or a list whole, or not at all; raises OSError."""
    rule_files.write(directory, name, text)


def portable(redis: Redis) -> redis_portable.RedisPortable:
    """Return what reads records for an export, and merges those of an import."""
    return redis_portable.RedisPortable(redis)


def audit_merging(redis: Redis) -> redis_audit_merging.RedisAuditMerging:
    """Return what reads the audit for an export, and merges that of an import."""
    return redis_audit_merging.RedisAuditMerging(redis)


def locks(redis: Redis) -> store.Locks:
    """Return the locks, for whoever is no process of MastoWatch."""
    return redis_store.RedisLocks(redis)


def known_layout() -> int:
    """Return the layout of the keys that this version reads and writes."""
    return redis_layout.LAYOUT


def fresh_campaigns() -> store.Campaigns:
    """Return a store of campaigns that knows of nothing yet, in memory, for a rehearsal."""
    return memory_campaigns.MemoryCampaigns()


def stamp_of_rules(directory: Path) -> object:
    """Return what changes with any rule file or list in ``directory``, without reading them."""
    return rule_files.stamp(directory)


def check_instance(settings: Settings) -> None:
    """Raise ConfigError where nobody has named the Mastodon server."""
    if not settings.instance_base:
        raise ConfigError("INSTANCE_BASE is not set; name your Mastodon server, like https://mastodon.example")


def build(loaded: Loaded, redis: Redis, rules: RuleSet | None = None) -> Context:
    """Return the Context of a process that works; makes no request and opens no connection.

    Reads the rules of the settings, where none are given.

    The Mastodon client is made at the first use, which is after the worker has forked.
    """
    settings = loaded.settings
    check_instance(settings)
    confirming = redis_sentinel.Confirming(redis, replicas=settings.redis_wait_replicas)
    return Context(
        settings=settings,
        rules=rules if rules is not None else load_rules(settings.rules_dir),
        mastodon=_mastodon(loaded, redis),
        jobs=Jobs(redis, settings),
        claims=redis_store.RedisClaims(redis, confirm=confirming.agreed),
        cursors=redis_store.RedisCursors(redis),
        locks=redis_store.RedisLocks(redis),
        judged=redis_store.RedisJudged(redis),
        cases=redis_store.RedisCases(redis),
        switches=redis_store.RedisSwitches(redis),
        rule_switches=RedisRuleSwitches(redis),
        quotas=RedisQuotas(redis),
        held=RedisHeld(redis),
        actions=RedisAccountActions(redis, confirm=confirming.agreed),
        audit=RedisAudit(redis),
        tally=redis_store.RedisTally(redis),
        history=redis_store.RedisHistory(redis),
        campaigns=redis_campaigns.RedisCampaigns(redis),
        posts=_posts(settings, redis),
        rule_stats=RedisRuleStats(redis),
        handed_on=redis_handed_on.RedisHandedOn(redis),
        stream_notes=RedisStreamNotes(redis),
        bot=hashlib.sha256(loaded.need_secret("access_token").encode()).hexdigest()[:12],
        alerts=alerts(loaded),
    )


def alerts(loaded: Loaded) -> Alerts | None:
    """Return where alerts go, or None; raises ConfigError for an address that can't be posted to."""
    url = loaded.secret("alert_webhook")
    if url is None:
        return None
    # Here for the same reason as the other libraries below.
    from mastowatch.adapters.alert_webhook import AlertWebhook, is_usable

    if not is_usable(url):
        # The address may hold a secret, so it is not repeated.
        raise ConfigError(
            "the address in ALERT_WEBHOOK_FILE (or the credential alert_webhook) can't be posted to; write one that"
            " begins with https://"
        )
    settings = loaded.settings
    return AlertWebhook(url, user_agent=settings.user_agent, timeout_s=settings.request_timeout)


def open_stream(loaded: Loaded) -> PublicStream:
    """Return a new connection to the streaming API; raises ConfigError where no token is set up."""
    # Here for the same reason as the other library below.
    from mastowatch.adapters.mastodon_stream import MastodonStream

    settings = loaded.settings
    return MastodonStream(
        settings.stream_base or settings.instance_base,
        loaded.need_secret("access_token"),
        which=settings.public_posts,  # type: ignore[arg-type]  # the setting allows nothing else
        user_agent=settings.user_agent,
        timeout_s=settings.request_timeout,
    )


def sign_in_server(loaded: Loaded) -> SignInServer | None:
    """Return the Mastodon server as what signs people in, or None where the dashboard is not registered with it.

    Raises ConfigError for a file that `mastowatch sign-in mastodon` has not written.
    """
    client = loaded.secret("oauth_client")
    if client is None:
        return None
    check_instance(loaded.settings)
    lines = client.split()
    if len(lines) not in (2, 3):
        raise ConfigError(
            f"{loaded.settings.oauth_client_file or 'the credential oauth_client'}: this must be the client id, the"
            " client secret and the scope, a line each; `mastowatch sign-in mastodon` writes it"
        )
    # Here for the same reason as the other libraries above.
    from mastowatch.adapters.mastodon_sign_in import LEAST_SCOPE, MastodonSignIn

    settings = loaded.settings
    return MastodonSignIn(
        settings.instance_base,
        lines[0],
        lines[1],
        lines[2] if len(lines) == 3 else LEAST_SCOPE,
        user_agent=settings.user_agent,
        timeout_s=min(SIGN_IN_TIMEOUT_S, settings.request_timeout),
    )


def register_sign_in(settings: Settings, answer_to: str) -> tuple[str, str, str]:
    """Register the dashboard with the Mastodon server: client id, client secret, scope. Raises MastodonError."""
    check_instance(settings)
    from mastowatch.adapters.mastodon_sign_in import register

    return register(
        settings.instance_base, answer_to, user_agent=settings.user_agent, timeout_s=settings.request_timeout
    )


def register_application(base_url: str, scopes: Sequence[str], settings: Settings) -> Application:
    """Register MastoWatch itself with a Mastodon server, for exactly these scopes. Raises MastodonError."""
    from mastowatch.adapters import mastodon_application

    timeout_s = min(SIGN_IN_TIMEOUT_S, settings.request_timeout)
    return mastodon_application.register(base_url, scopes, user_agent=settings.user_agent, timeout_s=timeout_s)


def probe(base_url: str, settings: Settings, patience_s: float) -> Probe:
    """Return what asks a Mastodon server harmless things, and waits ``patience_s`` at most; makes no request."""
    from mastowatch.adapters.mastodon_probe import MastodonProbe

    timeout_s = min(patience_s, settings.request_timeout)
    return MastodonProbe(base_url, user_agent=settings.user_agent, timeout_s=timeout_s)


def certificate(url: str, patience_s: float) -> Certificate:
    """Return what the server at an https:// address shows of itself."""
    from mastowatch.adapters import mastodon_probe

    return mastodon_probe.certificate(url, timeout_s=patience_s)


def host() -> Host:
    """Return what asks this machine how it is."""
    from mastowatch.adapters import host_state

    return host_state


def unchecked(redis: Redis) -> Redis:
    """Return a client that connects whatever the layout of the keys, and gives up after some seconds."""
    return redis_layout.unchecked(redis)


def database_of(url: str) -> int:
    """Return the number of the database that a REDIS_URL names."""
    return _database(url)


def layout_facts(redis: Redis) -> LayoutFacts:
    """Return the layout of the keys, what is in the way of a migration, and who runs. Raises StoreUnavailable."""
    raw, unfinished, announced = redis_layout.marks(redis)
    return LayoutFacts(raw, redis_layout.LAYOUT, unfinished, announced, tuple(redis_layout.running(redis)))


@dataclass(frozen=True)
class View:
    """What the API and the dashboard see: records only, no rules and no way to Mastodon."""

    redis: Redis
    jobs: Jobs
    cases: store.Cases
    switches: store.Switches
    rule_switches: store.RuleSwitches
    quotas: store.Quotas
    held: store.Held
    audit: store.Audit
    tally: store.Tally
    history: store.History
    posts: store.RecentPosts
    rule_stats: store.RuleStats
    measures: store.AccountActions
    campaigns: store.Campaigns
    budget: Budget
    watching: store.Watching
    webhook_notes: store.WebhookNotes
    ended_sessions: EndedSessions
    settings: Settings
    clock: Callable[[], float] = time.time


def view(loaded: Loaded, redis: Redis) -> View:
    """Return the View of a process that shows; opens no connection."""
    budget = _budget(loaded.settings, redis)
    return View(
        redis=redis,
        jobs=Jobs(redis, loaded.settings),
        cases=redis_store.RedisCases(redis),
        switches=redis_store.RedisSwitches(redis, confirm=confirm_replicated(redis, loaded.settings)),
        rule_switches=RedisRuleSwitches(redis),
        quotas=RedisQuotas(redis),
        held=RedisHeld(redis),
        audit=RedisAudit(redis),
        tally=redis_store.RedisTally(redis),
        history=redis_store.RedisHistory(redis),
        posts=_posts(loaded.settings, redis),
        rule_stats=RedisRuleStats(redis),
        measures=RedisAccountActions(redis),
        campaigns=redis_campaigns.RedisCampaigns(redis),
        budget=budget,
        watching=RedisWatching(redis, budget),
        webhook_notes=RedisWebhookNotes(redis),
        ended_sessions=RedisEndedSessions(redis),
        settings=loaded.settings,
    )


def _posts(settings: Settings, redis: Redis) -> RedisRecentPosts:
    return RedisRecentPosts(redis, at_most=settings.recent_posts_max, days=settings.recent_posts_days)


def _budget(settings: Settings, redis: Redis) -> Budget:
    return Budget(
        redis,
        per_5_min=settings.api_requests_per_5_minutes,
        paged_per_15_min=settings.api_paged_requests_per_15_minutes,
        clock=time.time,
    )


def _mastodon(loaded: Loaded, redis: Redis) -> Callable[[Purpose], Mastodon]:
    # Here, as the library for Mastodon takes a tenth of a second to import and only workers need it.
    from mastowatch.adapters.mastodon_api import MastodonApi

    settings, token = loaded.settings, loaded.need_secret("access_token")
    made: list[MastodonApi] = []

    def for_purpose(purpose: Purpose) -> Mastodon:
        if not made:
            made.append(
                MastodonApi(
                    settings.instance_base,
                    token,
                    _budget(settings, redis),
                    user_agent=settings.user_agent,
                    timeout_s=settings.request_timeout,
                    page_size=settings.accounts_page_size,
                    clock=time.time,
                )
            )
        return made[0].for_purpose(purpose)

    return for_purpose
