"""``mastowatch sign-in``: who may sign in to the dashboard, and how."""

from __future__ import annotations

import argparse
import getpass
import sys
from pathlib import Path

from mastowatch.config import Loaded, Sources
from mastowatch.config.loading import CREDENTIALS, DEFAULT_FILE, SECRETS, read
from mastowatch.config.writing import replace_file, rights_of_secret
from mastowatch.errors import ConfigError, MastodonError
from mastowatch.jobs.context import register_sign_in
from mastowatch.web.dashboard.access import Role
from mastowatch.web.dashboard.access.address import Address
from mastowatch.web.dashboard.access.oauth import CALLBACK
from mastowatch.web.dashboard.access.passwords import LEAST, MOST, NAME, Line, hash_password, parse_lines

PASSWORDS, CLIENT = "dashboard_passwords", "oauth_client"
_THEN = "In force after: systemctl restart mastowatch-dashboard"


def run(sources: Sources, arguments: argparse.Namespace) -> int:
    """Do what was asked for; 1 if there is no such person or the server refuses."""
    loaded = read(sources)
    actions = {"mastodon": _mastodon, "password": _password, "list": _list, "remove": _remove}
    return actions[arguments.action](loaded, arguments)


def _mastodon(loaded: Loaded, arguments: argparse.Namespace) -> int:
    del arguments
    path = _path(loaded, CLIENT)
    answer_to = f"{Address(loaded.settings).url}{CALLBACK}"
    try:
        client_id, secret, scope = register_sign_in(loaded.settings, answer_to)
    except MastodonError as error:
        print(f"mastowatch: {error}", file=sys.stderr)
        return 1
    _write(path, f"{client_id}\n{secret}\n{scope}\n")
    print(f"Registered with {loaded.settings.instance_base}, which sends people back to {answer_to}.")
    print(f"Written into {path}. {_THEN}")
    if not loaded.settings.dashboard_url:
        print("If people reach the dashboard by another address, set DASHBOARD_URL, then do this again.")
    return 0


def _password(loaded: Loaded, arguments: argparse.Namespace) -> int:
    if not NAME.fullmatch(arguments.name):
        raise ConfigError(f"command line: {arguments.name!r} is no name; take letters, digits, and _ . - inside")
    path = _path(loaded, PASSWORDS)
    people = read_people(path)
    _write(path, with_password(people, arguments.name, arguments.role, _asked()))
    did = "has a new password" if any(one.name == arguments.name for one in people) else "may sign in"
    print(f"{arguments.name} {did}, as {arguments.role!r}. Sessions from before are over. {_THEN}")
    return 0


def _list(loaded: Loaded, arguments: argparse.Namespace) -> int:
    del arguments
    passwords = _place(loaded, PASSWORDS)
    for line in read_people(passwords) if passwords else ():
        print(f"{line.name}  {line.role}  by password")
    if _filled(_place(loaded, CLIENT)):
        print(f"Whoever has a role at {loaded.settings.instance_base or 'Mastodon'}, as that says")
    return 0


def _remove(loaded: Loaded, arguments: argparse.Namespace) -> int:
    path = _path(loaded, PASSWORDS)
    lines = read_people(path)
    left = [line for line in lines if line.name != arguments.name]
    if len(left) == len(lines):
        print(f"mastowatch: {path}: there is no {arguments.name!r}", file=sys.stderr)
        return 1
    _write(path, _text(left))
    print(f"{arguments.name} may not sign in any more. {_THEN}")
    return 0


def _asked() -> str:
    """Return the new password: asked for twice at a terminal, else the first line of what comes in."""
    if sys.stdin.isatty():
        try:
            password, again = getpass.getpass("Password: "), getpass.getpass("Once more: ")
        except (EOFError, KeyboardInterrupt) as error:
            raise ConfigError("no password was given; nothing has changed") from error
        if password != again:
            raise ConfigError("the two are not the same; nothing has changed")
    else:
        password = sys.stdin.readline().rstrip("\n")
    if not LEAST <= len(password) <= MOST:
        raise ConfigError(f"a password must have {LEAST} to {MOST} characters; nothing has changed")
    return password


def _path(loaded: Loaded, name: str) -> Path:
    path = _place(loaded, name)
    if path is None:
        raise ConfigError(
            f"{loaded.sources.file}: {SECRETS[name].upper()} is not set; name a file there: that of this machine's "
            "units is not theirs"
        )
    return path


def _place(loaded: Loaded, name: str) -> Path | None:
    """Return the file; None where settings of one's own name none."""
    named: Path | None = getattr(loaded.settings, SECRETS[name])
    file = loaded.sources.file
    own = file is not None and file.resolve() != DEFAULT_FILE.resolve()
    return named or (None if own else CREDENTIALS / name)


def _filled(path: Path | None) -> bool:
    try:
        return path is not None and path.stat().st_size > 1
    except FileNotFoundError:
        return False
    except OSError as error:
        raise ConfigError(f"{path}: can't be read ({error.strerror}); run this as root") from error


def with_password(people: list[Line], name: str, role: Role, password: str) -> str:
    """Return the text of the file with another password for ``name``, whether they are there already or not."""
    return _text([*(one for one in people if one.name != name), Line(name, role, hash_password(password))])


def read_people(path: Path) -> list[Line]:
    """Return who may sign in by a password; raises ConfigError."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        told = error.strerror if isinstance(error, OSError) else "no text"
        raise ConfigError(f"{path}: can't be read ({told}); run this as root") from error
    return list(parse_lines(text, str(path)))


def _text(lines: list[Line]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _write(path: Path, text: str) -> None:
    """Replace the file in one step, for whoever could read it before, or for root."""
    mode, owner = rights_of_secret(path)
    replace_file(path, text.encode(), mode=0o600 if path.parent == CREDENTIALS else mode, owner=owner)
