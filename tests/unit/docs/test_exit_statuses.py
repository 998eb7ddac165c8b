from pathlib import Path

from tests.unit.packaging.programs import load

ROOT = Path(__file__).parents[3]


def test_the_page_is_as_the_manual_has_it():
    made = load("exit-statuses").render(load("command_tree.py").read(), load("man-pages"))
    told = (ROOT / "docs/reference/exit-statuses.md").read_text()
    assert told == made, "run: .venv/bin/python packaging/exit-statuses > docs/reference/exit-statuses.md"
