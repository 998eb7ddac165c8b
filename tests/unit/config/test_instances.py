"""worker@N.env beside the settings that all share, and credentials as systemd hands them over."""

from __future__ import annotations

from pathlib import Path

import pytest

from mastowatch.config import load
from mastowatch.config.loading import Sources, examine
from mastowatch.errors import ConfigError


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    path = tmp_path / "mastowatch.env"
    path.write_text("WORKER_QUEUES=low\nREPORT_THRESHOLD=6\n")
    (tmp_path / "worker@2.env").write_text("WORKER_QUEUES=high\n")
    return path


def test_the_file_of_an_instance_wins_over_the_one_that_all_share(shared):
    loaded = load({}, shared, instance="2")
    assert loaded.settings.worker_queues == ("high",)
    assert loaded.settings.report_threshold == 6
    assert loaded.origins["WORKER_QUEUES"] == str(shared.with_name("worker@2.env"))
    assert load({}, shared, instance="1").settings.worker_queues == ("low",)
    assert load({"WORKER_QUEUES": "default"}, shared, instance="2").settings.worker_queues == ("default",)


def test_a_mistyped_name_in_it_is_refused_too(shared):
    shared.with_name("worker@2.env").write_text("WORKER_QUEUE=high\n")
    with pytest.raises(ConfigError, match=r"worker@2\.env: WORKER_QUEUE is not a setting; did you mean WORKER_QUEUES"):
        load({}, shared, instance="2")


@pytest.mark.parametrize("instance", ["../../etc/passwd", "1/2", "a b"])
def test_an_instance_is_no_path(shared, instance):
    with pytest.raises(ConfigError, match="is no name"):
        load({}, shared, instance=instance)


def test_all_that_is_wrong_is_found_at_once(shared):
    shared.write_text("DRY_RUN=maybe\nREPORT_TRESHOLD=1\nQUEUE_STATS_INTERVAL=0\n")
    loaded, faults = examine(Sources({}, shared))
    assert loaded is None
    assert [fault.split()[1].partition("=")[0] for fault in faults] == [
        "REPORT_TRESHOLD",
        "DRY_RUN",
        "QUEUE_STATS_INTERVAL",
    ]


def test_an_empty_credential_counts_as_none_and_an_empty_file_that_is_named_does_not(tmp_path, shared):
    for name in ("api_key", "redis_password", "access_token"):
        (tmp_path / name).write_text("\n")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    loaded = load(environ, shared)
    assert loaded.secret("api_key") is None
    assert loaded.secret("redis_password") is None
    with pytest.raises(ConfigError, match="/etc/mastowatch/credentials/access_token"):
        loaded.need_secret("access_token")
    with pytest.raises(ConfigError, match="is empty"):
        load({**environ, "API_KEY_FILE": str(tmp_path / "api_key")}, shared).secret("api_key")
