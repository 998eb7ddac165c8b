"""Changes files of the configuration as a careful admin would: in place, in one step, and nothing but what is meant.

A file is written beside itself, put on the disk, and then takes the place of the old one. So whoever reads it, at any
moment and after any crash, sees all of the old one or all of the new one, and nobody sees it with wider rights than it
shall have.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from mastowatch.config import envfile
from mastowatch.errors import ConfigError

# What a file gets that was not there: settings hold no secret, and every unit's user reads them.
NEW_FILE_MODE = 0o644
_NAME = re.compile(r"[A-Z_][A-Z0-9_]*", re.ASCII)
# What systemd and a reader take for what it is, without quotes.
_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./?&~*\[\]-]*", re.ASCII)


def set_values(path: Path, values: Mapping[str, str]) -> list[str]:
    """Give settings in ``path`` these values; returns the names of those that had another one, or none.

    Comments, order, line endings, owner and mode stay. A value takes the place of the old one; else it comes under
    the comment that shows its default (``#NAME=``); else at the end. Of a name that stands there twice the last one
    counts, so that one changes. Writes nothing where nothing changes. A file that is not there is made.

    Raises ConfigError for a file that can't be read or written, or a value that has no place in one line.
    """
    path = path.resolve()
    text = _text(path)
    was = envfile.parse(text, str(path))
    changed = [name for name, value in values.items() if was.get(name) != value]
    if not changed:
        return []
    for name in changed:
        text = _with(text, name, _written(name, values[name], path))
    now = envfile.parse(text, str(path))
    if now != {**was, **values}:
        raise ConfigError(f"{path}: {', '.join(changed)} can't be set without changing other lines; edit it by hand")
    mode, owner = _rights(path)
    replace_file(path, text.encode(), mode=mode, owner=owner)
    return changed


def replace_file(path: Path, content: bytes, *, mode: int, owner: tuple[int, int] | None = None) -> None:
    """Put ``content`` in the place of ``path`` in one step, with these rights from the first moment on.

    ``owner`` is a uid and gid; None: whoever runs this. Raises ConfigError.
    """
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        try:
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                if owner is not None:
                    os.fchown(file.fileno(), *owner)
                os.fchmod(file.fileno(), mode)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            new.replace(path)
        except BaseException:
            new.unlink(missing_ok=True)
            raise
        _sync_directory(path.parent)
    except OSError as error:
        todo = "run this as root" if isinstance(error, PermissionError) else "nothing of it was changed"
        raise ConfigError(f"{path}: can't be written ({error.strerror}); {todo}") from error


def rights_of_secret(path: Path) -> tuple[int, tuple[int, int] | None]:
    """Return mode and owner for a file with a secret that is written anew: whoever owned it, and they alone.

    But for a group that was let in on purpose, like that of the user who needs it: a file that all may read was open by
    mistake.
    """
    try:
        now = path.stat()
    except OSError:  # not there yet; or not to be looked at, which writing tells better
        return 0o600, None
    group = 0 if now.st_mode & 0o007 else now.st_mode & 0o040
    return 0o600 | group, (now.st_uid, now.st_gid)


def _text(path: Path) -> str:
    try:
        # Not read_text(), which would turn \r\n into \n.
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        told = error.strerror if isinstance(error, OSError) else "no UTF-8 text"
        raise ConfigError(f"{path}: can't be read ({told}); it must be UTF-8 text that this user may read") from error


def _rights(path: Path) -> tuple[int, tuple[int, int] | None]:
    try:
        now = path.stat()
    except FileNotFoundError:
        return NEW_FILE_MODE, None
    return now.st_mode & 0o7777, (now.st_uid, now.st_gid)


def _written(name: str, value: str, path: Path) -> str:
    """Return the line, without its end; in quotes only where they are needed."""
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{path}: {name!r} is no name of a setting")
    if len(value.splitlines()) > 1 or value.splitlines(keepends=True) != value.splitlines() or "\0" in value:
        raise ConfigError(f"{path}: {name}: the value must be one line of text")
    if not value.isprintable() and not value.replace("\t", "").isprintable():
        raise ConfigError(f"{path}: {name}: the value holds a character that can't be shown")
    if _PLAIN.fullmatch(value):
        return f"{name}={value}"
    if "'" not in value:
        return f"{name}='{value}'"
    escaped = value.replace('"', '\\"')
    return f'{name}="{escaped}"'


def _with(text: str, name: str, line: str) -> str:
    """Return ``text`` with the assignment in its place."""
    lines = text.splitlines(keepends=True)
    end = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    first, last = _place(text, lines, name)
    if first > 0 and not lines[first - 1].endswith(("\n", "\r")):
        lines[first - 1] += end
    if first == last == len(lines) and lines and lines[-1].rstrip("\r\n").endswith("\\"):
        # It would be read as a part of the last line.
        lines.append(end)
        first = last = len(lines)
    lines[first:last] = [line + end]
    return "".join(lines)


def _place(text: str, lines: list[str], name: str) -> tuple[int, int]:
    """Return which lines the assignment takes the place of: from, and up to but without; alike if it comes between."""
    found = [one for one in envfile.assignments(text) if one.key == name]
    if found:
        return found[-1].first - 1, found[-1].last
    inside = {number for one in envfile.assignments(text) for number in range(one.first, one.last + 1)}
    default = re.compile(rf"\s*[#;]\s*{name}\s*=")
    for number, line in enumerate(lines, start=1):
        if number not in inside and default.match(line):
            return number, number
    return len(lines), len(lines)


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
