"""The file of who may sign in by a password: a line each, ``name:role:scrypt$N$r$p$salt$hash``.

No password stands in it. Checking one takes 32 MiB and a tenth of a second, also for a name that is not there, so that
the time taken tells nobody which names are.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from mastowatch.errors import ConfigError
from mastowatch.web.dashboard.access.person import ROLES, Role

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}", re.ASCII)
LEAST = 12
# No person types more; hashing is not what a stranger may have us do a megabyte of.
MOST = 1024
_N, _R, _P = 2**15, 8, 1
_SALT = 16
_SCRYPT = re.compile(r"scrypt\$(\d{1,8})\$(\d{1,2})\$(\d{1,2})\$([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Line:
    """One person's line."""

    name: str
    role: Role
    hashed: str

    def __str__(self) -> str:
        return f"{self.name}:{self.role}:{self.hashed}"

    @property
    def mark(self) -> str:
        """What the person's sessions rest on: it changes with the password and with the role."""
        return hashlib.sha256(str(self).encode()).hexdigest()[:24]


class Passwords:
    """Who may sign in, by name."""

    def __init__(self, lines: Iterable[Line] = ()) -> None:
        self._lines = {line.name: line for line in lines}
        self._nobody = _of_nobody()

    @classmethod
    def parse(cls, text: str, where: str) -> Passwords:
        """Read the file; raises ConfigError, which names the number of the line and nothing of what is in it."""
        return cls(parse_lines(text, where))

    def __len__(self) -> int:
        return len(self._lines)

    def __contains__(self, name: str) -> bool:
        return name in self._lines

    def mark_of(self, name: str) -> str | None:
        """Return what the sessions of ``name`` rest on, or None."""
        line = self._lines.get(name)
        return line.mark if line else None

    def check(self, name: str, password: str) -> Role | None:
        """Return the role if this is the password of ``name``. Takes as long either way."""
        line = self._lines.get(name)
        matches = _matches(password[:MOST], line.hashed if line else self._nobody)
        return line.role if line and matches and len(password) <= MOST else None


def parse_lines(text: str, where: str) -> Iterator[Line]:
    """Yield the lines of a file; blank ones and those that begin with # are left out. Raises ConfigError."""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        parts = line.strip().split(":")
        if len(parts) != 3 or not NAME.fullmatch(parts[0]) or parts[1] not in ROLES or not _is_hash(parts[2]):
            raise ConfigError(
                f"{where}: line {number} is not NAME:ROLE:scrypt$...; write it with `mastowatch sign-in password`"
            )
        yield Line(parts[0], parts[1], parts[2])


def hash_password(password: str) -> str:
    """Return what to keep of a new password."""
    salt = secrets.token_bytes(_SALT)
    hashed = _scrypt(password, salt, _N, _R, _P)
    return f"scrypt${_N}${_R}${_P}${base64.b64encode(salt).decode()}${base64.b64encode(hashed).decode()}"


@cache
def _of_nobody() -> str:
    """Return what the password of an unknown name is compared with."""
    return hash_password(secrets.token_urlsafe())


def _matches(password: str, hashed: str) -> bool:
    parts = _SCRYPT.fullmatch(hashed)
    assert parts is not None  # noqa: S101 -- looked at when it was read
    n, r, p, salt, wanted = parts.groups()
    found = _scrypt(password, base64.b64decode(salt), int(n), int(r), int(p))
    return hmac.compare_digest(found, base64.b64decode(wanted))


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    # The same letters may be typed in more than one way; a lone surrogate is no text and matches nothing.
    typed = unicodedata.normalize("NFC", password).encode("utf-8", "replace")
    return hashlib.scrypt(typed, salt=salt, n=n, r=r, p=p, maxmem=256 * n * r, dklen=32)


def _is_hash(text: str) -> bool:
    """Return whether it is one of ours, no weaker, and not so strong that checking it stops the machine."""
    parts = _SCRYPT.fullmatch(text)
    if parts is None:
        return False
    n, r, p = (int(part) for part in parts.groups()[:3])
    try:
        salt, hashed = (base64.b64decode(part, validate=True) for part in parts.groups()[3:])
    except binascii.Error:
        return False
    strong = n >= _N and r >= _R and p >= _P and n & (n - 1) == 0
    return strong and n * r * p <= 2**22 and len(salt) >= _SALT and len(hashed) == 32
