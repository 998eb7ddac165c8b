from pathlib import Path

from tests.unit.packaging.programs import load

ROOT = Path(__file__).parents[3]


def test_the_page_is_as_the_parser_has_it():
    made = load("command-reference").render(load("command_tree.py").read())
    told = (ROOT / "docs/reference/commands.md").read_text()
    assert told == made, "run: .venv/bin/python packaging/command-reference > docs/reference/commands.md"


def test_an_argument_that_is_something_else_in_another_command_is_told_for_each():
    told = (ROOT / "docs/reference/commands.md").read_text()
    assert "| `--all` of `list` | Go on to the last one" in told
    assert "| `--all` of `bulk` | Needed where no filter says" in told
    assert "analyze_and_maybe_report" in next(line for line in told.splitlines() if "`TASK` of `trigger`" in line)
