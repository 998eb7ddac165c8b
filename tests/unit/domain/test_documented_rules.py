import re
import tomllib
from pathlib import Path

import pytest

from mastowatch.domain.ruleset import RuleSet

DOCS = Path(__file__).parents[3] / "docs"
PAGES = [DOCS / "reference" / "rules.md", DOCS / "howto" / "write-a-rule.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_rules_in_the_documents_work(page):
    rules = re.findall(r"```toml\n(.*?)```", page.read_text(), re.DOTALL)
    assert rules
    for text in rules:
        assert len(RuleSet.load([(page.name, tomllib.loads(text))])) == 1
