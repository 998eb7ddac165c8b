"""Each command of MastoWatch's in a block of a document is one that the parser takes."""

import contextlib
import io
import re
import shlex
from pathlib import Path

import pytest

from mastowatch.cli import _parser

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^ *```(sh|console)[^\n]*\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"(?:^|[;&|(] *|\bsudo )mastowatch ((?:'[^']*'|\"[^\"]*\"|[^;&|#)\n\"'])*)")


def commands(page):
    """Yield what stands behind ``mastowatch`` on each line that is typed."""
    for kind, block in BLOCK.findall(page.read_text()):
        is_console = kind == "console"
        for line in block.replace("\\\n", " ").splitlines():
            typed = re.sub(r"^ *[#$] ", "", line) if is_console else line.strip()
            if is_console and typed == line:
                continue  # what is printed
            for found in COMMAND.finditer(typed):
                words = re.sub(r"[<>].*", "", found[1]).strip()
                # A synopsis says what may stand there.
                if words and not re.search(r"\.\.\.|\b[a-z]+\|[a-z]+|\[", words):
                    yield words


@pytest.mark.parametrize("page", [page for page in PAGES if list(commands(page))], ids=lambda page: page.name)
def test_commands_are_taken(page):
    for words in commands(page):
        with contextlib.redirect_stderr(io.StringIO()) as said, contextlib.redirect_stdout(io.StringIO()):
            try:
                _parser().parse_args(shlex.split(words))
            except SystemExit as end:
                if end.code:  # --version and --help end well
                    pytest.fail(f"mastowatch {words}: {said.getvalue()}")


def test_there_are_enough():
    assert sum(len(list(commands(page))) for page in PAGES) > 60
