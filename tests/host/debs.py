"""The package under test, and one of an earlier version made from it: the same code, other conffiles.

There is no earlier release yet. What an upgrade can break is dpkg's and systemd's part, and that is the same.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

OLDER = "0.0.9"
# Each is added to a conffile of the older version: the new version's default differs then.
OLDER_LINE = "# A line that only the earlier version had.\n"
CHANGED = ("etc/mastowatch/mastowatch.env", "etc/mastowatch/rules.d/casino-words.toml")


@dataclass(frozen=True)
class Debs:
    """Where the packages are, and the library that shifts a process' clock."""

    deb: Path
    older: Path
    clock: Path
    source: Path

    def told(self) -> dict[str, str]:
        return {"deb": str(self.deb), "older": str(self.older), "clock": str(self.clock), "source": str(self.source)}


def built(directory: Path) -> Path:
    """Return the package that ``make deb`` has built."""
    found = sorted(directory.glob("mastowatch_*.deb"))
    if len(found) != 1:
        raise SystemExit(f"{directory} has {len(found)} packages of mastowatch; `make deb` builds one")
    return found[0]


def prepare(deb: Path, place: Path) -> Debs:
    """Make in ``place`` what the tests need beside ``deb``."""
    here = Path(__file__).parent
    clock = place / "clock.so"
    compiler = ["gcc", "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", str(clock), str(here / "clock.c")]
    subprocess.run(compiler, check=True)
    return Debs(deb.resolve(), _make_older(deb, place), clock, here.parents[1])


def _make_older(deb: Path, place: Path) -> Path:
    tree = place / "older"
    subprocess.run(["dpkg-deb", "--raw-extract", str(deb), str(tree)], check=True)
    for name in CHANGED:
        file = tree / name
        file.write_text(file.read_text() + OLDER_LINE)
        _update_sum(tree, name)
    code = "usr/lib/mastowatch/site-packages/mastowatch/__init__.py"
    _replace(tree / code, r"(?m)^(__version__ = )\S+$", rf'\g<1>"{OLDER}"')
    _update_sum(tree, code)
    _replace(tree / "DEBIAN/control", r"(?m)^Version: \S+$", f"Version: {OLDER}")
    older = place / f"mastowatch_{OLDER}_amd64.deb"
    # Made for a test of a minute: packing it well would take longer than the test.
    subprocess.run(["dpkg-deb", "-Zgzip", "-z1", "--root-owner-group", "--build", str(tree), str(older)], check=True)
    return older


def _replace(file: Path, pattern: str, text: str) -> None:
    changed, times = re.subn(pattern, text, file.read_text())
    assert times == 1, f"{file}: {pattern} found {times} times"
    file.write_text(changed)


def _update_sum(tree: Path, name: str) -> None:
    """Write the sum of a changed file where dpkg -V looks for it (conffiles have theirs in dpkg's own records)."""
    sums = tree / "DEBIAN/md5sums"
    digest = hashlib.md5((tree / name).read_bytes(), usedforsecurity=False).hexdigest()
    sums.write_text(re.sub(rf"(?m)^\S+(  {re.escape(name)})$", rf"{digest}\g<1>", sums.read_text()))
