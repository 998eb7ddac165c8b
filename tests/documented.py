"""Commands and outputs of the documents, run: the blocks marked ``console`` of a page, in the order of the page.

In such a block ``# command`` is typed by root and ``$ command`` by anybody; a line that ends in a backslash goes on in
the next one, a here-document ends as it does in a shell. What stands below is what the command prints, errors too. A
line of ``...`` or ``…`` there stands for any lines, ``...`` or ``…`` within a line for any text, blanks for any blanks.

RUN_BY says which test runs which page; tests/unit/test_documents.py sees to it that no page is left out.
"""

from __future__ import annotations

import difflib
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
RUN_BY = {
    "docs/howto/back-up-and-restore.md": "tests/host/walk/test_60_back_up.py",
    "docs/howto/connect-webhooks.md": "tests/host/walk/test_40_connect.py",
    "docs/howto/doctor.md": "tests/integration/test_howto_pages.py",
    "docs/howto/go-live.md": "tests/host/walk/test_30_live.py",
    "docs/howto/install.md": "tests/host/walk/test_90_install.py",
    "docs/howto/migrate-from-celery.md": "tests/integration/test_howto_pages.py",
    "docs/howto/pause-for-maintenance.md": "tests/host/walk/test_60_back_up.py",
    "docs/howto/rehearse.md": "tests/host/walk/test_30_live.py",
    "docs/howto/second-host.md": "tests/integration/test_howto_pages.py",
    "docs/howto/set-up.md": "tests/integration/test_howto_pages.py",
    "docs/howto/sign-in.md": "tests/host/walk/test_40_connect.py",
    "docs/howto/troubleshoot.md": "tests/host/walk/test_50_troubleshoot.py",
    "docs/howto/uninstall.md": "tests/host/walk/test_80_uninstall.py",
    "docs/howto/upgrade.md": "tests/host/walk/test_70_upgrade.py",
    "docs/howto/write-a-rule.md": "tests/integration/test_howto_write_a_rule.py",
    "docs/quick-start.md": "tests/host/walk/test_10_quick_start.py",
}
# These change nothing. Where they do not print yet what the page says, they are typed again, as a person would; and
# the status that they end with tells how things are, not whether they worked.
LOOKS = ("systemctl status", "systemctl is-active", "systemctl list-units", "journalctl", "curl", "redis-cli set probe")
LOOKS += tuple(
    f"mastowatch {one}"
    for one in ("doctor", "cases", "audit", "config check", "rules stats", "rules test", "jobs list", "jobs failures")
)
# The last one is refused, and changes nothing, while the run before it waits or is under way.
LOOKS += tuple(f"mastowatch jobs {one}" for one in ("queues", "workers", "show", "recurring run"))
LOOKS_S = 60.0
_ANY = re.compile(r"\.\.\.|…")
_FENCE = re.compile(r"^( *)```(\S*)[^\n]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_USERS = {"#": "root", "$": "anybody"}
_HEREDOC = re.compile(r"<<-?\s*['\"]?(\w+)")


@dataclass(frozen=True, slots=True)
class Step:
    """A command on ``line`` of ``page`` below the heading ``section``, and the text that it is said to print."""

    page: str
    line: int
    section: str
    user: str
    command: str
    shown: str

    @property
    def looks(self) -> bool:
        return self.command.startswith(LOOKS) or self.command == "mastowatch jobs recurring"


class Printed(NamedTuple):
    """How a command ended, and all that it printed."""

    status: int
    text: str


@dataclass
class Walk:
    """Runs pages, step by step.

    ``run(command, user, given)`` types a command as "root" or "anybody"; ``given`` is its standard input.
    ``names`` says what stands for what on the page, in commands and outputs: {"https://mastodon.example": "http://..."}.
    ``typed`` is what a person types or pastes when a command that begins so asks for it.
    """

    run: Callable[[str, str, str], Printed]
    names: Mapping[str, str] = field(default_factory=dict)
    typed: Mapping[str, str] = field(default_factory=dict)
    done: set[Step] = field(default_factory=set)

    def page(self, page: str, section: str = "") -> list[Printed]:
        """Run the page, or the section below one of its headings; fail where it prints something else."""
        chosen = [one for one in steps(page) if section in ("", one.section)]
        assert chosen, f"{page} has no command below {section!r}"
        return [self._step(one) for one in chosen]

    def left(self, page: str) -> list[str]:
        """Return the commands of the page that were not run yet."""
        return [f"{one.page}:{one.line}: {one.command}" for one in steps(page) if one not in self.done]

    def _step(self, step: Step) -> Printed:
        command, shown = self._named(step.command), self._named(step.shown)
        given = next((text for begin, text in self.typed.items() if step.command.startswith(begin)), "")
        until = time.monotonic() + (LOOKS_S if step.looks else 0)
        while True:
            printed = self.run(command, step.user, given)
            wrong = difference(shown, printed.text)
            if not wrong and printed.status and not step.looks:
                wrong = f"it ended with status {printed.status}:\n{printed.text}"
            if not wrong or time.monotonic() >= until:
                break
            time.sleep(0.5)
        assert not wrong, f"{step.page}:{step.line}: {command}\n{wrong}"
        self.done.add(step)
        return printed

    def _named(self, text: str) -> str:
        for on_page, here in self.names.items():
            text = text.replace(on_page, here)
        return text


def pages() -> list[str]:
    """Return all documents, as paths from the root."""
    return ["README.md", *sorted(str(one.relative_to(ROOT)) for one in ROOT.glob("docs/**/*.md"))]


def steps(page: str) -> list[Step]:
    """Return the commands of a page. ValueError: a block does not begin with a command."""
    text = (ROOT / page).read_text()
    return [
        step
        for found in _FENCE.finditer(text)
        if found[2] == "console"
        for step in _of_block(page, text, found.start(3), found[3], len(found[1]))
    ]


def blocks(page: str) -> list[tuple[str, str]]:
    """Return the kind and the text of each block of a page."""
    return [(found[2], found[3]) for found in _FENCE.finditer((ROOT / page).read_text())]


def _of_block(page: str, text: str, start: int, block: str, indent: int) -> Iterator[Step]:
    first = text.count("\n", 0, start) + 1
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", text[:start]), re.MULTILINE)
    lines = [line[indent:] for line in block.splitlines()]
    if lines[0][:2] not in ("# ", "$ "):
        raise ValueError(f"{page}:{first}: a console block begins with `# ` or `$ ` and a command")
    at = 0
    while at < len(lines):
        end = _end_of_command(lines, at)
        after = next((place for place in range(end, len(lines)) if lines[place][:2] in ("# ", "$ ")), len(lines))
        command = "\n".join([lines[at][2:], *lines[at + 1 : end]])
        shown = "".join(f"{line}\n" for line in lines[end:after])
        yield Step(page, first + at, headings[-1] if headings else "", _USERS[lines[at][0]], command, shown)
        at = after


def _end_of_command(lines: Sequence[str], at: int) -> int:
    """Return the place behind the last line of the command that begins at ``at``."""
    if heredoc := _HEREDOC.search(lines[at]):
        return lines.index(heredoc[1], at) + 1
    while lines[at].endswith("\\"):
        at += 1
    return at + 1


def difference(shown: str, printed: str) -> str:
    """Return how what was printed differs from what a page shows, "" if it does not."""
    expected, lines = shown.splitlines(), [line.rstrip() for line in printed.rstrip().splitlines()]
    patterns = [None if _ANY.fullmatch(one.strip()) else _pattern(one) for one in expected]
    reached = _match(patterns, lines)
    if reached is None:
        return ""
    diff = "\n".join(difflib.unified_diff(expected, lines, "the page", "printed", lineterm="", n=100))
    missed = f"not met: {expected[reached]}" if reached < len(expected) else "it prints more than the page shows"
    return f"{diff}\n{missed}"


def _pattern(line: str) -> re.Pattern[str]:
    """Return what fits a line. A text that may be anything may be nothing, and then has no blank beside it."""
    found = ""
    for word in line.split():
        loose = not found or found.endswith(".*?") or _ANY.match(word)
        found += (r"\s*" if loose else r"\s+") + ".*?".join(map(re.escape, _ANY.split(word)))
    return re.compile(found + r"\s*")


def _match(patterns: Sequence[re.Pattern[str] | None], lines: Sequence[str]) -> int | None:
    """Return None if all fits, otherwise how many of the patterns were met at best; None among them is any lines."""
    places = {0}  # how many lines the patterns so far may have taken
    for number, pattern in enumerate(patterns):
        if pattern is None:
            places = set(range(min(places), len(lines) + 1))
        else:
            places = {at + 1 for at in places if at < len(lines) and pattern.fullmatch(lines[at])}
        if not places:
            return number
    return None if len(lines) in places else len(patterns)
