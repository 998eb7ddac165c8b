"""What judging by rules costs: our RuleSet beside a plain loop of ``re``, in one run, with the same hits.

1,000 generated rules (667 of keywords, 333 of patterns) over generated posts. Prints a table for README and
docs/explanation/judging.md; ends within a minute: ``python -m benchmarks.rules``.
"""

from __future__ import annotations

import gc
import random
import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mastowatch.domain import facts
from mastowatch.domain.matcher import Matcher
from mastowatch.domain.ruleset import RuleSet
from mastowatch.ports.types import Account, Status

KEYWORD_RULES, PATTERN_RULES = 667, 333
ACCOUNTS, POSTS_EACH = 2_000, 20
POSTS, POSTS_FOR_RE = ACCOUNTS * POSTS_EACH, 300
NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


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
    rules, compile_s, memory_kb = _compiled(sources)
    matcher = rules.matcher
    texts = [post.text.folded for post in facts.read_posts(posts, matcher)]

    gc.collect()
    gc.freeze()  # a worker doesn't hold 40,000 posts, so Python's collector needn't walk through ours

    scan_s = _seconds(lambda: _consume(matcher.scan(text) for text in texts))
    whole_s = _seconds(lambda: _consume(facts.read_posts(some, matcher) for some in _by_account(posts)))
    loop_s = _seconds(lambda: _consume(_loop(sources, text) for text in texts[:POSTS_FOR_RE]))
    accounts_s = _seconds(lambda: _judge_all(rules, posts))
    _same_hits(sources, matcher, texts[:POSTS_FOR_RE])

    size = sum(len(post.content_html) for post in posts) / POSTS
    print(f"{len(sources):,} rules; {POSTS:,} posts of {size:.0f} bytes of HTML; rules compiled in {compile_s:.2f} s,")
    print(
        f"in {memory_kb / 1024:.0f} MB. The plain loop ran over {POSTS_FOR_RE} of the posts; its hits are the same.\n"
    )
    loop_us = loop_s / POSTS_FOR_RE * 1e6
    print(f"{'':44}{'posts/s':>12}{'us a post':>12}{'ratio':>9}")
    _row("re, a loop over the rules, texts only", loop_us, loop_us)
    _row("MastoWatch, texts only", scan_s / POSTS * 1e6, loop_us)
    _row("MastoWatch, HTML parsed and folded as well", whole_s / POSTS * 1e6, loop_us)
    print(f"\naccounts with {POSTS_EACH} posts each, judged to a verdict: {ACCOUNTS / accounts_s:,.0f} a second")


def _row(name: str, us: float, loop_us: float) -> None:
    print(f"{name:44}{1e6 / us:12,.0f}{us:12,.1f}{loop_us / us:8,.0f}x")


def _seconds(work: Callable[[], object]) -> float:
    """Return the least of three runs: what else the machine does can only add to it."""
    taken = []
    for _ in range(3):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
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
        sources.append(_source(number, {"words": words}, rf"(?<![^\W_])(?:{either})(?![^\W_])"))
    for number in range(PATTERN_RULES):
        pattern = _pattern(chance, number, rare)
        sources.append(_source(KEYWORD_RULES + number, {"pattern": pattern}, pattern))
    return sources


def _pattern(chance: random.Random, number: int, rare: Sequence[str]) -> str:
    first, second, third = chance.sample(rare, 3)
    shapes = (
        rf"\b{first[:6]}[0-9]{{2,4}}\b",
        rf"{first[:5]}(?:s|es|ing)? {second[:4]}",
        rf"(?:{first}|{second}|{third})[.!]",
        rf"{first[:7]}[a-z]*{second[:5]}",
    )
    return shapes[number % len(shapes)]


def _source(number: int, status: dict[str, object], plain: str) -> Source:
    document = {
        "id": f"rule-{number}",
        "name": f"Rule {number}",
        "description": "generated",
        "mode": "shadow",
        "weight": 1.0,
        "status": status,
    }
    return Source(document, re.compile(plain))


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


def _compiled(sources: Sequence[Source]) -> tuple[RuleSet, float, int]:
    before, begun = _resident_kb(), time.perf_counter()
    rules = RuleSet.load((f"{number}.toml", source.document) for number, source in enumerate(sources))
    rules.matcher.scan("a first text")  # the sets build their automata at the first use
    return rules, time.perf_counter() - begun, _resident_kb() - before


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


def _by_account(posts: Sequence[Status]) -> Iterable[Sequence[Status]]:
    return (posts[start : start + POSTS_EACH] for start in range(0, len(posts), POSTS_EACH))


def _judge_all(rules: RuleSet, posts: Sequence[Status]) -> None:
    account = Account("1", "someone", "someone", None, "Someone", "<p>likes trains</p>", "", NOW - timedelta(days=1))
    for some in _by_account(posts):
        rules.judge(account, some, NOW, watch_at=2, report_at=5)


if __name__ == "__main__":
    main()
