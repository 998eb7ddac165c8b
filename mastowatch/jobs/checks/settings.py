"""The settings and the secrets: whether processes could start with them."""

from __future__ import annotations

from mastowatch.config.loading import DEFAULT_FILE, SECRETS
from mastowatch.jobs.checks.finding import Finding
from mastowatch.jobs.checks.world import World

_EDIT = f"sudoedit {DEFAULT_FILE}"


def check_settings(world: World) -> list[Finding]:
    """Judge what stands in the settings, and the files that they name."""
    loaded, faults = world.examined
    files = [str(path) for path in world.sources.files()]
    mend = f"sudoedit {files[0]}" if files else _EDIT
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
    return found or [Finding("settings", "ok", f"{', '.join(files) or 'no settings file'}; all can be read")]
