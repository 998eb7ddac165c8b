import re
from pathlib import Path

from mastowatch.config.loading import CREDENTIALS, SECRETS

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/reference/credentials.md").read_text()
UNITS = {"worker": "worker@", "stream": "stream", "API": "api", "dashboard": "dashboard", "scheduler": "scheduler"}


def rows():
    return re.findall(r"^\| `(\w+)` \| (.*) \| (.*) \| (.*) \| (.*) \|$", PAGE, re.MULTILINE)


def test_each_secret_has_a_row_and_nothing_else_has():
    assert [name for name, *_ in rows()] == sorted(SECRETS)
    assert f"`{CREDENTIALS}/`" in PAGE


def test_the_units_that_get_it_are_those_whose_files_say_so():
    for name, *_, units in rows():
        told = set(UNITS) if units == "all" else set(units.split(", "))
        loaded = {
            unit
            for unit, file in UNITS.items()
            if f"LoadCredential={name}:" in (ROOT / f"systemd/mastowatch-{file}.service").read_text()
        }
        assert told == loaded, name
