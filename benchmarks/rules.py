"""What judging by rules costs: our RuleSet beside plain loops of ``re``, in one run, with the same hits.

1,000 generated rules (667 of keywords, 333 of patterns), each with two examples, over generated posts; then the start
of a worker with as many, and posts that are made to take long. Prints what README and docs/explanation/judging.md
state; takes a minute or two: ``python -m benchmarks.rules``. All but the start is CPU time, of one process.
"""

from __future__ import annotations

import gc
import json
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from mastowatch.domain import facts
from mastowatch.domain.matcher import Matcher
from mastowatch.domain.ruleset import RuleSet
from mastowatch.jobs.context import load_rules
from mastowatch.ports.types import Account, Status
from tests.redis_server import private_redis

KEYWORD_RULES, PATTERN_RULES = 667, 333
ACCOUNTS, POSTS_EACH = 2_000, 20
POSTS, POSTS_FOR_RE = ACCOUNTS * POSTS_EACH, 300
STARTS = 5
NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
T = TypeVar("T")


@dataclass(frozen=True)
class Source:
    """The same rule for both engines: what stands in the TOML file, and what a plain ``re`` would look for."""

    document: dict[str, object]
    plain: re.Pattern[str]


def main() -> None:
    """Generate, measure, print."""
    chance = random.Random(20260101)
    vocabulary = _vocabulary(chance, 6_000)
    sources = _sources(chance, vocabulary)
    posts = [_post(chance, vocabulary, number) for number in range(POSTS)]
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place)
        _write(directory, sources)
        before = _resident_kb()
        rules = load_rules(directory)
        memory_kb = _resident_kb() - before
        load_s = _seconds(lambda: load_rules(directory))
        _print_judging(sources, posts, rules)
        told = f"{len(sources):,} rules read and compiled, their examples run"
        print(f"\n{told}: {load_s * 1e3:.0f} ms; {memory_kb / 1024:.0f} MiB")
        _print_starts(directory)
    _print_hostile()


def _print_judging(sources: Sequence[Source], posts: Sequence[Status], rules: RuleSet) -> None:
    matcher = rules.matcher
    read = facts.read_posts(posts, matcher)
    texts, plain = [one.text.folded for one in read], [one.text.plain for one in read[:POSTS_FOR_RE]]
    del read
    any_case = [re.compile(one.plain.pattern, re.IGNORECASE) for one in sources]
    gc.collect()
    gc.freeze()  # a worker doesn't hold 40,000 posts, so Python's collector needn't walk through ours

    loop_us = _seconds(lambda: _consume(_loop(sources, text) for text in texts[:POSTS_FOR_RE])) / POSTS_FOR_RE * 1e6
    case_us = _seconds(lambda: _consume([p for p in any_case if p.search(text)] for text in plain)) / len(plain) * 1e6
    scan_us = _seconds(lambda: _consume(matcher.scan_all([*some]) for some in _batches(texts))) / POSTS * 1e6
    read_us = _seconds(lambda: _consume(facts.read_posts(some, matcher) for some in _batches(posts))) / POSTS * 1e6
    judge_us = _seconds(lambda: _judge_all(rules, posts)) / POSTS * 1e6
    _same_hits(sources, matcher, texts[:POSTS_FOR_RE])

    size = sum(len(post.content_html) for post in posts) / POSTS
    print(f"{len(sources):,} rules; {ACCOUNTS:,} accounts with {POSTS_EACH} posts of {size:.0f} bytes of HTML each.")
    print(f"The plain loops ran over {POSTS_FOR_RE} of the posts; their hits are the same.\n")
    print(f"{'':50}{'posts/s':>10}{'us a post':>11}{'ratio':>8}")
    _row("re, a loop over the rules, folded texts", loop_us, loop_us)
    _row("the same ignoring case, texts as they come", case_us, loop_us)
    _row("MastoWatch, folded texts", scan_us, loop_us)
    _row("MastoWatch, HTML parsed and folded as well", read_us, loop_us)
    _row("MastoWatch, accounts judged to a verdict", judge_us, loop_us)
    ratio = f"{case_us / judge_us:,.0f} times the loop that ignores case"
    print(f"{1e6 / judge_us / POSTS_EACH:,.0f} accounts a second, {ratio}")


def _print_starts(many: Path) -> None:
    with private_redis() as url, tempfile.TemporaryDirectory() as place:
        (Path(place) / "one.toml").write_text(next(many.iterdir()).read_text())
        few_s, many_s = (min(_start_s(url, one) for _ in range(STARTS)) for one in (Path(place), many))
    told = f"worker, start to ready, the best of {STARTS}"
    print(f"{told}: {few_s * 1e3:.0f} ms with one rule, {many_s * 1e3:.0f} ms with all")


def _start_s(url: str, rules: Path) -> float:
    """Return how long a worker takes from its start until systemd would hear READY."""
    with tempfile.TemporaryDirectory() as place, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(f"{place}/notify")
        (Path(place) / "token").write_text("t")
        environ = {
            "NOTIFY_SOCKET": f"{place}/notify",
            "REDIS_URL": url,
            "RULES_DIR": str(rules),
            "INSTANCE_BASE": "http://127.0.0.1:9",
            "ACCESS_TOKEN_FILE": f"{place}/token",
        }
        begun = time.perf_counter()
        with subprocess.Popen(
            [sys.executable, "-m", "mastowatch", "worker"],
            env={**os.environ, **environ},
            stderr=subprocess.DEVNULL,
        ) as process:
            while b"READY=1" not in heard.recv(4096):
                pass
            taken = time.perf_counter() - begun
            process.terminate()
    return taken


def _print_hostile() -> None:
    """Print the longest that one post can hold a worker, which judges an account with 40 of them in its time limit."""
    patterns = ("(a+)+$", "(a|aa)+$", "(.*a){20}$")
    rules = RuleSet.load((f"{n}.toml", _document(n, {"pattern": one})) for n, one in enumerate(patterns))
    bodies = {
        "(a+)+$, (a|aa)+$ on 20,000 a's and a b": "a" * 20_000 + "b",
        "10 MB of words": "<p>" + "word " * 2_000_000,
        "10 MB of <div>": "<div>" * 2_000_000,
        "10 MB of <b><p>": "<b><p>" * 1_700_000,
        "10 MB of an attribute": '<a class="' + "m " * 5_000_000 + '" href="https://x.example">',
    }
    print("\nthe longest that one post of a kind holds a worker:")
    for name, html in bodies.items():
        post = Status("1", "1", NOW, html)
        taken = _seconds(lambda post=post: rules.judge(_account(), [post], NOW, watch_at=2, report_at=5))  # type: ignore[misc]
        print(f"{name:50}{taken * 1e3:10,.1f} ms")


def _row(name: str, us: float, loop_us: float) -> None:
    print(f"{name:50}{1e6 / us:10,.0f}{us:11,.1f}{loop_us / us:7,.0f}x")


def _seconds(work: Callable[[], object]) -> float:
    """Return the least CPU time of three runs: what else the machine does can only add to it."""
    taken = []
    for _ in range(3):
        begun = time.process_time()
        work()
        taken.append(time.process_time() - begun)
    return min(taken)


def _consume(results: Iterable[object]) -> None:
    deque(results, maxlen=0)


def _vocabulary(chance: random.Random, count: int) -> list[str]:
    syllables = [
        "ba",
        "co",
        "de",
        "fi",
        "gu",
        "ha",
        "jo",
        "ke",
        "li",
        "mu",
        "na",
        "po",
        "qui",
        "ra",
        "so",
        "te",
        "ur",
        "vi",
        "wo",
        "xe",
        "yl",
        "za",
        "st",
        "nd",
        "er",
    ]
    words: dict[str, None] = {}
    while len(words) < count:
        words["".join(chance.choices(syllables, k=chance.randint(2, 4)))] = None
    return list(words)


def _sources(chance: random.Random, vocabulary: Sequence[str]) -> list[Source]:
    """Return the rules. Their words are rare in the posts, as those of spam are."""
    rare = [f"{one}{two}" for one, two in zip(vocabulary, reversed(vocabulary), strict=True)]
    chance.shuffle(rare)
    sources = []
    for number in range(KEYWORD_RULES):
        words = rare[number * 4 : number * 4 + 4] + [chance.choice(vocabulary)] * (number % 20 == 0)
        either = "|".join(map(re.escape, words))
        sources.append(_source(number, {"words": words}, rf"(?<![^\W_])(?:{either})(?![^\W_])", words[0]))
    for number in range(PATTERN_RULES):
        pattern, hit = _pattern(chance, number, rare)
        sources.append(_source(KEYWORD_RULES + number, {"pattern": pattern}, pattern, hit))
    return sources


def _pattern(chance: random.Random, number: int, rare: Sequence[str]) -> tuple[str, str]:
    """Return a pattern, and a text that it matches."""
    first, second, third = chance.sample(rare, 3)
    shapes = (
        (rf"\b{first[:6]}[0-9]{{2,4}}\b", f"{first[:6]}123"),
        (rf"{first[:5]}(?:s|es|ing)? {second[:4]}", f"{first[:5]}es {second[:4]}"),
        (rf"(?:{first}|{second}|{third})[.!]", f"{second}!"),
        (rf"{first[:7]}[a-z]*{second[:5]}", f"{first[:7]}x{second[:5]}"),
    )
    return shapes[number % len(shapes)]


def _source(number: int, status: dict[str, object], plain: str, hit: str) -> Source:
    document = _document(number, status)
    document["examples"] = {
        "match": [{"age": "3d", "followers": 0, "posts": [f"Look: {hit} https://shop.example/b"]}],
        "no_match": [{"age": "300d", "posts": ["Good morning", "Nothing here https://paper.example/a"]}],
    }
    return Source(document, re.compile(plain))


def _document(number: int, status: dict[str, object]) -> dict[str, object]:
    return {
        "id": f"rule-{number}",
        "name": f"Rule {number}",
        "description": "A generated rule: what it is for, and why, in a line or two.",
        "mode": "report" if "words" in status else "shadow",
        "weight": 1.0,
        "status": status,
    }


def _write(directory: Path, sources: Sequence[Source]) -> None:
    """Write each rule as people do, a file each."""
    for number, source in enumerate(sources):
        lines = [f"{key} = {_toml(value)}" for key, value in source.document.items() if not isinstance(value, dict)]
        lines += ["", "[status]", *_lines(source.document["status"])]
        for kind, examples in dict(source.document["examples"]).items():  # type: ignore[call-overload]
            for one in examples:
                lines += ["", f"[[examples.{kind}]]", *_lines(one)]
        (directory / f"{number:04}.toml").write_text("\n".join(lines) + "\n")


def _lines(table: object) -> list[str]:
    return [f"{key} = {_toml(value)}" for key, value in table.items()] if isinstance(table, Mapping) else []


def _toml(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)  # texts, numbers and lists of texts are the same in TOML


def _post(chance: random.Random, vocabulary: Sequence[str], number: int) -> Status:
    words = chance.choices(vocabulary, k=26)
    words[3], words[9] = words[3].capitalize(), chance.choice(("café", "naïve", "–", "😀", "можно", words[9]))
    one, two = " ".join(words[:14]), " ".join(words[14:])
    html = (
        f'<p><span class="h-card"><a href="https://social.example/@{words[0]}" class="u-url mention">@<span>{words[0]}'
        f"</span></a></span> {one}.</p><p>{two} "
        f'<a href="https://{words[5]}.example/{words[6]}" rel="nofollow noopener" target="_blank">'
        f'<span class="invisible">https://</span><span>{words[5]}.example/{words[6]}</span></a></p>'
    )
    return Status(str(number), "1", NOW - timedelta(minutes=number % 60), html, mentions=(words[0],))


def _resident_kb() -> int:
    found = re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(found[1]) if found else 0


def _loop(sources: Sequence[Source], text: str) -> list[int]:
    return [number for number, source in enumerate(sources) if source.plain.search(text)]


def _same_hits(sources: Sequence[Source], matcher: Matcher, texts: Sequence[str]) -> None:
    """Stop where the engines disagree: figures for different answers are worth nothing."""
    for text in texts:
        # The rules are registered in their order, one feature each, from 1.
        ours, theirs = sorted(matcher.scan(text)), [number + 1 for number in _loop(sources, text)]
        if ours != theirs:
            raise SystemExit(f"the engines disagree on {text!r}: {ours} and {theirs}")


def _batches(every: Sequence[T]) -> Iterable[Sequence[T]]:
    return (every[start : start + POSTS_EACH] for start in range(0, len(every), POSTS_EACH))


def _account() -> Account:
    return Account("1", "someone", "someone", None, "Someone", "<p>likes trains</p>", "", NOW - timedelta(days=1))


def _judge_all(rules: RuleSet, posts: Sequence[Status]) -> None:
    account = _account()
    for some in _batches(posts):
        rules.judge(account, some, NOW, watch_at=2, report_at=5)


if __name__ == "__main__":
    main()
