"""The package under test, and an earlier and a later version made from it: the same code, other conffiles.

There is no other release yet. What an upgrade can break is dpkg's and systemd's part, and that is the same.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

OLDER, LATER = "0.0.9", "0.1.1"
# Added to each of these conffiles: the other version's default differs then.
OTHER_LINE = "# A line that only version {} has.\n"
CHANGED = ("etc/mastowatch/mastowatch.env", "etc/mastowatch/rules.d/casino-words.toml")


@dataclass(frozen=True)
class Debs:
    """Where the packages are, and the library that shifts a process' clock."""

    deb: Path
    older: Path
    later: Path
    clock: Path
    source: Path

    def told(self) -> dict[str, str]:
        return {name: str(path) for name, path in asdict(self).items()}


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
    older, later = (_variant(deb, version, place) for version in (OLDER, LATER))
    return Debs(deb.resolve(), older, later, clock, here.parents[1])


def _variant(deb: Path, version: str, place: Path) -> Path:
    tree = place / version
    subprocess.run(["dpkg-deb", "--raw-extract", str(deb), str(tree)], check=True)
    for name in CHANGED:
        file = tree / name
        file.write_text(file.read_text() + OTHER_LINE.format(version))
        _update_sum(tree, name)
    code = "usr/lib/mastowatch/site-packages/mastowatch/__init__.py"
    _replace(tree / code, r"(?m)^(__version__ = )\S+$", rf'\g<1>"{version}"')
    _update_sum(tree, code)
    _replace(tree / "DEBIAN/control", r"(?m)^Version: \S+$", f"Version: {version}")
    packed = place / f"mastowatch_{version}_amd64.deb"
    # Made for a test of a minute: packing it well would take longer than the test.
    subprocess.run(["dpkg-deb", "-Zgzip", "-z1", "--root-owner-group", "--build", str(tree), str(packed)], check=True)
    shutil.rmtree(tree)
    return packed


def _replace(file: Path, pattern: str, text: str) -> None:
    changed, times = re.subn(pattern, text, file.read_text())
    assert times == 1, f"{file}: {pattern} found {times} times"
    file.write_text(changed)


def _update_sum(tree: Path, name: str) -> None:
    """Write the sum of a changed file where dpkg -V looks for it (conffiles have theirs in dpkg's own records)."""
    sums = tree / "DEBIAN/md5sums"
    digest = hashlib.md5((tree / name).read_bytes(), usedforsecurity=False).hexdigest()
    sums.write_text(re.sub(rf"(?m)^\S+(  {re.escape(name)})$", rf"{digest}\g<1>", sums.read_text()))
