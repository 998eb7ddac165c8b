import re
from pathlib import Path

from mastowatch.cli.example import render
from mastowatch.config import Settings, envfile, load

ROOT = Path(__file__).parents[3]


def test_the_shipped_file_is_what_the_table_of_settings_makes():
    assert (ROOT / "etc" / "mastowatch.env").read_text() == render(), "mastowatch config example > etc/mastowatch.env"


def test_the_shipped_file_changes_nothing_and_its_lines_are_settings(tmp_path):
    assert load({}, ROOT / "etc" / "mastowatch.env").settings == load({}, _write(tmp_path, "")).settings
    lines = re.findall(r"^#([A-Z0-9_]+=.*)$", render(), re.MULTILINE)
    assert len(lines) == len(Settings.model_fields)
    assert load({}, _write(tmp_path, "\n".join(lines))).settings == load({}, _write(tmp_path, "")).settings


def test_the_reference_lists_every_setting_in_order_and_no_other():
    page = (ROOT / "docs" / "reference" / "settings.md").read_text()
    rows = [f"| `{name}` | `{default}` | {allowed} | {about} |" for name, default, allowed, about in Settings.table()]
    assert [line for line in page.splitlines() if re.match(r"\| `[A-Z]", line)] == rows


def _write(directory: Path, text: str) -> Path:
    path = directory / "x.env"
    path.write_text(text)
    assert envfile.read(path) is not None
    return path
