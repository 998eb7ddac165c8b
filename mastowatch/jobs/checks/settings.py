"""The settings and the secrets: whether processes could start with them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace

from mastowatch.config.loading import DEFAULT_FILE, SECRETS, examine
from mastowatch.jobs.checks.finding import Finding
from mastowatch.jobs.checks.world import World

_EDIT = f"sudoedit {DEFAULT_FILE}"
_OF_WORKER = re.compile(r"worker@([A-Za-z0-9_.:-]+)\.env", re.ASCII)
_ONE_WORKER = "This worker does not start with it, and a reload keeps what was before."


def check_settings(world: World) -> list[Finding]:
    """Judge what stands in the settings, and the files that they name."""
    loaded, faults = world.examined
    files = [str(path) for path in world.sources.files()]
    mend = f"sudoedit {files[0]}" if files else _EDIT
    if loaded is None and not world.host.is_root() and files and not os.access(files[0], os.R_OK):
        # As they should be where REDIS_URL holds a password.
        says, means = f"{files[0]} is hidden from this user", "Run it again as root to see the rest."
        return [Finding("settings", "unknown", says, means, "sudo mastowatch doctor")]
    if loaded is None:
        means = "No process starts with it, and a reload keeps what was before; much else is not looked at."
        return [Finding("settings", "failure", fault[:300], means, mend) for fault in faults[:10]]
    found = []
    if not loaded.settings.instance_base:
        means = "It says which Mastodon server is watched; setup asks for it, and for all the rest."
        found.append(Finding("settings", "failure", "INSTANCE_BASE is not set", means, "mastowatch setup"))
    for name in SECRETS:
        if fault := world.secret(name).fault:
            means = "The process that needs it does not start."
            found.append(Finding("settings", "failure", fault[:300], means))
    found += [Finding("settings", "failure", fault[:300], _ONE_WORKER, mend) for fault, mend in _of_workers(world)]
    return found or [Finding("settings", "ok", f"{', '.join(files) or 'no settings file'}; all can be read")]


def _of_workers(world: World) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the settings of single workers, worker@N.env beside all the others', and what mends it.

    One that this user may not read is root's and the units' alone.
    """
    for path in world.host.below((world.sources.file or DEFAULT_FILE).parent):
        name = _OF_WORKER.fullmatch(path.name)
        if name and os.access(path, os.R_OK):
            _, faults = examine(replace(world.sources, instance=name[1]))
            yield from ((fault, f"sudoedit {path}") for fault in faults)
