"""One typed, frozen object of settings, and where each value came from; read at the start and at a reload."""

from mastowatch.config.loading import Loaded, Sources, load
from mastowatch.config.settings import Bind, Settings

__all__ = ["Bind", "Loaded", "Settings", "Sources", "load"]
