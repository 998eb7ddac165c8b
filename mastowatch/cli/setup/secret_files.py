"""Secrets that flags name: the first line of a file, or of standard input. Never on the command line itself."""

from __future__ import annotations

import sys
from pathlib import Path

from mastowatch.errors import ConfigError

_LONGEST = 8192


def read_secret(flag: str, name: str) -> str:
    """Return the secret; ``name`` is what stands behind the flag. Raises ConfigError."""
    try:
        if name == "-":
            text = sys.stdin.readline(_LONGEST)
        else:
            with Path(name).open(encoding="utf-8") as file:
                text = file.readline(_LONGEST)
    except (OSError, UnicodeDecodeError) as error:
        told = error.strerror if isinstance(error, OSError) else "no text"
        raise ConfigError(f"{flag} {name}: can't be read: {told}") from error
    secret = text.strip()
    if not secret:
        raise ConfigError(f"{flag} {name}: there is nothing in its first line; write the secret there")
    if not secret.isprintable():
        raise ConfigError(f"{flag} {name}: its first line is no secret: it holds characters that can't be shown")
    return secret
