"""CONTRIBUTING.md and README.md name commands, targets and files that there are."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "CONTRIBUTING.md").read_text()
BLOCKS = "\n".join(re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL))
LINES = [line.partition("  #")[0].strip() for line in BLOCKS.splitlines() if line.strip()]


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "README.md"])
def test_targets_of_make_are_there(page):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = (ROOT / page).read_text()
    named = {one for line in re.findall(r"^make ([a-z -]+)|`make ([a-z -]+)", text, re.MULTILINE)
             for group in line for one in group.split()}  # fmt: skip
    assert named - targets == set()
    assert {"setup", "check", "test"} <= targets


def test_tests_that_are_named_hold_tests():
    for line in LINES:
        found = re.search(r"pytest -q (\S+)(?: -k (\w+))?", line)
        if not found:
            continue
        path = ROOT / found[1]
        files = [path] if path.is_file() else sorted(path.glob("test_*.py"))
        assert files, line
        if found[2]:
            assert any(re.search(rf"def test\w*{found[2]}", file.read_text()) for file in files), line


def test_programs_print_what_the_page_has_them_print():
    redirected = [re.fullmatch(r"\.venv/bin/python (\S+) > (\S+)", line) for line in LINES]
    pairs = [(found[1], found[2]) for found in redirected if found]
    assert len(pairs) == 2
    for program, page in pairs:
        done = subprocess.run([sys.executable, program], cwd=ROOT, capture_output=True, text=True, check=True,
                              env={**os.environ, "PYTHONPATH": str(ROOT)})  # fmt: skip
        assert done.stdout == (ROOT / page).read_text(), f"run: .venv/bin/python {program} > {page}"


def test_names_in_code_that_the_page_speaks_of_are_there():
    for name, file in (("TASKS", "mastowatch/jobs/queues.py"), ("MORE", "packaging/man-pages")):
        assert f"`{name}`" in PAGE
        assert re.search(rf"^{name}\b", (ROOT / file).read_text(), re.MULTILINE)
