"""One booted Debian: systemd as its first process, in namespaces and a cgroup of its own.

A host has the network namespace of the test process (``python -m tests.host`` gives each a private one), so a test
talks to 127.0.0.1 and is on the host; or the one that ``network`` names, where there is more than one host. Its disk
is an overlay over the root file system in the cache.
"""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.host.waiting import wait

BOOT_S = 180.0
_ENVIRON = ("PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8", "SYSTEMD_PAGER=", "TERM=dumb")


class Done(NamedTuple):
    """How a command ended; ``out`` and ``err`` are what it printed."""

    status: int
    out: str
    err: str


class Host:
    """``place`` is an empty directory for its disk and console, ``cgroup`` one that is there for it alone."""

    def __init__(self, name: str, root: Path, place: Path, cgroup: Path, network: str = "/proc/self/ns/net") -> None:
        self._network = network
        self.name, self.place, self._cgroup = name, place, cgroup
        self.disk, self.console = place / "disk", place / "console"
        self._init = 0
        self._nspawn: subprocess.Popen[bytes] | None = None
        for part in ("disk", "changes", "work"):
            (place / part).mkdir()
        self._lay(root)
        (self.disk / "etc/hostname").write_text(f"{name}\n")
        (self.disk / "etc/hosts").write_text(f"127.0.0.1 localhost {name}\n::1 localhost\n")
        # No host outlives a power cut, so dpkg need not wait for the disk after each of a thousand files.
        (self.disk / "etc/dpkg/dpkg.cfg.d/host-tests").write_text("force-unsafe-io\n")

    def _lay(self, root: Path) -> None:
        layers = f"lowerdir={root},upperdir={self.place / 'changes'},workdir={self.place / 'work'}"
        mount = ["mount", "-t", "overlay", "overlay", "-o", layers, str(self.disk)]
        if subprocess.run(mount, check=False, stderr=subprocess.DEVNULL).returncode:
            # In a container, whose own disk is an overlay: none goes over another.
            subprocess.run(["cp", "-a", "--reflink=auto", f"{root}/.", str(self.disk)], check=True)

    def boot(self) -> float:
        """Start it; return the seconds until systemd says that it runs."""
        began = time.monotonic()
        # Two hosts in one cgroup would kill each other's processes.
        enter = 'echo $$ >"$1/cgroup.procs" && shift && SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 exec "$@"'
        command = ["systemd-nspawn", "-q", "--keep-unit", "--register=no", "-M", self.name, "-b", "-D", str(self.disk)]
        command += [f"--network-namespace-path={self._network}", "--console=pipe"]
        with self.console.open("ab") as console:
            self._nspawn = subprocess.Popen(
                ["sh", "-c", enter, "sh", str(self._cgroup), *command],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
            )
        wait(self._find_init, BOOT_S, f"{self.name} has a first process", every_s=0.02)
        wait(self._is_up, BOOT_S, f"{self.name} is up")
        return time.monotonic() - began

    def off(self) -> None:
        """Switch it off, as a person would."""
        self._leave("poweroff")

    def kill(self) -> None:
        """Pull its plug."""
        assert self._nspawn is not None
        (self._cgroup / "cgroup.kill").write_text("1")
        self._nspawn.wait(BOOT_S)
        self._init = 0

    def reboot(self) -> float:
        """Boot it again; return the seconds from the word to "running"."""
        began = time.monotonic()
        self._leave("reboot")
        self.boot()
        return time.monotonic() - began

    def run(
        self, *command: str, check: bool = True, user: str = "", timeout: float = 120, given: str | None = None
    ) -> Done:
        """Run a command on it, as root or ``user``; ``given`` is its standard input."""
        done = subprocess.run(
            self.inside(*command, user=user),
            input=given if given is not None else "",
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        told = Done(done.returncode, done.stdout, done.stderr)
        assert not check or told.status == 0, f"{' '.join(command)}: status {told.status}\n{told.out}{told.err}"
        return told

    def sh(self, script: str, *, check: bool = True, user: str = "", timeout: float = 120) -> str:
        """Run a line of shell on it; return what it printed."""
        return self.run("sh", "-c", script, check=check, user=user, timeout=timeout).out.strip()

    def inside(self, *command: str, user: str = "") -> list[str]:
        """Return the command line that runs ``command`` on this host."""
        as_user = ["runuser", "-u", user, "--"] if user else []
        enter = ["nsenter", "-t", str(self._init), "-m", "-u", "-i", "-n", "-p", "-C", "--", "env", "-i", *_ENVIRON]
        return [*enter, *as_user, *command]

    def path(self, inside: str) -> Path:
        """Return where a file of the running host is for the test, also one on a tmpfs or a mount."""
        return Path(f"/proc/{self._init}/root") / inside.lstrip("/")

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file, or write over it in place."""
        file = self.path(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)

    def _leave(self, how: str) -> None:
        assert self._nspawn is not None
        self.run("systemctl", how, check=False)
        self._nspawn.wait(BOOT_S)
        self._init = 0

    def _find_init(self) -> bool:
        assert self._nspawn is not None
        assert self._nspawn.poll() is None, f"{self.name} did not boot:\n{self.console.read_text()[-2000:]}"
        for pid in _children(self._nspawn.pid):
            with contextlib.suppress(OSError):
                if Path(f"/proc/{pid}/comm").read_text().strip() == "systemd":
                    self._init = pid  # the first: what it has just forked is called so for a moment, too
                    return True
        return False

    def _is_up(self) -> bool:
        return self.run("systemctl", "is-system-running", check=False).out.strip() in ("running", "degraded")


def _children(pid: int) -> Iterator[int]:
    with contextlib.suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            yield int(child)
            yield from _children(int(child))
