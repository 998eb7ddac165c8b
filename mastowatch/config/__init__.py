"""One typed, frozen object of settings, read once, and where each value came from."""

from mastowatch.config.loading import Loaded, load
from mastowatch.config.settings import Bind, Settings

__all__ = ["Bind", "Loaded", "Settings", "load"]
