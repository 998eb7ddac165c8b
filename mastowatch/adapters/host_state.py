"""Asks this machine how it is: systemd, dpkg, the journal and the disks. Changes nothing, and waits for nobody long."""

from __future__ import annotations

import grp
import os
import pwd
import re
import stat
import subprocess
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from mastowatch.ports.host import FileFacts, Journal, Package, Space, Unit

PATIENCE_S = 8.0
WANTS = Path("/etc/systemd/system/mastowatch.target.wants")
JOURNAL = Path("/var/log/journal")
_FIXED = (
    "mastowatch.target",
    "mastowatch-scheduler.service",
    "mastowatch-stream.service",
    "mastowatch-api.service",
    "mastowatch-api.socket",
    "mastowatch-dashboard.service",
)
_WORKERS = "mastowatch-worker@*.service"
_PROPERTIES = (
    "Id", "LoadState", "UnitFileState", "ActiveState", "SubState", "Result", "NRestarts", "StatusText",
    "ConditionResult", "ConditionTimestampMonotonic", "WatchdogUSec", "WatchdogTimestampMonotonic", "MainPID",
)  # fmt: skip
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(us|ms|s|min|h)?")
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}
_SIZES = {"B": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_ENVIRON = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "SYSTEMD_PAGER": "", "SYSTEMD_COLORS": "0"}


def has_systemd() -> bool:
    """Whether systemd runs this machine."""
    return Path("/run/systemd/system").is_dir()


def units() -> list[Unit] | None:
    """Return our units, enabled and running instances of the worker among them; None where systemd does not answer."""
    told = _run("systemctl", "show", *_FIXED, _WORKERS, *_enabled_workers(), "--property", ",".join(_PROPERTIES))
    if told is None:
        return None
    found = {unit.name: unit for block in told.split("\n\n") if (unit := _unit(_fields(block))) is not None}
    return sorted(found.values(), key=lambda unit: unit.name)


def _enabled_workers() -> list[str]:
    with suppress(OSError):
        return sorted(path.name for path in WANTS.iterdir() if path.name.startswith("mastowatch-worker@"))
    return []


def _fields(block: str) -> Mapping[str, str]:
    return dict(line.split("=", 1) for line in block.splitlines() if "=" in line)


def _unit(told: Mapping[str, str]) -> Unit | None:
    if not told.get("Id"):
        return None
    fed_us = int(told.get("WatchdogTimestampMonotonic") or 0)
    pid = int(told.get("MainPID") or 0)
    return Unit(
        name=told["Id"],
        loaded=told.get("LoadState") == "loaded",
        enabled=told.get("UnitFileState") in ("enabled", "enabled-runtime"),
        active=told.get("ActiveState", ""),
        sub=told.get("SubState", ""),
        result=told.get("Result", ""),
        restarts=int(told.get("NRestarts") or 0),
        says=told.get("StatusText", ""),
        # Before the first look at them systemd calls them not met, too.
        condition=told.get("ConditionResult") != "no" or told.get("ConditionTimestampMonotonic", "0") == "0",
        watchdog_s=seconds(told.get("WatchdogUSec", "")),
        fed_s=max(0.0, time.monotonic() - fed_us / 1e6) if fed_us else None,
        stopped=bool(pid) and _stands_still(pid),
    )


def seconds(span: str) -> float:
    """Read a span as systemctl shows it, like "15s" or "1min 30s"; 0 for none ("infinity")."""
    return sum(float(number) * _SECONDS[unit or "us"] for number, unit in _SPAN.findall(span))


def _stands_still(pid: int) -> bool:
    with suppress(OSError):
        told = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        # Behind the name in brackets, which may hold anything.
        return told.rpartition(")")[2].split()[0] == "T"
    return False


def package(name: str) -> Package | None:
    """Return a package's state and version; None where dpkg does not know it, or is not there."""
    told = _run("dpkg-query", "-W", "-f", "${db:Status-Abbrev}|${Version}", name)
    if told is None:
        return None
    state, _, version = told.strip("\n").partition("|")
    return Package(state, version)


def journal() -> Journal:
    """Return how large the journal is, whether it outlives a boot, and what it left out of ours."""
    told = _run("journalctl", "--disk-usage")
    size = re.search(r"take up ([\d.]+)([BKMGT])", told or "")
    used = int(float(size[1]) * _SIZES[size[2]]) if size else None
    since = ("--since=-24h", "-n", "1000")
    lines = _run("journalctl", "-q", "-o", "cat", "-t", "systemd-journald", *since) or ""
    left_out = sum(int(count) for count in re.findall(r"Suppressed (\d+) messages from \S*mastowatch", lines))
    return Journal(used, JOURNAL.is_dir(), left_out)


def space(path: str) -> Space | None:
    """Return how much room is left on the disk that holds ``path``; None where there is no such path."""
    try:
        found = os.statvfs(path)
    except OSError:
        return None
    size = found.f_frsize
    return Space(path, found.f_blocks * size, found.f_bavail * size, found.f_files, found.f_favail)


def files(paths: Iterable[Path]) -> tuple[list[FileFacts], list[str]]:
    """Return the facts of those that are there, and which of them this user may not look at."""
    found, hidden = [], []
    for path in paths:
        try:
            facts = path.stat()
        except PermissionError:
            hidden.append(str(path))
        except OSError:
            continue
        else:
            owner, group = _user(facts.st_uid), _group(facts.st_gid)
            is_dir = stat.S_ISDIR(facts.st_mode)
            found.append(FileFacts(str(path), stat.S_IMODE(facts.st_mode), owner, group, is_dir, facts.st_size))
    return found, hidden


def below(directory: Path) -> list[Path]:
    """Return what stands in a directory, the first 1,000; nothing of one that is away or hidden."""
    with suppress(OSError):
        return sorted(directory.iterdir())[:1000]
    return []


def groups_of(user: str) -> frozenset[str] | None:
    """Return the groups that a user is in; None where there is no such user."""
    try:
        own = _group(pwd.getpwnam(user).pw_gid)
    except KeyError:
        return None
    return frozenset({own, *(one.gr_name for one in grp.getgrall() if user in one.gr_mem)})


def load() -> tuple[float, int]:
    """Return how many processes wanted a processor in the last minute, and how many processors there are."""
    return os.getloadavg()[0], os.cpu_count() or 1


def is_root() -> bool:
    """Whether this process may see everything."""
    return os.geteuid() == 0


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _run(*words: str) -> str | None:
    """Return what a program printed; None where it is not there, failed, or took too long."""
    try:
        done = subprocess.run(  # noqa: S603 -- words of ours, and no shell
            words, capture_output=True, timeout=PATIENCE_S, check=True, env=_ENVIRON, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace")
