"""``make test-host``: boots Debian 12 and 13, a host or two for each chapter, and tests the package there. Needs root.

Each host is tested by a pytest of its own in fresh network, mount and process namespaces, so that nothing of it
outlives that pytest, however it ends. Directories and cgroups carry the pid of this process; what a killed run has
left is removed by the next one.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.host import debs, failures, table
from tests.host.rootfs import RELEASES, rootfs

ROOT = Path(__file__).parents[2]
# What is told on which releases; documents are walked through on the newest, as their commands are the same on all.
CHAPTERS: dict[str, tuple[str, ...]] = {
    "life": RELEASES,
    "faults": RELEASES,
    "walk": ("trixie",),
    "pair": ("bookworm",),
}
MARK = "mastowatch-host-"
WORK = Path("/var/tmp")  # on disk: what the hosts write is not to fill the memory
TOOLS = ("systemd-container", "mmdebstrap", "iproute2", "util-linux", "gcc", "libc6-dev")
ENVIRON = "MASTOWATCH_HOST"


@dataclass
class Bench:
    """A host to be and the pytest that tests it."""

    release: str
    chapter: str
    place: Path
    cgroup: Path
    status: int = 1
    last_lines: deque[str] = field(default_factory=lambda: deque(maxlen=failures.LINES))

    @property
    def name(self) -> str:
        return f"{self.release}-{self.chapter}"

    @property
    def failures(self) -> Path:
        return self.place / "failures"


def main() -> int:
    arguments = _arguments()
    _become_root()
    subprocess.run([ROOT / "packaging/install-debian-packages", *TOOLS], check=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    _remove_leftovers()
    began = time.monotonic()
    with _workplace() as place:
        made = debs.prepare(arguments.deb, place)
        with ThreadPoolExecutor() as several:
            roots = dict(zip(arguments.releases, several.map(rootfs, arguments.releases), strict=True))
        benches = [
            _bench(release, chapter, place)
            for release in arguments.releases
            for chapter in arguments.chapters
            if release in CHAPTERS[chapter]
        ]
        _run(benches, roots, made, arguments.pytest)
        measured = [json.loads(line) for one in benches for line in _lines(one.place / "measured")]
        failed = [(one, failures.read(one.failures)) for one in benches if one.status]
    print(table.render(measured, arguments.releases), flush=True)
    # Last of all: of an output that was cut this must be left.
    for one, found in failed:
        _print(one, failures.excerpt(found, one.last_lines))
    for one, found in failed:
        _print(one, failures.names(found))
    said = f"FAILED: {', '.join(one.name for one, _ in failed)}" if failed else "all hosts passed"
    print(f"{time.monotonic() - began:.0f} s; {said}")
    return 1 if failed else 0


def _print(one: Bench, lines: list[str]) -> None:
    for line in lines:
        print(f"{one.name} | {line}", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make test-host", description=__doc__)
    parser.add_argument("--release", action="append", choices=RELEASES, dest="releases", help="default: all")
    parser.add_argument("--chapter", action="append", choices=CHAPTERS, dest="chapters", help="default: all")
    parser.add_argument("--deb", type=Path, help="the package; default: dist/mastowatch_*.deb")
    arguments, arguments.pytest = parser.parse_known_args()
    arguments.releases = arguments.releases or list(RELEASES)
    arguments.chapters = arguments.chapters or list(CHAPTERS)
    if not any(set(CHAPTERS[one]) & set(arguments.releases) for one in arguments.chapters):
        parser.error(f"on {', '.join(arguments.releases)} there is no {', '.join(arguments.chapters)}: see CHAPTERS")
    arguments.deb = arguments.deb or debs.built(ROOT / "dist")
    return arguments


def _become_root() -> None:
    """Go on as root: by sudo, or not at all. Booting a machine is nothing that an ordinary user may do."""
    if os.geteuid() == 0:
        return
    if shutil.which("sudo") is None:
        raise SystemExit("make test-host boots whole machines and needs root: run it as root, or install sudo")
    os.execvp("sudo", ["sudo", sys.executable, "-B", "-m", "tests.host", *sys.argv[1:]])


def _bench(release: str, chapter: str, place: Path) -> Bench:
    one = Bench(release, chapter, place / f"{release}-{chapter}", _cgroups() / f"{place.name}-{release}-{chapter}")
    one.place.mkdir()
    one.cgroup.mkdir()
    return one


def _run(benches: list[Bench], roots: dict[str, Path], made: debs.Debs, pytest: list[str]) -> None:
    """Run all of them at once and show what they print as it comes."""
    width = max(len(one.name) for one in benches)
    with contextlib.ExitStack() as stack:
        readers = []
        for one in benches:
            process = stack.enter_context(_pytest(one, roots[one.release], made, pytest))
            readers.append(threading.Thread(target=_show, args=(process, one, width)))
            readers[-1].start()
        for reader in readers:
            reader.join()


@contextlib.contextmanager
def _pytest(one: Bench, root: Path, made: debs.Debs, options: list[str]) -> Iterator[subprocess.Popen[str]]:
    """Start the pytest of a host; at the end of the block nothing of it is left."""
    # The first process of the process namespace takes all others with it when it ends, and ends when we do.
    fresh = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--"]
    command = [sys.executable, "-B", "-m", "pytest", "-v", "--tb=short", "-p", "no:cacheprovider"]
    # Clients of the Mastodon in this process are killed; what it leaves open then is found at any later moment, and
    # says nothing about the host.
    command += ["-W", "default::pytest.PytestUnraisableExceptionWarning"]
    command += ["-p", "tests.host.failures", f"--failures={one.failures}"]
    told = {
        "name": one.name,
        "release": one.release,
        "root": str(root),
        "place": str(one.place),
        "cgroup": str(one.cgroup),
        **made.told(),
    }
    process = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", "--", *fresh, *command, f"tests/host/{one.chapter}", *options],
        cwd=ROOT,
        env={**os.environ, ENVIRON: json.dumps(told), "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,  # Ctrl-C is for us; we end them
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _show(process: subprocess.Popen[str], one: Bench, width: int) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        one.last_lines.append(line.rstrip())
        print(f"{one.name:<{width}} | {line.rstrip()}", flush=True)
    one.status = process.wait()


@contextlib.contextmanager
def _workplace() -> Iterator[Path]:
    place = WORK / f"{MARK}{os.getpid()}"
    place.mkdir()
    try:
        yield place
    finally:
        _remove(os.getpid())


def _remove_leftovers() -> None:
    """Remove what runs have left that were killed."""
    for one in WORK.glob(f"{MARK}*"):
        pid = int(one.name.removeprefix(MARK))
        if not Path(f"/proc/{pid}").exists():
            _remove(pid)


def _remove(pid: int) -> None:
    """Remove the directories and cgroups of the run ``pid``; its mounts have gone with their namespaces."""
    for one in _cgroups().glob(f"{MARK}{pid}-*"):
        (one / "cgroup.kill").write_text("1")
        for _ in range(200):
            if "populated 0" in (one / "cgroup.events").read_text():
                break
            time.sleep(0.02)
        for group in sorted(one.rglob("*"), reverse=True):
            if group.is_dir():
                group.rmdir()
        one.rmdir()
    shutil.rmtree(WORK / f"{MARK}{pid}")


def _cgroups() -> Path:
    """Return where the second version of control groups is mounted."""
    for line in _lines(Path("/proc/mounts")):
        _, where, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(where)
    raise SystemExit("no cgroup2 file system is mounted; a host can't be booted without one")


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("interrupted; the hosts are gone")
