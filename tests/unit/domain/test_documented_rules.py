import re
import tomllib
from pathlib import Path

import pytest

from mastowatch.adapters.rule_files import read_lists, read_rules
from mastowatch.domain.ruleset import RuleSet

SHIPPED = Path(__file__).parents[3] / "etc" / "rules.d"
DOCS = Path(__file__).parents[3] / "docs"
PAGES = [DOCS / "reference" / "rules.md", DOCS / "howto" / "write-a-rule.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_rules_in_the_documents_work(page):
    rules = re.findall(r"```toml\n(.*?)```", page.read_text(), re.DOTALL)
    assert rules
    for text in rules:
        document = tomllib.loads(text)
        # Some refer to rules that are shipped, one is a simpler form of one.
        others = [pair for pair in read_rules(SHIPPED) if pair[1]["id"] != document["id"]]
        loaded = RuleSet.load([*others, (page.name, document)], read_lists(SHIPPED)[0])
        assert document["id"] in [rule.id for rule in loaded.rules]
