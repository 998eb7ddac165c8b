"""Puts the settings together: defaults, then the file, then the environment, then the command line.

Secrets come from files alone: systemd's credentials directory or a path in the settings. They are read when a
process needs them, so that ``config show`` never holds one.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from mastowatch.config import envfile
from mastowatch.config.settings import Settings
from mastowatch.errors import ConfigError

DEFAULT_FILE = Path("/etc/mastowatch/mastowatch.env")
# Secrets by the name of their credential, and the setting that may hold a path instead.
SECRETS = {
    "access_token": "access_token_file",
    "api_key": "api_key_file",
    "redis_password": "redis_password_file",
}


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings, where each NAME came from, and where secrets are looked for."""

    settings: Settings
    origins: Mapping[str, str]
    credentials: Path | None = None

    def secret(self, name: str) -> str | None:
        """Return the secret called ``name`` without surrounding blanks, or None where none is set up.

        Raises ConfigError for a file that is named but can't be read or is empty.
        """
        path = self._secret_path(name)
        if path is None:
            return None
        try:
            text = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: the secret {name} can't be read: {type(error).__name__}") from error
        if not text:
            raise ConfigError(f"{path}: the secret {name} is empty; write it into this file")
        return text

    def need_secret(self, name: str) -> str:
        """Return the secret or raise ConfigError that says where to put it."""
        value = self.secret(name)
        if value is None:
            raise ConfigError(
                f"{SECRETS[name].upper()} is not set and there is no credential {name}; "
                f"write the secret into a file that only root may read and name it there"
            )
        return value

    def _secret_path(self, name: str) -> Path | None:
        configured: Path | None = getattr(self.settings, SECRETS[name])
        if configured is not None:
            return configured
        credential = self.credentials / name if self.credentials else None
        return credential if credential is not None and credential.is_file() else None


def load(environ: Mapping[str, str], file: Path | None = None, overrides: Mapping[str, str] | None = None) -> Loaded:
    """Read the settings once.

    ``file`` is what --config names and must exist; without it DEFAULT_FILE is read if it is there.
    ``overrides`` are values from the command line, by NAME. Raises ConfigError, in one line.
    """
    values, origins = _gather(environ, file, overrides or {})
    settings = _validate(values, origins)
    if settings.watch_threshold > settings.report_threshold:
        raise ConfigError(
            _complaint("WATCH_THRESHOLD", str(settings.watch_threshold), origins, "at most REPORT_THRESHOLD")
        )
    directory = environ.get("CREDENTIALS_DIRECTORY")
    return Loaded(settings, origins, Path(directory) if directory else None)


def masked(loaded: Loaded) -> dict[str, str]:
    """Return every value as text by NAME, with a password inside REDIS_URL replaced by ****."""
    shown = loaded.settings.as_text()
    shown["REDIS_URL"] = _without_password(shown["REDIS_URL"])
    return shown


def _without_password(url: str) -> str:
    """Replace all between the user's name and the last @: a password may hold any character, rightly or not."""
    return re.sub(r"(?s)(://[^:@/]*):.*@", r"\1:****@", url)


def _gather(
    environ: Mapping[str, str], file: Path | None, overrides: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    known = {name.upper() for name in Settings.model_fields}
    path = file or (DEFAULT_FILE if DEFAULT_FILE.is_file() else None)
    from_file = envfile.read(path) if path else {}
    _refuse_unknown(from_file, known, str(path))
    sources = ((str(path), from_file), ("environment", environ), ("command line", overrides))
    values: dict[str, str] = {}
    origins = dict.fromkeys(known, "default")
    for source, found in sources:
        for name in known & found.keys():
            values[name], origins[name] = found[name], source
    return values, origins


def _refuse_unknown(found: Mapping[str, str], known: set[str], source: str) -> None:
    # A mistyped name would otherwise silently leave the default in force.
    for name in found:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}?" if close else "`mastowatch config show` lists all settings"
            raise ConfigError(f"{source}: {name} is not a setting; {hint}")


def _validate(values: Mapping[str, str], origins: Mapping[str, str]) -> Settings:
    try:
        return Settings.model_validate({name.lower(): value.strip() for name, value in values.items()})
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0]).upper()
        allowed = next(allowed for known, _, allowed, _ in Settings.table() if known == name)
        raise ConfigError(_complaint(name, values.get(name, ""), origins, allowed)) from error


def _complaint(name: str, value: str, origins: Mapping[str, str], allowed: str) -> str:
    # A password may stand before an @ or in the query, so such a value is not repeated.
    shown = "****" if name == "REDIS_URL" and re.search("[@?]", value) else value
    return f"{origins[name]}: {name}={shown!r} is not allowed; allowed: {allowed}"
