"""Where everything lies that is looked at or written; a test lays it out below a directory of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mastowatch.config.loading import CREDENTIALS, DEFAULT_FILE

UNIT = "redis-server@mastowatch.service"


@dataclass(frozen=True, slots=True)
class Places:
    """``units`` says whether the settings are those of the units of this machine."""

    env: Path = DEFAULT_FILE
    credentials: Path = CREDENTIALS
    units: bool = True
    systemd: Path = Path("/run/systemd/system")
    redis_config: Path = Path("/etc/redis/redis-mastowatch.conf")
    redis_data: Path = Path("/var/lib/redis/mastowatch")
    redis_socket: Path = Path("/run/redis-mastowatch/redis-server.sock")
    redis_template: tuple[Path, ...] = (
        Path("/etc/systemd/system/redis-server@.service"),
        Path("/usr/lib/systemd/system/redis-server@.service"),
        Path("/lib/systemd/system/redis-server@.service"),
    )
    redis_drop_in: Path = Path(f"/etc/systemd/system/{UNIT}.d/mastowatch.conf")
    wants: Path = Path("/etc/systemd/system/mastowatch.target.wants")

    @classmethod
    def of(cls, file: Path | None) -> Places:
        """Return those of the settings that --config names. Secrets of others than the units' lie beside them."""
        if file is None or file.resolve() == DEFAULT_FILE.resolve():
            return cls()
        file = file.absolute()
        return cls(env=file, credentials=file.parent / "credentials", units=False)

    def secret(self, name: str) -> Path:
        """Return where the secret called ``name`` lies, if the settings don't name another file."""
        return self.credentials / name
