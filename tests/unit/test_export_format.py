"""docs/reference/export-format.md against the code: each kind, each field, and which may be left out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from mastowatch.jobs.portable.records import FORMAT, LINES, Header, Line, ReasonLine, Trailer

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "export-format.md").read_text()
SECTIONS = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
KINDS: dict[str, type[Line]] = {"header": Header, **LINES, "end": Trailer}


def test_the_page_has_all_kinds_in_the_order_of_a_file():
    assert list(SECTIONS) == list(KINDS)
    assert f"This is format {FORMAT}." in PAGE


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_has_all_fields_and_says_which_may_be_left_out(kind: str):
    told = {name: bool(star) for name, star in re.findall(r"^\| `(\w+)`( \*)? \|", SECTIONS[kind], re.MULTILINE)}
    fields = {name: one for name, one in KINDS[kind].model_fields.items() if name != "kind"}
    assert told == {name: not one.is_required() for name, one in fields.items()}
    part = KINDS[kind].part
    assert part in (None, "audit") or f"Part of `{part}`" in SECTIONS[kind]


def test_the_page_has_all_words_that_are_allowed():
    for kind, line in KINDS.items():
        for name, field in line.model_fields.items():
            for word in get_args(field.annotation) if "Literal" in str(field.annotation) else ():
                assert f"`{word}`" in SECTIONS[kind] or not isinstance(word, str) or name == "kind", (kind, name, word)


def test_the_page_has_the_fields_of_a_reason():
    for name in ReasonLine.model_fields:
        assert f"`{name}`" in SECTIONS["case"]
