"""The one table of settings: name, type, default, what is allowed, and what it is for.

The example file, the reference page and the code all come from here; a test compares them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

_HOST = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*", re.ASCII)
_BASE = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9_.~-]*)*", re.ASCII)
_ACCT = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?(@[^@/:\s]+)?", re.ASCII)

QUEUES = ("high", "default", "low")


class Bind(NamedTuple):
    """A TCP address to listen on."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _bind(value: object) -> Bind:
    if isinstance(value, Bind):
        return value
    host, _, port = str(value).rpartition(":")
    if not host or not port.isdigit() or not 0 <= int(port) <= 65535:
        raise ValueError
    return Bind(host.strip("[]"), int(port))


def _words(value: object) -> tuple[str, ...]:
    parts = value.replace(",", " ").split() if isinstance(value, str) else tuple(value)  # type: ignore[arg-type]
    return tuple(str(part) for part in parts)


def _queues(value: object) -> tuple[str, ...]:
    queues = _words(value)
    if not queues or any(queue not in QUEUES for queue in queues) or len(set(queues)) != len(queues):
        raise ValueError
    return queues


def _redis_url(value: object) -> str:
    url = str(value)
    parts = urlsplit(url)
    place = parts.path if parts.scheme == "unix" else parts.hostname
    if parts.scheme not in ("redis", "rediss", "unix") or not place or parts.fragment:
        raise ValueError
    # redis-py would read a password from the query too, where it is shown; and refuse what it does not know late.
    if any(name != "db" and not name.startswith("ssl_") for name in parse_qs(parts.query, keep_blank_values=True)):
        raise ValueError
    database = parse_qs(parts.query).get("db", [parts.path.strip("/") if parts.scheme != "unix" else ""])[0]
    if (database and not database.isdigit()) or (parts.scheme != "unix" and parts.port == 0):
        raise ValueError
    return url


def _sentinels(value: object) -> tuple[Bind, ...]:
    return tuple(_sentinel(one) for one in (_words(value) if isinstance(value, str) else value))  # type: ignore[attr-defined]


def _sentinel(value: object) -> Bind:
    found = _bind(value)
    if not found.port:
        raise ValueError
    return found


def _instance(value: object) -> str:
    url = str(value).rstrip("/")
    if not url:
        return ""
    parts = urlsplit(url)
    local = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if not parts.hostname or parts.path or parts.query or parts.fragment or parts.username or parts.port == 0:
        raise ValueError
    if not local and not _HOST.fullmatch(parts.hostname.encode("idna").decode()):
        raise ValueError
    if parts.scheme != "https" and not (parts.scheme == "http" and local):
        raise ValueError
    return url


def _public_url(value: object) -> str:
    url = str(value).rstrip("/")
    if not url:
        return ""
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.port == 0:
        raise ValueError
    if parts.query or parts.fragment or parts.username or not _BASE.fullmatch(parts.path):
        raise ValueError
    return f"{parts.scheme}://{parts.netloc.encode('idna').decode().lower()}{parts.path}"


def _path_or_none(value: object) -> Path | None:
    if value in ("", None):
        return None
    path = Path(str(value))
    if not path.is_absolute():
        raise ValueError
    return path


def _path(value: object) -> Path:
    path = _path_or_none(value)
    if path is None:
        raise ValueError
    return path


def _accounts(value: object) -> frozenset[str]:
    names = frozenset(word.removeprefix("acct:").lstrip("@").lower() for word in _words(value))
    if not all(_ACCT.fullmatch(name) for name in names):
        raise ValueError
    return names


def _domains(value: object) -> frozenset[str]:
    # In punycode, as Mastodon keeps them; a domain stands for those below it in any case.
    domains = (word.removeprefix("*.").strip(".").lower().encode("idna").decode() for word in _words(value))
    found = frozenset(domains)
    if not all(_HOST.fullmatch(domain) for domain in found):
        raise ValueError
    return found


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, (tuple, frozenset, list)) and not isinstance(value, Bind):
        return ",".join(sorted(value) if isinstance(value, frozenset) else map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


_AS_TEXT = PlainSerializer(_shown, return_type=str)
BindSetting = Annotated[Bind, BeforeValidator(_bind), _AS_TEXT]
QueuesSetting = Annotated[tuple[str, ...], BeforeValidator(_queues), _AS_TEXT]
SentinelsSetting = Annotated[tuple[Bind, ...], BeforeValidator(_sentinels), _AS_TEXT]
AccountsSetting = Annotated[frozenset[str], BeforeValidator(_accounts), _AS_TEXT]
DomainsSetting = Annotated[frozenset[str], BeforeValidator(_domains), _AS_TEXT]
PathSetting = Annotated[Path | None, BeforeValidator(_path_or_none), _AS_TEXT]


def _setting(default: Any, allowed: str, about: str, **limits: Any) -> Any:  # noqa: ANN401 -- pydantic's own Field
    return Field(default=default, description=about, json_schema_extra={"allowed": allowed}, **limits)


_SECONDS = "a whole number of seconds, {} to {}"


class Settings(BaseModel):
    """What is in force. Frozen; made by ``mastowatch.config.load``, handed down, never a global."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, arbitrary_types_allowed=True)

    instance_base: Annotated[str, BeforeValidator(_instance)] = _setting(
        "",
        "https://your.server without a path (http:// only for localhost)",
        "Address of the Mastodon server.",
    )
    access_token_file: PathSetting = _setting(
        None,
        "an absolute path",
        "File with the bot's access token. Under systemd leave it empty: the credential access_token is used.",
    )
    redis_url: Annotated[str, BeforeValidator(_redis_url)] = _setting(
        "redis://localhost:6379/1",
        "redis://host:port/db, rediss:// for TLS, or unix:///path?db=1",
        "Redis, version 7 or later. Database 0 is Mastodon's own: keep out of it.",
    )
    redis_password_file: PathSetting = _setting(
        None,
        "an absolute path",
        "File with Redis' password, where it has one (or the credential redis_password).",
    )
    redis_ca_file: PathSetting = _setting(
        None,
        "an absolute path",
        "File with the certificate of the authority that signed Redis' own, for rediss://; empty: the system's.",
    )
    redis_sentinels: SentinelsSetting = _setting(
        (),
        "host:port of each, with commas between",
        "Redis Sentinels, all of them. They say where Redis is; of REDIS_URL host and port are not used then.",
    )
    redis_sentinel_master: str = _setting(
        "mymaster",
        "a name of letters, digits, dots, hyphens and underscores",
        "What the sentinels call the Redis that they watch.",
        pattern=r"^[A-Za-z0-9._-]+$",
    )
    redis_sentinel_password_file: PathSetting = _setting(
        None,
        "an absolute path",
        "File with the sentinels' password, where they have one (or the credential redis_sentinel_password).",
    )
    redis_wait_replicas: int = _setting(
        0,
        "a whole number, 0 to 9",
        "So many replicas must have a webhook's job, a switch and the claim of a report before it goes on; 0: none.",
        ge=0,
        le=9,
    )
    dry_run: bool = _setting(
        True,
        "true or false",
        "Rehearse: judge and show, but file nothing. Turn it off when you trust the rules.",
    )
    panic_stop: bool = _setting(
        False,
        "true or false",
        "Stop all work. `mastowatch panic on` does the same at once, everywhere.",
    )
    report_threshold: float = _setting(
        5.0, "a number above 0, at most 1000", "Score from which an account is reported.", gt=0, le=1000
    )
    watch_threshold: float = _setting(
        2.0,
        "a number above 0, at most REPORT_THRESHOLD",
        "Score from which an account is shown as watched.",
        gt=0,
        le=1000,
    )
    rules_dir: Annotated[Path, BeforeValidator(_path), _AS_TEXT] = _setting(
        Path("/etc/mastowatch/rules.d"), "an absolute path", "Directory of the rules, one TOML file each."
    )
    exempt_accounts: AccountsSetting = _setting(
        frozenset(), "names like alice or bob@example.org, with commas between", "Accounts never reported."
    )
    exempt_domains: DomainsSetting = _setting(
        frozenset(),
        "domains like example.org, with commas between, without https://",
        "Domains whose accounts are never reported.",
    )
    exempt_followed_locally: bool = _setting(
        True,
        "true or false",
        "Never report an account that somebody on this server follows; asked of Mastodon right before a report.",
    )
    our_bots: AccountsSetting = _setting(
        frozenset(),
        "names like feed or feed@example.org, with commas between",
        "Other bots of yours, never reported. (That an account says it is a bot spares nobody.)",
    )
    rule_reports_per_hour: int = _setting(
        20,
        "a whole number, 1 to 10000",
        "Past so many reports in an hour a rule that names no limit drops to shadow until a person re-arms it.",
        ge=1,
        le=10000,
    )
    rule_reports_per_day: int = _setting(60, "a whole number, 1 to 10000", "The same, in any 24 hours.", ge=1, le=10000)
    reports_per_hour: int = _setting(
        60,
        "a whole number, 1 to 10000",
        "Past so many reports in an hour by all rules together, all reporting pauses until a person re-arms it.",
        ge=1,
        le=10000,
    )
    reports_per_day: int = _setting(200, "a whole number, 1 to 10000", "The same, in any 24 hours.", ge=1, le=10000)
    alert_webhook_file: PathSetting = _setting(
        None,
        "an absolute path",
        "File with an https:// address that is told when a breaker trips (or the credential alert_webhook).",
    )
    allow_enforcement: bool = _setting(
        False,
        "true or false",
        "Let rules with an action make accounts sensitive, silence or suspend them for a time, beside the report.",
    )
    poll_admin_accounts_interval: int = _setting(
        30, _SECONDS.format(1, 86400), "Time between two looks at remote accounts.", ge=1, le=86400
    )
    poll_admin_accounts_local_interval: int = _setting(
        30, _SECONDS.format(1, 86400), "Time between two looks at local accounts.", ge=1, le=86400
    )
    queue_stats_interval: int = _setting(
        60, _SECONDS.format(1, 86400), "Time between two points of the queues' history.", ge=1, le=86400
    )
    recent_posts_max: int = _setting(
        20000,
        "a whole number, 0 to 10000000",
        "Public and unlisted posts kept of the accounts judged of late, to try new rules on; 0 keeps none.",
        ge=0,
        le=10000000,
    )
    recent_posts_days: int = _setting(14, "a number of days, 1 to 365", "So long they are kept at most.", ge=1, le=365)
    report_outcomes_interval: int = _setting(
        600,
        _SECONDS.format(60, 86400),
        "Time between two looks at what moderators made of the reports.",
        ge=60,
        le=86400,
    )
    poll_public_timeline_interval: int = _setting(
        60,
        "0 (never) or a whole number of seconds, 1 to 86400",
        "Time between two looks at the public timeline; while `mastowatch stream` reads along, they cost no request.",
        ge=0,
        le=86400,
    )
    public_posts: str = _setting(
        "all",
        "all, remote or local",
        "Which public posts the stream and the looks at the timeline follow.",
        pattern="^(all|remote|local)$",
    )
    stream_base: Annotated[str, BeforeValidator(_instance)] = _setting(
        "",
        "https://streaming.your.server without a path (http:// only for localhost), or nothing",
        "Address of the streaming API, where it is not INSTANCE_BASE.",
    )
    sweep_pages_per_poll: int = _setting(
        3,
        "a whole number, 0 to 1000",
        "Pages of already known accounts that each poll looks at again beside the newest; 0 turns the sweep off.",
        ge=0,
        le=1000,
    )
    accounts_page_size: int = _setting(
        200,
        "a whole number, 1 to 200",
        "Accounts asked for in one request; Mastodon gives at most 200.",
        ge=1,
        le=200,
    )
    api_requests_per_5_minutes: int = _setting(
        300, "a whole number, 10 to 100000", "The server's limit for one access token.", ge=10, le=100000
    )
    api_paged_requests_per_15_minutes: int = _setting(
        300, "a whole number, 10 to 100000", "The server's limit for requests that page.", ge=10, le=100000
    )
    request_timeout: float = _setting(
        10.0, "a number of seconds, 0.1 to 120", "How long Mastodon may take for one answer.", ge=0.1, le=120
    )
    user_agent: str = _setting(
        "MastoWatch/0.1 (moderation bot)",
        "1 to 200 characters without line breaks",
        "What MastoWatch calls itself towards Mastodon.",
        min_length=1,
        max_length=200,
        pattern=r"^[\x20-\x7e]+$",
    )
    worker_queues: QueuesSetting = _setting(
        QUEUES, "some of high,default,low, most urgent first", "Queues that a worker serves, in this order."
    )
    worker_jobs_per_process: int = _setting(
        1000,
        "a number of jobs, 1 to 1000000",
        "After so many jobs the process that a worker runs its jobs in is replaced by a new one.",
        ge=1,
        le=1000000,
    )
    worker_memory_limit: int = _setting(
        512,
        "MiB, 64 to 65536",
        "Past so much memory, what it shares with the worker included, that process is replaced after the job at hand; "
        "past twice as much it is killed.",
        ge=64,
        le=65536,
    )
    worker_stop_timeout: int = _setting(
        320,
        _SECONDS.format(1, 3600),
        "So long a worker that is told to stop waits for the job at hand; then it puts the job back on its queue.",
        ge=1,
        le=3600,
    )
    result_ttl: int = _setting(
        3600, _SECONDS.format(60, 604800), "How long a finished job's record is kept.", ge=60, le=604800
    )
    failure_ttl: int = _setting(
        259200,
        _SECONDS.format(3600, 31536000),
        "How long a failed job's record is kept.",
        ge=3600,
        le=31536000,
    )
    api_bind: BindSetting = _setting(
        Bind("127.0.0.1", 8080),
        "address:port, like 127.0.0.1:8080",
        "Where the /jobs API listens. Under systemd mastowatch-api.socket says it.",
    )
    api_socket: PathSetting = _setting(
        None,
        "an absolute path",
        "Unix socket of the /jobs API, open to its group without a key. Under systemd as above.",
    )
    api_key_file: PathSetting = _setting(
        None,
        "an absolute path",
        "File with the key that TCP clients of the API show (or the credential api_key).",
    )
    webhook_secret_file: PathSetting = _setting(
        None,
        "an absolute path",
        "File with the signing secret of Mastodon's webhook (or the credential webhook_secret).",
    )
    dashboard_bind: BindSetting = _setting(
        Bind("127.0.0.1", 9181), "address:port, like 127.0.0.1:9181", "Where the dashboard listens."
    )
    dashboard_url: Annotated[str, BeforeValidator(_public_url)] = _setting(
        "",
        "https://your.server/path or http://host:port, or nothing: http:// and DASHBOARD_BIND",
        "Where people reach the dashboard, through a proxy say. Its links, forms and cookies go by it.",
    )
    dashboard_read_only: bool = _setting(
        False, "true or false", "Let nobody change anything on the dashboard, whatever their role."
    )
    dashboard_session_hours: int = _setting(
        12, "a number of hours, 1 to 720", "After so long people must sign in to the dashboard again.", ge=1, le=720
    )
    dashboard_passwords_file: PathSetting = _setting(
        None,
        "an absolute path",
        "File that `mastowatch sign-in password` writes (or the credential dashboard_passwords).",
    )
    oauth_client_file: PathSetting = _setting(
        None,
        "an absolute path",
        "File that `mastowatch sign-in mastodon` writes (or the credential oauth_client).",
    )
    session_key_file: PathSetting = _setting(
        None,
        "an absolute path",
        "File with 32 or more random characters that sign the dashboard's sessions (or the credential session_key).",
    )
    log_level: str = _setting(
        "info",
        "debug, info, warning or error",
        "The least severe lines that are logged.",
        pattern="^(debug|info|warning|error)$",
    )

    @classmethod
    def table(cls) -> Iterator[tuple[str, str, str, str]]:
        """Yield (NAME, default as text, what is allowed, what it is for) for each setting."""
        for name, field in cls.model_fields.items():
            extra = field.json_schema_extra
            allowed = str(extra["allowed"]) if isinstance(extra, dict) else ""
            yield name.upper(), _shown(field.default), allowed, field.description or ""

    def as_text(self) -> dict[str, str]:
        """Return every value as it would stand in the file, by NAME."""
        return {name.upper(): _shown(getattr(self, name)) for name in type(self).model_fields}
