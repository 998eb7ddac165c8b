"""What a machine says of itself, as far as the user who asks may see it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit as ``systemctl show`` has it.

    ``watchdog_s`` is its patience, 0 without a watchdog; ``fed_s`` are the seconds since its last sign of life.
    ``condition``: what it needs to start was there when systemd last looked. ``stopped``: its main process stands
    still by a signal (SIGSTOP).
    """

    name: str
    loaded: bool = True
    enabled: bool = False
    active: str = "inactive"
    sub: str = "dead"
    result: str = "success"
    restarts: int = 0
    says: str = ""
    condition: bool = True
    watchdog_s: float = 0.0
    fed_s: float | None = None
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A file or directory. ``owner`` and ``group`` by name; ``mode`` the twelve bits; ``is_dir``."""

    path: str
    mode: int
    owner: str
    group: str
    is_dir: bool
    size: int


@dataclass(frozen=True, slots=True)
class Package:
    """A package as dpkg has it; ``state`` is its three letters, "ii " for one that is installed and configured."""

    state: str
    version: str


@dataclass(frozen=True, slots=True)
class Space:
    """Room on the disk that holds ``path``: bytes, and entries (inodes), in all and free for users."""

    path: str
    total: int
    free: int
    entries: int
    entries_free: int


@dataclass(frozen=True, slots=True)
class Journal:
    """``used`` bytes, None where it could not be asked; ``suppressed`` lines of ours left out in the last 24 hours."""

    used: int | None
    persistent: bool
    suppressed: int


@dataclass(frozen=True, slots=True)
class Running:
    """A process of ours that lives, and which layout of the keys it understands."""

    layout: int
    version: str
    kind: str
    host: str
    pid: int

    def __str__(self) -> str:
        return f"{self.kind} on {self.host} (process {self.pid}, version {self.version})"


@dataclass(frozen=True, slots=True)
class LayoutFacts:
    """The layout of the keys as it stands in Redis (``raw``), and the one that this version knows.

    ``unfinished`` is the layout that a migration leads to which has begun, ``announced`` one that waits; "" for none.
    """

    raw: str
    known: int
    unfinished: str
    announced: str
    running: tuple[Running, ...]


class Host(Protocol):
    """This machine. What can't be seen is None, and nothing is raised for it."""

    def has_systemd(self) -> bool:
        """Whether systemd runs it."""
        ...

    def units(self) -> list[Unit] | None:
        """Return our units, and the instances of the worker that run or are enabled."""
        ...

    def package(self, name: str) -> Package | None:
        """Return how dpkg has a package."""
        ...

    def journal(self) -> Journal:
        """Return how the journal is."""
        ...

    def space(self, path: str) -> Space | None:
        """Return the room on the disk that holds ``path``."""
        ...

    def files(self, paths: Iterable[Path]) -> tuple[list[FileFacts], list[str]]:
        """Return the facts of those that are there, and which of them this user may not look at."""
        ...

    def below(self, directory: Path) -> list[Path]:
        """Return what stands in a directory."""
        ...

    def groups_of(self, user: str) -> frozenset[str] | None:
        """Return the groups that a user is in."""
        ...

    def load(self) -> tuple[float, int]:
        """Return how many processes wanted a processor in the last minute, and how many processors there are."""
        ...

    def is_root(self) -> bool:
        """Whether everything may be seen."""
        ...
