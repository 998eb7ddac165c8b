"""Root file systems of the hosts: made by mmdebstrap once, kept in CACHE, never changed afterwards."""

from __future__ import annotations

import fcntl
import hashlib
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

CACHE = Path("/var/cache/mastowatch-host")
RELEASES = ("bookworm", "trixie")
# What a machine that runs Mastodon has anyway, and what the tests ask with. The hosts have no way out: all that the
# package depends on must be here.
PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "iproute2", "procps", "curl", "ca-certificates", "python3", "debconf"),
    *("redis-server", "redis-tools", "tzdata", "man-db", "jq", "autopkgtest", "dpkg-dev"),
)
KEYRING = "/usr/share/keyrings/debian-archive-{}-automatic.gpg"
_DEBIAN = "http://deb.debian.org/debian"


def rootfs(release: str) -> Path:
    """Return the directory with the root file system of ``release``, made now if it is not there yet."""
    recipe = hashlib.sha256(" ".join((release, *sorted(PACKAGES))).encode()).hexdigest()[:12]
    CACHE.mkdir(parents=True, exist_ok=True)
    done = CACHE / f"{release}-{recipe}"
    with (CACHE / f"{release}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a second run waits for the first instead of making it twice
        if not done.is_dir():
            for old in CACHE.glob(f"{release}-*"):
                shutil.rmtree(old)
            _make(release, done)
    return done


def _make(release: str, done: Path) -> None:
    with tempfile.TemporaryDirectory(dir=CACHE, prefix=".making-") as place:
        root = Path(place) / "root"
        command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(PACKAGES)}"]
        command += [f"--aptopt={option}" for option in _apt_options()]
        command += [f"--keyring={key}" for key in _keys(release)]
        subprocess.run([*command, release, str(root), mirror()], check=True, stdin=subprocess.DEVNULL)
        root.rename(done)


def mirror() -> str:
    """Return the address that this machine's own apt takes Debian from."""
    told = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(COMPONENT)", "Created-By: Packages"],
        check=False,
        capture_output=True,
        text=True,
    ).stdout
    found = re.search(r"^(\S+/debian)/? main$", told, re.MULTILINE)
    return found[1] if found else _DEBIAN


def _apt_options() -> list[str]:
    """Return how this machine's apt gets through to its mirror: proxies, and clocks that are not trusted."""
    told = subprocess.run(["apt-config", "dump"], check=True, capture_output=True, text=True).stdout
    wanted = r"^(Acquire::(?:https?::|Check-|Retries).*) \"(.*)\";$"
    return [f'{name} "{value}"' for name, value in re.findall(wanted, told, re.MULTILINE) if value]


def _keys(release: str) -> list[str]:
    """Return Debian's own keys for ``release``, wherever the machine's apt has them."""
    places = (Path("/usr/share/keyrings"), Path("/etc/apt/trusted.gpg.d"))
    found = [str(key) for place in places for key in sorted(place.glob(f"debian-archive-{release}-*"))]
    return [key for key in found if Path(key).stat().st_size] or ["/usr/share/keyrings/debian-archive-keyring.gpg"]
