from __future__ import annotations

import logging
from pathlib import Path

import pytest

from mastowatch.config import Loaded, load
from mastowatch.errors import ConfigError
from mastowatch.processes.reloading import Reloader


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "x.env"
    path.write_text("REPORT_THRESHOLD=5\n")
    return path


@pytest.fixture(autouse=True)
def kept_logging(monkeypatch):
    """A reload sets up logging anew, which would take it away from pytest."""
    monkeypatch.setattr("mastowatch.processes.reloading.set_up", lambda level: None)


def events(caplog) -> dict[str, logging.LogRecord]:
    return {one.message: one for one in caplog.records}


def test_what_has_changed_is_put_in_force_and_named(file, caplog):
    caplog.set_level(logging.INFO)
    adopted: list[Loaded] = []
    reloader = Reloader(load({}, file), adopted.append)
    file.write_text("REPORT_THRESHOLD=6\nDRY_RUN=false\n")
    reloader.reload()
    assert adopted == [reloader.loaded]
    assert reloader.loaded.settings.report_threshold == 6
    assert events(caplog)["settings_reloaded"].changed == ["DRY_RUN", "REPORT_THRESHOLD"]


def test_a_bad_file_is_told_and_changes_nothing(file, caplog):
    before = load({}, file)
    reloader = Reloader(before, lambda found: pytest.fail("nothing to adopt"))
    file.write_text("REPORT_THRESHOLD=6\nREPORT_TRESHOLD=7\n")
    reloader.reload()
    assert reloader.loaded is before
    assert "did you mean REPORT_THRESHOLD" in events(caplog)["settings_not_reloaded"].error


def test_what_can_not_be_adopted_is_told_and_changes_nothing(file, caplog):
    def refuse(found: Loaded) -> None:
        raise ConfigError("no such key")

    before = load({}, file)
    reloader = Reloader(before, refuse)
    file.write_text("REPORT_THRESHOLD=6\n")
    reloader.reload()
    assert reloader.loaded is before
    assert events(caplog)["settings_not_reloaded"].error == "no such key"


def test_what_needs_a_restart_keeps_its_value_and_is_named_until_it_is_changed_back(file, caplog):
    caplog.set_level(logging.INFO)
    reloader = Reloader(load({}, file), lambda found: None, ["REDIS_URL", "WORKER_QUEUES"])
    before = reloader.loaded.settings.redis_url
    file.write_text("REDIS_URL=redis://elsewhere/1\nREPORT_THRESHOLD=6\n")
    for _ in range(2):
        caplog.clear()
        reloader.reload()
        assert reloader.loaded.settings.redis_url == before
        assert reloader.loaded.settings.report_threshold == 6
        assert events(caplog)["restart_needed"].settings == ["REDIS_URL"]
    file.write_text("")
    caplog.clear()
    reloader.reload()
    assert "restart_needed" not in events(caplog)


def test_the_environment_wins_at_a_reload_as_it_does_at_the_start(file):
    reloader = Reloader(load({"REPORT_THRESHOLD": "9"}, file), lambda found: None)
    file.write_text("REPORT_THRESHOLD=6\n")
    reloader.reload()
    assert reloader.loaded.settings.report_threshold == 9


def test_the_file_of_an_instance_is_read_again_too(file):
    reloader = Reloader(load({}, file, instance="2"), lambda found: None)
    file.with_name("worker@2.env").write_text("REPORT_THRESHOLD=7\n")
    reloader.reload()
    assert reloader.loaded.settings.report_threshold == 7
