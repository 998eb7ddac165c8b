"""Reads the settings again at SIGHUP.

A bad file is told of and leaves all settings as they are; so it is with single settings that need a restart.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import replace

from mastowatch.config import Loaded
from mastowatch.config.loading import read
from mastowatch.errors import MastoWatchError
from mastowatch.logs import event, set_up

log = logging.getLogger(__name__)

# The connection to Redis is made once.
OF_REDIS = (
    "REDIS_URL",
    "REDIS_PASSWORD_FILE",
    "REDIS_CA_FILE",
    "REDIS_SENTINELS",
    "REDIS_SENTINEL_MASTER",
    "REDIS_SENTINEL_PASSWORD_FILE",
    "REDIS_WAIT_REPLICAS",
)


class Reloader:
    """Holds the settings in force: ``loaded``.

    ``fixed`` are NAMES of settings that this process reads at its start only. ``adopt`` puts new settings in force;
    it may raise MastoWatchError and must have changed nothing then.
    """

    def __init__(self, loaded: Loaded, adopt: Callable[[Loaded], None], fixed: Collection[str] = OF_REDIS) -> None:
        self.loaded = loaded
        self._adopt, self._fixed = adopt, fixed

    def reload(self) -> None:
        """Read and adopt the settings, and say what came of it."""
        try:
            found = read(self.loaded.sources)
            needing, kept = self._keep_fixed(found)
            self._adopt(kept)
        except MastoWatchError as error:
            event(log, logging.ERROR, "settings_not_reloaded", error=str(error), in_force="the settings from before")
            return
        changed = _changed(self.loaded, kept)
        self.loaded = kept
        set_up(kept.settings.log_level)
        event(log, logging.INFO, "settings_reloaded", changed=changed)
        if needing:
            event(log, logging.WARNING, "restart_needed", settings=needing, in_force="their values from before")

    def _keep_fixed(self, found: Loaded) -> tuple[list[str], Loaded]:
        """Return the fixed settings that differ, and ``found`` with their values in force."""
        needing = [name for name in _changed(self.loaded, found) if name in self._fixed]
        old = {name.lower(): getattr(self.loaded.settings, name.lower()) for name in needing}
        origins = {**found.origins, **{name: self.loaded.origins[name] for name in needing}}
        return needing, replace(found, settings=found.settings.model_copy(update=old), origins=origins)


def _changed(before: Loaded, after: Loaded) -> list[str]:
    old, new = before.settings.as_text(), after.settings.as_text()
    return [name for name in new if new[name] != old[name]]
