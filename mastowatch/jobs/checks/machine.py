"""This machine: room on its disks, its journal, who may read what, and the package."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from mastowatch import __version__
from mastowatch.config.loading import CREDENTIALS, DEFAULT_FILE, SECRETS
from mastowatch.jobs.checks.finding import Finding
from mastowatch.jobs.checks.redis import size
from mastowatch.jobs.checks.world import Away, World, is_local
from mastowatch.ports.host import FileFacts, Journal, LayoutFacts, Package, Running, Space

ETC = DEFAULT_FILE.parent
USER = "mastowatch"
LITTLE, VERY_LITTLE = 0.10, 0.03
# So much is enough, whatever part of a large disk it is.
AMPLE = 5 * 10**9
JOURNAL_LARGE = 4 * 10**9


def check_disk(world: World) -> list[Finding]:
    """Judge the room where Redis, the journal and the system write."""
    paths = ["/", "/var/log/journal"]
    try:
        if is_local(world):
            paths.append(str(world.redis.config_get("dir").get("dir", "/var/lib/redis")))
    except Exception as error:  # noqa: BLE001 -- Redis is away or does not tell: the other disks count all the same
        del error
    spaces = [one for path in paths if (one := world.host.space(path)) is not None]
    return judge_disk(spaces)


def judge_disk(spaces: Sequence[Space]) -> list[Finding]:
    """Judge each disk once."""
    found, seen = [], set()
    for one in spaces:
        disk = (one.total, one.free, one.entries)
        if disk in seen or not one.total:
            continue
        seen.add(disk)
        found.append(_room(one))
    bad = [one for one in found if one.state != "ok"]
    shown = ", ".join(one.says for one in found)
    return bad or [Finding("disk", "ok", shown)]


def _room(one: Space) -> Finding:
    part = one.free / one.total
    entries = one.entries_free / one.entries if one.entries else 1.0
    says = f"{one.path}: {size(one.free)} free ({part:.0%})"
    if entries < VERY_LITTLE:
        means = "No file can be made once its inodes are used up: Redis and the journal stop."
        return Finding(
            "disk",
            "failure",
            f"{one.path}: {entries:.0%} of its inodes free",
            means,
            f"du --inodes -xd2 {one.path} | sort -n | tail",
        )
    if part >= LITTLE or one.free >= AMPLE:
        return Finding("disk", "ok", says)
    means = "When it is full Redis can't write down its jobs and refuses new ones, and the journal stops."
    state = "failure" if part < VERY_LITTLE else "warning"
    return Finding("disk", state, says, means, f"du -xhd2 {one.path} | sort -h | tail")  # type: ignore[arg-type]


def check_journal(world: World) -> list[Finding]:
    """Judge the journal; there is none without systemd."""
    if not world.host.has_systemd():
        return [Finding("journal", "note", "no journal here", "The processes write to standard error.")]
    return judge_journal(world.host.journal())


def judge_journal(facts: Journal) -> list[Finding]:
    """Judge whether what is told is kept."""
    found = []
    if facts.suppressed:
        means = "The journal leaves out lines of a unit that tells too much; which, and what, stands before that."
        mend = "journalctl -t systemd-journald -g Suppressed --since -24h --no-pager"
        found.append(Finding("journal", "warning", f"{facts.suppressed} lines left out in the last day", means, mend))
    if facts.used is not None and facts.used > JOURNAL_LARGE:
        means = "It takes room that Redis may need."
        found.append(Finding("journal", "warning", f"{size(facts.used)} large", means, "journalctl --vacuum-size=1G"))
    if not facts.persistent:
        means = "What happened before a crash of this machine can't be read after it."
        mend = "mkdir -p /var/log/journal && systemctl restart systemd-journald"
        found.append(Finding("journal", "note", "kept in memory only, until the next boot", means, mend))
    shown = "size unknown" if facts.used is None else size(facts.used)
    ok = Finding("journal", "ok", f"{shown}, nothing left out")
    return found if any(one.state != "note" for one in found) else [ok, *found]


def check_files(world: World) -> list[Finding]:
    """Judge who may read and change the settings, the secrets and the rules."""
    loaded, _ = world.examined
    host = world.host
    workers = [one for one in host.below(ETC) if one.match("worker@*.env")]
    own = [ETC, DEFAULT_FILE, *workers, CREDENTIALS, *host.below(CREDENTIALS)]
    own += [loaded.settings.redis_ca_file] if loaded and loaded.settings.redis_ca_file else []
    rules_dir = loaded.settings.rules_dir if loaded else ETC / "rules.d"
    rules = [rules_dir, *host.below(rules_dir), *host.below(rules_dir / "lists")]
    named = [path for name in SECRETS.values() if loaded and (path := getattr(loaded.settings, name)) is not None]
    facts, hidden = host.files(dict.fromkeys([*own, *rules, *named]))
    password = bool(loaded and urlsplit(loaded.settings.redis_url).password)
    groups = host.groups_of(USER)
    secrets = [str(path) for path in named]
    # Settings of one's own are read by whoever starts the processes.
    units = loaded is not None and world.of_this_machine
    found = judge_files(facts, secrets=secrets, password_in_settings=password, groups=groups, units=units)
    if hidden or not host.is_root():
        return [*[one for one in found if one.state != "ok"], _unseen()]
    if not facts:
        return [Finding("file-modes", "note", f"there is no {ETC}", "Settings come from elsewhere.")]
    return found


def _unseen() -> Finding:
    says = f"{CREDENTIALS} is hidden from this user"
    return Finding(
        "file-modes",
        "unknown",
        says,
        "That is as it should be; root can look.",
        "sudo mastowatch doctor --check file-modes",
    )


def judge_files(
    facts: Sequence[FileFacts],
    *,
    secrets: Sequence[str],
    password_in_settings: bool,
    groups: frozenset[str] | None,
    units: bool = False,
) -> list[Finding]:
    """Judge each file; ``groups`` are those of the units' user, None where there is no such user.

    ``secrets`` are files that the settings name; ``units``: it is that user who must read them.
    """
    found: list[Finding] = []
    for one in facts:
        own = one.path not in secrets or Path(one.path).parent == CREDENTIALS
        found += _judge_file(one, password=password_in_settings, groups=groups) if own else ()
        found += _judge_named(one, groups if units else None) if one.path in secrets else ()
    return found[:20] or [Finding("file-modes", "ok", f"{len(facts)} files and directories are as they should be")]


def _judge_named(one: FileFacts, groups: frozenset[str] | None) -> Iterator[Finding]:
    """Judge a file with a secret that the settings name; ``groups`` as above, None where any user may need it."""
    shown = f"{one.path} is {one.owner}:{one.group} {one.mode:04o}"
    # For its owner alone: that must be who needs it.
    mend = f"chown {USER}: {one.path} && " if groups is not None and one.owner != USER else ""
    mend += f"chmod 0600 {one.path}"
    if Path(one.path).parent == CREDENTIALS:
        if groups is not None:
            says = f"the settings name {one.path}, where the units can't read it"
            means = "systemd hands them what lies there, if the settings don't name it: take that line out."
            yield Finding("file-modes", "failure", says, means, f"sudoedit {DEFAULT_FILE}")
    elif one.mode & 0o077:
        means = "It holds a secret, and others than its owner may read it."
        yield Finding("file-modes", "failure", shown, means, mend)
    elif groups is not None and not _may_read(one, groups):
        yield Finding("file-modes", "failure", shown, f"The units run as {USER}, and can't read it.", mend)


def _judge_file(one: FileFacts, *, password: bool, groups: frozenset[str] | None) -> Iterator[Finding]:
    path, name = Path(one.path), "file-modes"
    shown = f"{one.path} is {one.owner}:{one.group} {one.mode:04o}"
    if path == CREDENTIALS or path.parent == CREDENTIALS:
        wanted = 0o700 if one.is_dir else 0o600
        if (one.owner, one.mode & 0o777 & ~wanted) != ("root", 0):
            means = "Others than root may get at the secrets; if somebody may have read them, make new ones."
            mend = f"chown root:root {path} && chmod {wanted:04o} {path}"
            yield Finding(name, "failure", shown, means, mend)
        return
    if one.mode & 0o002:
        yield Finding(name, "failure", shown, "Anybody on this machine may change it.", f"chmod o-w {path}")
    elif groups is not None and not _may_read(one, groups):
        means = f"The units run as {USER}, and can't read it."
        mend = f"chmod {'o+rx' if one.is_dir else 'o+r'} {path}"
        if password and path == DEFAULT_FILE:
            mend = f"chgrp {USER} {path} && chmod 0640 {path}"
        yield Finding(name, "failure", shown, means, mend)
    elif password and path == DEFAULT_FILE and one.mode & 0o004:
        means = "REDIS_URL in it holds a password, which anybody on this machine may read."
        yield Finding(name, "warning", shown, means, f"chgrp {USER} {path} && chmod 0640 {path}")


def _may_read(one: FileFacts, groups: frozenset[str]) -> bool:
    needed = 0o5 if one.is_dir else 0o4
    if one.owner == USER:
        return one.mode >> 6 & needed == needed
    return (one.mode >> 3 if one.group in groups else one.mode) & needed == needed


def check_package(world: World) -> list[Finding]:
    """Judge the package, and whether the processes run what is installed."""
    try:
        running = list(layout_of(world).running)
    except Away:
        running = []
    return judge_package(world.host.package("mastowatch"), running)


def layout_of(world: World) -> LayoutFacts:
    """Return how the keys are laid out; raises Away or StoreUnavailable."""
    from mastowatch.jobs.context import layout_facts

    return layout_facts(world.redis)


def judge_package(package: Package | None, running: Sequence[Running]) -> list[Finding]:
    """Judge what dpkg says, and what runs."""
    name, found = "package", []
    if package is not None and package.state.strip() not in ("ii", "hi"):
        says = f"dpkg has mastowatch as {package.state.strip()!r}: not whole"
        means = "An installation or upgrade was cut off in the middle."
        found.append(Finding(name, "failure", says, means, "dpkg --configure -a && apt-get install -f"))
    others = [one for one in running if one.version != __version__ and one.kind != "command"]
    if others:
        says = f"{others[0]} runs, and {__version__} is installed here"
        says += f" (and {len(others) - 1} more)" if len(others) > 1 else ""
        means = "It runs what was installed when it started; a restart has it run the new version."
        mend = "systemctl restart mastowatch.target"
        found.append(Finding(name, "warning", says, means, mend))
    if found:
        return found
    shown = f"mastowatch {package.version}" if package else f"version {__version__}, not from a package"
    return [Finding(name, "ok", shown + (f"; {len(running)} processes run it" if running else ""))]


def check_layout(world: World) -> list[Finding]:
    """Judge the layout of the keys."""
    return [judge_layout(layout_of(world))]


def judge_layout(facts: LayoutFacts) -> Finding:
    """Judge whether this version can work with the keys."""
    name = "layout"
    if not re.fullmatch(r"[1-9][0-9]{0,8}", facts.raw, re.ASCII):
        means = "No version of MastoWatch has written that, so none touches the keys."
        says = f"mastowatch:layout holds {facts.raw[:20]!r}"
        return Finding(name, "failure", says, means, "mastowatch forget --force")
    found = int(facts.raw)
    if found > facts.known:
        means = "A newer version was here; this one touches nothing. Install the newer package again."
        return Finding(name, "failure", f"layout {found}, and this version knows {facts.known}", means)
    if facts.unfinished:
        means = "It was cut off, or is under way; the next process that starts goes on with it."
        return Finding(
            name,
            "warning",
            f"a migration to layout {facts.unfinished} is unfinished",
            means,
            "systemctl restart mastowatch.target",
        )
    if facts.announced or found < facts.known:
        older = [str(one) for one in facts.running if one.layout < facts.known]
        means = (
            f"It waits for these to end: {', '.join(older[:3])}."
            if older
            else "It begins with the next process that starts."
        )
        return Finding(
            name,
            "warning",
            f"a migration to layout {facts.announced or facts.known} is to come",
            means,
            "systemctl restart mastowatch.target",
        )
    return Finding(name, "ok", f"layout {found}, no migration under way")
