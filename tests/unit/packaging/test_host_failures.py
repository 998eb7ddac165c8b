"""What make test-host tells last of what failed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.host import failures

ROOT = Path(__file__).parents[3]
TESTS = """
import pytest

@pytest.fixture
def broken():
    raise RuntimeError("no Redis")

def test_well():
    pass

def test_late():
    seconds = 20.3
    assert seconds <= 20, "it came back late"

def test_not_begun(broken):
    pass
"""


@pytest.fixture
def noted(tmp_path):
    def run(text):
        tests, file = tmp_path / "test_it.py", tmp_path / "failures"
        tests.write_text(text)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "tests.host.failures"]
        # Of the plugins that are installed none is needed, and to load them takes longer than all else.
        env = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        subprocess.run(
            [*command, f"--failures={file}", str(tests)], cwd=ROOT, env=env, check=False, capture_output=True
        )
        return failures.read(file)

    return run


def test_a_failed_test_is_noted_with_its_reason_and_a_good_one_is_not(noted):
    found = [(one["name"].rpartition("::")[2], one["reason"]) for one in noted(TESTS)]
    assert [name for name, _ in found] == ["test_late", "test_not_begun (setup)"]
    assert "it came back late" in found[0][1]
    assert "assert 20.3 <= 20" in found[0][1]
    assert "no Redis" in found[1][1]


def test_a_file_that_can_not_be_read_is_noted(noted):
    (one,) = noted("import nothing_of_that_name")
    assert one["name"].endswith("(collection)")
    assert "nothing_of_that_name" in one["reason"]


def test_the_end_of_the_first_traceback_is_told_and_all_names():
    text = "\n".join(f"line {number}" for number in range(100))
    found = [{"name": "a", "reason": "too late", "text": text}, {"name": "b", "reason": "gone", "text": "unread"}]
    assert failures.excerpt(found, ["a last line"]) == text.splitlines()[-failures.LINES :]
    assert failures.names(found) == ["FAILED a: too late", "FAILED b: gone"]


def test_a_pytest_that_was_killed_shows_what_it_printed_last():
    assert failures.excerpt([], ["collecting", "Killed"]) == ["collecting", "Killed"]
    assert "FAILED" in failures.names([])[0]


def test_nothing_is_noted_of_what_passed(noted):
    assert noted("def test_well(): pass") == []
