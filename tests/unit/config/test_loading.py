from pathlib import Path

import pytest

from mastowatch.config import Settings, load
from mastowatch.config.loading import SECRETS, masked
from mastowatch.errors import ConfigError


@pytest.fixture
def write(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "mastowatch.env"
        path.write_text(text)
        return path

    return write


def test_defaults_are_safe_and_keep_the_names_of_the_job_guide(write):
    settings = load({}, write("")).settings
    assert settings.dry_run
    assert not settings.panic_stop
    assert settings.poll_admin_accounts_interval == 30
    assert settings.poll_admin_accounts_local_interval == 30
    assert settings.queue_stats_interval == 60
    assert settings.redis_url == "redis://localhost:6379/1"


def test_the_environment_wins_over_the_file_and_the_command_line_over_both(write):
    file = write("POLL_ADMIN_ACCOUNTS_INTERVAL=40\nQUEUE_STATS_INTERVAL=41\nWORKER_QUEUES=low\n")
    environ = {"POLL_ADMIN_ACCOUNTS_INTERVAL": "50", "WORKER_QUEUES": "default"}
    loaded = load(environ, file, {"WORKER_QUEUES": "high,low"})
    assert loaded.settings.poll_admin_accounts_interval == 50
    assert loaded.origins["POLL_ADMIN_ACCOUNTS_INTERVAL"] == "environment"
    assert loaded.origins["QUEUE_STATS_INTERVAL"] == str(file)
    assert loaded.settings.worker_queues == ("high", "low")
    assert loaded.origins["DRY_RUN"] == "default"


@pytest.mark.parametrize(
    ("line", "allowed"),
    [
        ("POLL_ADMIN_ACCOUNTS_INTERVAL=0", "a whole number of seconds"),
        ("DRY_RUN=maybe", "true or false"),
        ("REPORT_THRESHOLD=-1", "a number above 0"),
        ("WORKER_QUEUES=high,fast", "some of high,default,low"),
        ("API_BIND=8080", "address:port"),
        ("INSTANCE_BASE=http://example.org", "https://"),
        ("REDIS_URL=localhost", "redis://"),
        ("RULES_DIR=", "an absolute path"),
    ],
)
def test_a_wrong_value_is_named_with_source_key_value_and_what_is_allowed(write, line, allowed):
    file = write(line + "\n")
    key, _, value = line.partition("=")
    with pytest.raises(ConfigError) as caught:
        load({}, file)
    text = str(caught.value)
    assert str(file) in text
    assert f"{key}={value!r}" in text
    assert allowed in text
    assert "\n" not in text


def test_a_mistyped_name_is_refused_with_the_nearest_one(write):
    with pytest.raises(ConfigError, match="did you mean REPORT_THRESHOLD"):
        load({}, write("REPORT_TRESHOLD=4\n"))


def test_a_password_is_masked_and_never_repeated_in_a_complaint(write):
    shown = masked(load({"REDIS_URL": "redis://me:hunter2@localhost/1"}, write("")))
    assert shown["REDIS_URL"] == "redis://me:****@localhost/1"
    with pytest.raises(ConfigError) as caught:
        load({"REDIS_URL": "http://me:hunter2@localhost"}, write(""))
    assert "hunter2" not in str(caught.value)


def test_secrets_come_from_the_credentials_directory_or_a_named_file(write, tmp_path):
    (tmp_path / "access_token").write_text("from-credentials\n")
    loaded = load({"CREDENTIALS_DIRECTORY": str(tmp_path)}, write(""))
    assert loaded.need_secret("access_token") == "from-credentials"
    other = tmp_path / "other"
    other.write_text("from-file")
    loaded = load({"ACCESS_TOKEN_FILE": str(other)}, write(""))
    assert loaded.need_secret("access_token") == "from-file"


def test_a_missing_or_empty_secret_says_where_to_put_it(write, tmp_path):
    with pytest.raises(ConfigError, match="ACCESS_TOKEN_FILE is not set"):
        load({}, write("")).need_secret("access_token")
    empty = tmp_path / "empty"
    empty.touch()
    with pytest.raises(ConfigError, match="is empty"):
        load({"ACCESS_TOKEN_FILE": str(empty)}, write("")).need_secret("access_token")


def test_the_file_is_read_as_systemd_reads_it(write):
    file = write("# note\n; note\nUSER_AGENT=\"a # b\"\nEXEMPT_DOMAINS=a.example,\\\nb.example\nDRY_RUN='false'\n")
    settings = load({}, file).settings
    assert settings.user_agent == "a # b"
    assert settings.exempt_domains == {"a.example", "b.example"}
    assert not settings.dry_run


def test_every_setting_says_what_is_allowed_and_what_it_is_for():
    for name, _, allowed, about in Settings.table():
        assert allowed, name
        assert about, name


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://:p@ss/w#rd@h:6379/1", None),
        ("redis://:hunter2@h/1", "redis://:****@h/1"),
        ("redis://h/1?password=hunter2", None),
        ("redis://h/1?foo=bar", None),
        ("redis://h:abc/1", None),
        ("redis://h/x", None),
        ("unix:///x?db=y", None),
        ("unix:///run/redis.sock?db=1", "unix:///run/redis.sock?db=1"),
        ("rediss://h:6380/1?ssl_cert_reqs=none", "rediss://h:6380/1?ssl_cert_reqs=none"),
    ],
)
def test_a_redis_url_is_usable_and_shows_no_password_or_is_refused_without_repeating_it(write, url, shown):
    if shown is not None:
        assert masked(load({"REDIS_URL": url}, write("")))["REDIS_URL"] == shown
        return
    with pytest.raises(ConfigError) as caught:
        load({"REDIS_URL": url}, write(""))
    assert "hunter2" not in str(caught.value)
    assert "w#rd" not in str(caught.value)


@pytest.mark.parametrize("name", sorted(name.upper() for name in SECRETS.values()))
def test_a_secret_that_stands_where_its_file_is_to_be_named_is_not_repeated(write, name):
    with pytest.raises(ConfigError, match=f"{name}=.* is not allowed; allowed: an absolute path") as caught:
        load({}, write(f"{name}=hunter2-itself\n"))
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("url", ["https://ex ample", "https://h:99999", "https://h#f", "https://h/path", "https://-h"])
def test_an_instance_base_that_is_no_address_is_refused(write, url):
    with pytest.raises(ConfigError, match="INSTANCE_BASE"):
        load({"INSTANCE_BASE": url}, write(""))


def test_exemptions_are_taken_as_people_write_them(write):
    environ = {"EXEMPT_ACCOUNTS": "@Alice, acct:bob@x.example", "EXEMPT_DOMAINS": "*.x.example, Bücher.example."}
    settings = load(environ, write("")).settings
    assert settings.exempt_accounts == {"alice", "bob@x.example"}
    assert settings.exempt_domains == {"x.example", "xn--bcher-kva.example"}


@pytest.mark.parametrize(
    "environ",
    [
        {"EXEMPT_DOMAINS": "https://x.example"},
        {"EXEMPT_DOMAINS": "x.example:443"},
        {"EXEMPT_ACCOUNTS": "https://x.example/@a"},
        {"EXEMPT_ACCOUNTS": "a@b@c"},
    ],
)
def test_exemptions_that_could_never_match_are_refused(write, environ):
    with pytest.raises(ConfigError, match="EXEMPT_"):
        load(environ, write(""))
