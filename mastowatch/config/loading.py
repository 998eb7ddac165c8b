"""Puts the settings together: defaults, then the files, then the environment, then the command line.

A worker with an instance name N reads ``worker@N.env`` beside the file that all share, too. The units leave the reading
to the process: so it can read anew at a reload, and a password in REDIS_URL stands in no environment.

Secrets come from files alone: systemd's credentials directory or a path in the settings. They are read when a
process needs them, so that ``config show`` never holds one.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from mastowatch.config import envfile
from mastowatch.config.settings import Settings
from mastowatch.errors import ConfigError

DEFAULT_FILE = Path("/etc/mastowatch/mastowatch.env")
# Where systemd's LoadCredential= takes the secrets from; only root may look there.
CREDENTIALS = Path("/etc/mastowatch/credentials")
# Secrets by the name of their credential, and the setting that may hold a path instead.
SECRETS = {
    "access_token": "access_token_file",
    "alert_webhook": "alert_webhook_file",
    "api_key": "api_key_file",
    "dashboard_passwords": "dashboard_passwords_file",
    "oauth_client": "oauth_client_file",
    "redis_password": "redis_password_file",
    "redis_sentinel_password": "redis_sentinel_password_file",
    "session_key": "session_key_file",
    "webhook_secret": "webhook_secret_file",
}
_INSTANCE = re.compile(r"[A-Za-z0-9_.:-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the settings come from, so that they can be read again.

    ``file`` is what --config names and must exist; without it DEFAULT_FILE is read if it is there. ``overrides`` are
    values from the command line, by NAME.
    """

    environ: Mapping[str, str] = field(default_factory=dict)
    file: Path | None = None
    overrides: Mapping[str, str] = field(default_factory=dict)
    instance: str = ""

    def files(self) -> Iterator[Path]:
        """Yield the files to read, later ones winning."""
        first = self.file or DEFAULT_FILE
        if self.file or first.is_file():
            yield first
        own = first.with_name(f"worker@{self.instance}.env")
        if self.instance and own.is_file():
            yield own


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings, where each NAME came from, and where secrets are looked for."""

    settings: Settings
    origins: Mapping[str, str]
    credentials: Path | None = None
    sources: Sources = field(default_factory=Sources)

    @property
    def of_this_machine(self) -> bool:
        """Whether they are the units' own, but read by a command, which is handed no credentials."""
        return self.credentials is None and (self.sources.file or DEFAULT_FILE) == DEFAULT_FILE

    def secret(self, name: str) -> str | None:
        """Return the secret called ``name`` without surrounding blanks, or None where none is set up.

        An empty credential counts as none: a unit has to name one also where it may be missing. Raises ConfigError
        for a file that can't be read, or that the settings name and that is empty.
        """
        named: Path | None = getattr(self.settings, SECRETS[name])
        path = named or self._credential(name)
        if path is None:
            return None
        try:
            text = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: the secret {name} can't be read: {type(error).__name__}") from error
        if not text and named:
            raise ConfigError(f"{path}: the secret {name} is empty; write it into this file")
        return text or None

    def need_secret(self, name: str) -> str:
        """Return the secret or raise ConfigError that says where to put it."""
        value = self.secret(name)
        if value is None:
            raise ConfigError(
                f"{SECRETS[name].upper()} is not set and there is no credential {name}; write the secret into "
                f"{CREDENTIALS / name} for the units, or into a file that only root may read and name it there"
            )
        return value

    def _credential(self, name: str) -> Path | None:
        path = self.credentials / name if self.credentials else None
        return path if path is not None and path.is_file() else None


def load(
    environ: Mapping[str, str],
    file: Path | None = None,
    overrides: Mapping[str, str] | None = None,
    *,
    instance: str = "",
) -> Loaded:
    """Read the settings; raises ConfigError, in one line. For the arguments see Sources."""
    return read(Sources(environ, file, overrides or {}, instance))


def read(sources: Sources) -> Loaded:
    """Read the settings from ``sources``, again if need be; raises ConfigError, in one line."""
    loaded, faults = examine(sources)
    if loaded is None:
        raise ConfigError(faults[0])
    return loaded


def examine(sources: Sources) -> tuple[Loaded | None, list[str]]:
    """Return the settings, or None and all that is wrong with them, a line a fault."""
    try:
        values, origins, faults = _gather(sources)
    except ConfigError as error:
        return None, [str(error)]
    settings, refused = _validate(values, origins)
    faults += refused
    if settings is None or faults:
        return None, faults
    directory = sources.environ.get("CREDENTIALS_DIRECTORY")
    return Loaded(settings, origins, Path(directory) if directory else None, sources), []


def masked(loaded: Loaded) -> dict[str, str]:
    """Return every value as text by NAME, with a password inside REDIS_URL replaced by ****."""
    shown = loaded.settings.as_text()
    shown["REDIS_URL"] = without_password(shown["REDIS_URL"])
    return shown


def without_password(url: str) -> str:
    """Return the address with **** for its password, which may hold any character up to the last @, rightly or not."""
    return re.sub(r"(?s)(://[^:@/]*):.*@", r"\1:****@", url)


def _gather(sources: Sources) -> tuple[dict[str, str], dict[str, str], list[str]]:
    """Return values and origins by NAME, and what is wrong with the names."""
    if not _INSTANCE.fullmatch(sources.instance):
        raise ConfigError(f"command line: --instance {sources.instance!r} is no name; take a number")
    known = {name.upper() for name in Settings.model_fields}
    faults: list[str] = []
    found: list[tuple[str, Mapping[str, str]]] = []
    for path in sources.files():
        found.append((str(path), envfile.read(path)))
        faults += _unknown(*found[-1], known)
    found += [("environment", sources.environ), ("command line", sources.overrides)]
    values: dict[str, str] = {}
    origins = dict.fromkeys(known, "default")
    for source, given in found:
        for name in known & given.keys():
            values[name], origins[name] = given[name], source
    return values, origins, faults


def _unknown(source: str, found: Mapping[str, str], known: set[str]) -> list[str]:
    # A mistyped name would otherwise silently leave the default in force.
    faults = []
    for name in found:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}?" if close else "`mastowatch config show` lists all settings"
            faults.append(f"{source}: {name} is not a setting; {hint}")
    return faults


def _validate(values: Mapping[str, str], origins: Mapping[str, str]) -> tuple[Settings | None, list[str]]:
    try:
        settings = Settings.model_validate({name.lower(): value.strip() for name, value in values.items()})
    except ValidationError as error:
        allowed = {name: text for name, _, text, _ in Settings.table()}
        names = dict.fromkeys(str(one["loc"][0]).upper() for one in error.errors())
        return None, [_complaint(name, values.get(name, ""), origins, allowed[name]) for name in names]
    if settings.watch_threshold > settings.report_threshold:
        shown = str(settings.watch_threshold)
        return None, [_complaint("WATCH_THRESHOLD", shown, origins, "at most REPORT_THRESHOLD")]
    if settings.redis_sentinels and settings.redis_url.startswith("unix:"):
        allowed_now = "redis:// or rediss:// where REDIS_SENTINELS is set"
        return None, [_complaint("REDIS_URL", settings.redis_url, origins, allowed_now)]
    if settings.redis_ca_file and not settings.redis_url.startswith("rediss:"):
        shown = str(settings.redis_ca_file)
        return None, [_complaint("REDIS_CA_FILE", shown, origins, "nothing, unless REDIS_URL begins with rediss://")]
    return settings, []


def _complaint(name: str, value: str, origins: Mapping[str, str], allowed: str) -> str:
    # A password may stand before an @ or in the query, and where a file is to be named somebody puts the secret itself:
    # such a value is not repeated.
    secret = name.lower() in SECRETS.values() or (name == "REDIS_URL" and re.search("[@?]", value))
    shown = "****" if secret else value
    return f"{origins[name]}: {name}={shown!r} is not allowed; allowed: {allowed}"
