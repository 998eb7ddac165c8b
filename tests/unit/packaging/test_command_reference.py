from pathlib import Path

from tests.unit.packaging.programs import load

ROOT = Path(__file__).parents[3]


def test_the_page_is_as_the_parser_has_it():
    made = load("command-reference").render(load("command_tree.py").read())
    told = (ROOT / "docs/reference/commands.md").read_text()
    assert told == made, "run: .venv/bin/python packaging/command-reference > docs/reference/commands.md"
