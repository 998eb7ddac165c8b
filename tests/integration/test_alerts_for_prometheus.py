"""The alerts and the board in the package: read by Prometheus' own tool, about figures there are, and explained."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from mastowatch.jobs.families import FAMILIES

ROOT = Path(__file__).parents[2]
ALERTS = ROOT / "packaging/prometheus/mastowatch-alerts.yml"
CASES = ROOT / "tests/prometheus/alerts_test.yml"
BOARD = ROOT / "packaging/grafana/mastowatch.json"
NAMES = re.findall(r"^ +- alert: (\w+)$", ALERTS.read_text(), re.MULTILINE)


def run(*words: str | Path) -> str:
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_own_tool_can_read_the_alerts(promtool):
    assert f"{len(NAMES)} rules found" in run(promtool, "check", "rules", ALERTS)


def test_each_alert_comes_when_it_should_and_not_before(promtool):
    run(promtool, "test", "rules", CASES)
    assert set(re.findall(r"alertname: (\w+)", CASES.read_text())) == set(NAMES)


def test_a_rule_that_is_wrong_is_found(promtool, tmp_path):
    """Whoever breaks a rule shall not have the tool say yes."""
    broken = tmp_path / "tests" / "prometheus" / "alerts_test.yml"
    broken.parent.mkdir(parents=True)
    broken.write_text(CASES.read_text())
    rules = tmp_path / "packaging" / "prometheus" / ALERTS.name
    rules.parent.mkdir(parents=True)
    rules.write_text(ALERTS.read_text().replace("mastowatch_rule_dropped == 1", "mastowatch_rule_dropped == 0"))
    assert subprocess.run([promtool, "test", "rules", broken], capture_output=True, timeout=60).returncode == 1


def test_each_alert_is_explained_in_their_order():
    told = re.findall(r"^## (\w+)$", (ROOT / "docs/howto/alerts.md").read_text(), re.MULTILINE)
    assert told == NAMES


def known(expression: str) -> set[str]:
    """Return the figures that an expression asks for; those of a histogram by its name."""
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in re.findall(r"\b(?:rq|mastowatch)_\w+", expression)}


@pytest.mark.parametrize("file", [ALERTS, CASES, BOARD], ids=lambda file: file.name)
def test_only_figures_are_asked_for_that_there_are(file):
    assert known(file.read_text()) - set(FAMILIES) == set()


def test_the_board_has_places_for_all_panels_and_asks_where_one_can_choose():
    board = json.loads(BOARD.read_text())
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not taken & cells, panel["title"]
        taken |= cells
        assert panel["description"]
        for target in panel["targets"]:
            assert target["datasource"]["uid"] == "${datasource}"
            assert 'instance=~"$instance"' in target["expr"]
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def test_the_board_shows_one_api_at_a_time():
    """Each gives the figures of all: two of them together would show twice as many workers and failures."""
    (instance,) = (one for one in json.loads(BOARD.read_text())["templating"]["list"] if one["name"] == "instance")
    assert (instance["multi"], instance["includeAll"]) == (False, False)


def test_prometheus_own_parser_takes_each_question_of_the_board(promtool, tmp_path):
    questions = [target["expr"] for panel in json.loads(BOARD.read_text())["panels"] for target in panel["targets"]]
    rules = [
        {"record": f"board:{number}", "expr": one.replace("$__rate_interval", "5m")}
        for number, one in enumerate(questions)
    ]
    file = tmp_path / "rules.yml"
    file.write_text(json.dumps({"groups": [{"name": "board", "rules": rules}]}))  # JSON is YAML
    run(promtool, "check", "rules", file)


def test_both_are_in_the_package():
    told = (ROOT / "debian/rules").read_text()
    assert str(ALERTS.relative_to(ROOT)) in told
    assert str(BOARD.relative_to(ROOT)) in told
