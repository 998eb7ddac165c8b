"""``python -m benchmarks.load``: see the package for how it measures."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from redis import Redis

from benchmarks.load.measure import Family, families
from benchmarks.load.people import BLOCK, LOCAL_EACH, POSTS, kind_of, planted, resident
from benchmarks.load.server import PAGE, PAGED_PER_15_MIN, PER_5_MIN
from benchmarks.queue.probes import children, cpu_s, pss_mib
from mastowatch.adapters.redis_common import text
from tests.demo.__main__ import process
from tests.redis_server import free_port, private_redis

ROOT = Path(__file__).parents[2]
QUEUES = ("high", "default", "low")
PARTS = (0.25, 0.5, 1.0)
LOOK_S, TELL_S = 1.0, 30.0
# Nothing moves for so long: something is lost.
STALLED_S = 300.0


@dataclass
class Step:
    """What was there when the server had so many accounts; all figures are of the whole run so far."""

    accounts: int
    seconds: float
    cpu: float  # seconds of all workers
    tally: Mapping[str, int]
    asked: Mapping[str, int]
    families: Mapping[str, Family]
    memory: int  # Redis, bytes in use
    peak: int
    pss: Mapping[str, float]  # MiB by process, the most that was seen

    @property
    def requests(self) -> int:
        """How many requests Mastodon was asked."""
        return sum(self.asked.values())


class Load:
    """The suite on a server of our own."""

    def __init__(self, server: str, redis: Redis, running: Mapping[str, subprocess.Popen[bytes]], logs: Path) -> None:
        self.server, self.redis, self.running, self.logs = server, redis, running, logs
        self.pss: dict[str, float] = {}

    def state(self) -> dict[str, Any]:
        """Return what the server was asked and told."""
        found: dict[str, Any] = requests.get(f"{self.server}/_load/state", timeout=60).json()
        return found

    def tally(self) -> dict[str, int]:
        """Return the counters that the processes share."""
        return {text(name): int(count) for name, count in self.redis.hgetall("mastowatch:tally").items()}

    def waiting(self) -> int:
        """Return how many judgements wait, are delayed, or run. Polls come and go and don't count."""
        with self.redis.pipeline(transaction=False) as pipe:
            for name in QUEUES:
                pipe.lrange(f"rq:queue:{name}", 0, -1)
                pipe.zrange(f"rq:scheduled:{name}", 0, -1)
                pipe.zrange(f"rq:wip:{name}", 0, -1)
            found = pipe.execute()
        return sum(raw.startswith((b"analyze", b"process", b"judge")) for ids in found for raw in ids)

    def grow(self, accounts: int) -> Mapping[str, str]:
        """Let the server have so many accounts; returns the highest id of each origin."""
        answer = requests.post(f"{self.server}/_load/grow", data={"accounts": accounts}, timeout=60)
        found: dict[str, str] = answer.json()
        return found

    def heads(self) -> dict[str, int]:
        """Return below which id no account of an origin is missing."""
        return {one: int(self.redis.get(f"mastowatch:cursor:{one}:head") or 0) for one in ("remote", "local")}

    def over(self, accounts: int, highest: Mapping[str, str], tally: Mapping[str, int], posts: int) -> bool:
        """Tell whether all have been seen and judged."""
        heads = self.heads()
        return (
            all(heads[one] >= int(highest[f"highest_{one}"]) for one in heads)
            and all(tally.get(f"sweeps_{one}") or _on_one_page(accounts, one) for one in heads)
            and self.state()["streamed"] >= accounts
            and tally.get("posts_seen", 0) >= posts
            and self.waiting() == 0
        )

    def look_at_processes(self) -> None:
        """Note how much memory each has; ends where one of them has ended."""
        for name, child in self.running.items():
            if child.poll() is not None:
                tail = (self.logs / f"{name}.log").read_text().splitlines()[-15:]
                raise SystemExit("\n".join([f"{name} ended with status {child.returncode}; its last lines:", *tail]))
            with suppress(OSError, StopIteration):
                now = pss_mib(child.pid) + sum(map(pss_mib, children(child.pid)))
                self.pss[name] = max(now, self.pss.get(name, 0.0))


def main() -> int:
    """Measure and print; the status is 0 only if each planted account was reported once, and nobody else."""
    options = _options()
    steps: list[Step] = []
    with tempfile.TemporaryDirectory(prefix="mastowatch-load-") as name, _running(Path(name), options.workers) as load:
        begun = time.monotonic()
        _say(f"Redis {load.redis.info('server')['redis_version']}, {os.cpu_count()} CPUs, {options.workers} workers")
        for part in PARTS:
            # Whole blocks: a wave of spam that is cut in two is none.
            accounts = -(-int(options.accounts * part) // BLOCK) * BLOCK
            steps.append(_step(load, accounts, begun))
        state = load.state()
    _print_steps(steps)
    _print_families(steps)
    right = _print_reports(steps[-1].accounts, {int(one): times for one, times in state["reported"].items()})
    return 0 if right else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description="200,000 accounts, a million posts.")
    parser.add_argument("--accounts", type=int, default=200_000, help="rounded up to whole blocks of 600")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="a fiftieth of the accounts; a look, no figures")
    options = parser.parse_args()
    if options.quick:
        options.accounts //= 50
    return options


def _step(load: Load, accounts: int, begun: float) -> Step:
    """Let the server grow, wait until all is done, and return the figures."""
    highest, told, moved = load.grow(accounts), 0.0, time.monotonic()
    posts = _posts(accounts)
    before: tuple[int, ...] = ()
    while True:
        tally = load.tally()
        load.look_at_processes()
        if load.over(accounts, highest, tally, posts):
            break
        now = tuple(tally.get(one, 0) for one in ("accounts_seen", "posts_seen", "accounts_judged"))
        # Sweeps never end: what counts is what is read, judged, and walked for the first time.
        if (*now[1:], *load.heads().values()) != before:
            before, moved = (*now[1:], *load.heads().values()), time.monotonic()
        if time.monotonic() - moved > STALLED_S:
            raise SystemExit(f"nothing moves: {now}, {load.waiting()} judgements wait")
        if time.monotonic() - told > TELL_S:
            told = time.monotonic()
            _say(
                f"{told - begun:5.0f} s   accounts seen {now[0]:>9,}   posts seen {now[1]:>9,}   judged {now[2]:>7,}   "
                f"waiting {load.waiting():>6,}   reported {tally.get('reports_filed', 0):>6,}"
            )
        time.sleep(LOOK_S)
    seconds = time.monotonic() - begun
    cpu = sum(sum(cpu_s(child.pid)) for name, child in load.running.items() if name.startswith("worker"))
    info = load.redis.info("memory")
    return Step(
        accounts, seconds, cpu, load.tally(), load.state()["asked"], families(load.redis), int(info["used_memory"]),
        int(info["used_memory_peak"]), dict(load.pss),
    )  # fmt: skip


def _on_one_page(accounts: int, origin: str) -> bool:
    """Tell whether no sweep is needed to see all of that origin."""
    return origin == "local" and accounts // LOCAL_EACH < PAGE


def _posts(accounts: int) -> int:
    """Return how many there are: five of each ordinary account; how many spam has is known when it is made."""
    spam = list(planted(accounts))
    return (accounts - len(spam)) * POSTS + sum(len(resident(number).toots) for number in spam)


@contextmanager
def _running(directory: Path, workers: int) -> Iterator[Load]:
    port = free_port()
    server = f"http://127.0.0.1:{port}"
    (directory / "token").write_text("token-of-the-benchmark")
    python = [sys.executable, "-m"]
    with ExitStack() as stack:
        url = stack.enter_context(private_redis("--appendonly", "yes"))
        stack.enter_context(process("server", [*python, "benchmarks.load.server", str(port)], {}, directory))
        _wait_for(f"{server}/api/v2/instance")
        environ = _environment(directory, server, url)
        commands = {f"worker-{one}": ["worker", "--instance", str(one)] for one in range(1, workers + 1)}
        commands |= {"scheduler": ["scheduler"], "stream": ["stream"]}
        running = {
            name: stack.enter_context(process(name, [*python, "mastowatch", *command], environ, directory))
            for name, command in commands.items()
        }
        yield Load(server, stack.enter_context(Redis.from_url(url)), running, directory)


def _environment(directory: Path, server: str, redis_url: str) -> dict[str, str]:
    limits = [f"{scope}REPORTS_PER_{span}" for scope in ("", "RULE_") for span in ("HOUR", "DAY")]
    return {
        "INSTANCE_BASE": server,
        "ACCESS_TOKEN_FILE": str(directory / "token"),
        "REDIS_URL": redis_url,
        "RULES_DIR": str(ROOT / "etc" / "rules.d"),
        "DRY_RUN": "false",
        "LOG_LEVEL": "warning",
        # So high that the machine is the bound, and not what Mastodon allows.
        "API_REQUESTS_PER_5_MINUTES": str(PER_5_MIN),
        "API_PAGED_REQUESTS_PER_15_MINUTES": str(PAGED_PER_15_MIN),
        "SWEEP_PAGES_PER_POLL": "20",
        "POLL_ADMIN_ACCOUNTS_INTERVAL": "1",
        "POLL_ADMIN_ACCOUNTS_LOCAL_INTERVAL": "1",
        **dict.fromkeys(limits, "10000"),
    }


def _wait_for(url: str) -> None:
    for _ in range(300):
        with suppress(requests.RequestException):
            if requests.get(url, timeout=5).ok:
                return
        time.sleep(0.1)
    raise SystemExit(f"{url} has not answered within half a minute")


# --- what is printed ---


def _print_steps(steps: Sequence[Step]) -> None:
    whole = steps[-1]
    rows: list[tuple[str, list[float], int]] = [
        ("seconds", [one.seconds for one in steps], 0),
        ("CPU seconds of the workers", [one.cpu for one in steps], 0),
        ("accounts seen on pages, some again", [one.tally["accounts_seen"] for one in steps], 0),
        ("posts seen on the stream", [one.tally["posts_seen"] for one in steps], 0),
        ("judged with their posts", [one.tally["accounts_judged"] for one in steps], 0),
        ("reports", [one.tally.get("reports_filed", 0) for one in steps], 0),
        ("requests to Mastodon", [one.requests for one in steps], 0),
        ("Redis in use, MiB", [one.memory / 2**20 for one in steps], 1),
        ("Redis at its peak, MiB", [one.peak / 2**20 for one in steps], 1),
        ("keys", [sum(family.keys for family in one.families.values()) for one in steps], 0),
        *((f"{name} at most, PSS in MiB", [one.pss.get(name, 0.0) for one in steps], 0) for name in sorted(whole.pss)),
    ]
    _say(f"\n{'':<38}" + "".join(f"{one.accounts:>12,}" for one in steps) + f"{'half: quarter':>16}{'whole: half':>14}")
    for name, found, digits in rows:
        _say(f"{name:<38}" + "".join(f"{one:>12,.{digits}f}" for one in found) + _ratios(found))
    judged = whole.tally["accounts_judged"]
    _say(
        f"\nAt the end: {whole.tally['accounts_seen'] / whole.seconds:,.0f} accounts and "
        f"{whole.tally['posts_seen'] / whole.seconds:,.0f} posts seen a second, {judged / whole.seconds:,.0f} accounts "
        f"judged a second; {whole.cpu / judged * 1000:.1f} ms of a worker's CPU for each judged, all else included."
    )


def _print_families(steps: Sequence[Step]) -> None:
    whole = steps[-1]
    _say(f"\n{'family':<34}{'keys':>9}{'bytes each':>12}{'KiB':>10}   KiB at a quarter, a half; their ratios")
    for name, family in whole.families.items():
        if family.memory < 2048:
            continue
        sizes = [one.families.get(name, Family()).memory / 1024 for one in steps]
        _say(
            f"{name:<34}{family.keys:>9,}{family.memory / family.keys:>12,.0f}{sizes[-1]:>10,.0f}   "
            f"{sizes[0]:>9,.0f}{sizes[1]:>9,.0f}{_ratios(sizes)}"
        )


def _ratios(found: Sequence[float]) -> str:
    quarter, half, whole = found
    return f"{half / quarter if quarter else 0:>16.2f}{whole / half if half else 0:>14.2f}"


def _print_reports(accounts: int, reported: Mapping[int, int]) -> bool:
    spam = set(planted(accounts))
    missed, others = sorted(spam - reported.keys()), sorted(reported.keys() - spam)
    twice = sorted(one for one, times in reported.items() if times > 1)
    _say(
        f"\nplanted {len(spam):,}, reported {len(reported):,}; missed {len(missed)}, not planted {len(others)}, "
        f"reported twice {len(twice)}"
    )
    for label, found in (("missed", missed), ("not planted", others), ("twice", twice)):
        for number in found[:10]:
            _say(f"  {label}: number {number} ({kind_of(number) or 'ordinary'})")
    return not (missed or others or twice)


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
