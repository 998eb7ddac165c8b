"""``mastowatch sign-in``, and what the dashboard makes of what it writes when it starts."""

from __future__ import annotations

import io
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from mastowatch.cli import main
from mastowatch.config import Loaded, Settings
from mastowatch.errors import ConfigError
from mastowatch.jobs import context as contexts
from mastowatch.web.dashboard import create_dashboard
from mastowatch.web.dashboard.access import Access
from mastowatch.web.dashboard.access.opening import open_access, session_key
from tests.asgi import client_of
from tests.mastodon_server import MockMastodon, running_mock

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def mock() -> Iterator[MockMastodon]:
    with running_mock() as mock:
        yield mock


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DASHBOARD_PASSWORDS_FILE", str(tmp_path / "passwords"))
    monkeypatch.setenv("OAUTH_CLIENT_FILE", str(tmp_path / "client"))
    (tmp_path / "env").write_text("")
    return tmp_path


def sign_in(files: Path, *arguments: str) -> int:
    return main(["--config", str(files / "env"), "sign-in", *arguments])


def set_password(files: Path, monkeypatch: pytest.MonkeyPatch, name: str, role: str, password: str = PASSWORD) -> int:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{password}\n"))
    return sign_in(files, "password", name, "--role", role)


def opened(redis: Redis, **settings: object) -> Access:
    loaded = Loaded(Settings(**settings), {})
    return open_access(loaded, contexts.view(loaded, redis), b"k" * 32)


def test_people_are_added_changed_listed_and_removed(files: Path, monkeypatch, capsys, redis: Redis):
    assert set_password(files, monkeypatch, "alice", "act") == 0
    assert set_password(files, monkeypatch, "sam", "switch") == 0
    path = files / "passwords"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert PASSWORD not in path.read_text()
    assert "systemctl restart mastowatch-dashboard" in capsys.readouterr().out
    people = opened(redis, dashboard_passwords_file=path).passwords
    assert (people.check("alice", PASSWORD), people.check("sam", PASSWORD)) == ("act", "switch")
    before = people.mark_of("alice")
    assert set_password(files, monkeypatch, "alice", "read", "another one entirely") == 0
    people = opened(redis, dashboard_passwords_file=path).passwords
    assert (people.check("alice", PASSWORD), people.check("alice", "another one entirely")) == (None, "read")
    assert people.mark_of("alice") != before
    capsys.readouterr()
    assert sign_in(files, "list") == 0
    assert sorted(capsys.readouterr().out.splitlines()) == ["alice  read  by password", "sam  switch  by password"]
    assert sign_in(files, "remove", "alice") == 0
    assert sign_in(files, "remove", "alice") == 1
    assert sign_in(files, "remove", "sam") == 0
    assert not list(files.glob("*.new"))


@pytest.mark.parametrize(
    ("name", "password"), [("al:ice", PASSWORD), ("@alice", PASSWORD), ("alice", "short"), ("", "x")]
)
def test_what_can_not_be_kept_changes_nothing(files: Path, monkeypatch, name: str, password: str):
    assert set_password(files, monkeypatch, name, "act", password) == 2
    assert not (files / "passwords").exists()


def test_a_file_that_somebody_has_broken_is_not_overwritten(files: Path, monkeypatch, capsys):
    (files / "passwords").write_text("alice:act\n")
    assert set_password(files, monkeypatch, "sam", "act") == 2
    assert "line 1 is not NAME:ROLE" in capsys.readouterr().err
    assert (files / "passwords").read_text() == "alice:act\n"


def test_a_file_that_a_group_was_let_into_stays_open_to_it(files: Path, monkeypatch):
    assert set_password(files, monkeypatch, "alice", "act") == 0
    (files / "passwords").chmod(0o640)
    assert set_password(files, monkeypatch, "sam", "act") == 0
    assert stat.S_IMODE((files / "passwords").stat().st_mode) == 0o640


@pytest.mark.parametrize("words", [["mastodon"], ["password", "alice", "--role", "act"], ["remove", "alice"]])
def test_other_settings_that_name_no_file_do_not_touch_that_of_the_units(files: Path, monkeypatch, capsys, words):
    units = files / "units"
    units.mkdir()
    (units / "dashboard_passwords").write_text("")
    monkeypatch.setattr("mastowatch.cli.sign_in.CREDENTIALS", units)
    monkeypatch.delenv("DASHBOARD_PASSWORDS_FILE")
    monkeypatch.delenv("OAUTH_CLIENT_FILE")
    monkeypatch.setenv("INSTANCE_BASE", "http://127.0.0.1:9")
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    assert sign_in(files, *words) == 2
    assert "_FILE is not set" in capsys.readouterr().err
    assert [one.name for one in units.iterdir()] == ["dashboard_passwords"]
    assert (units / "dashboard_passwords").read_text() == ""
    assert sign_in(files, "list") == 0


@pytest.mark.parametrize("ended", [EOFError, KeyboardInterrupt])
def test_a_password_that_is_not_given_changes_nothing(files: Path, monkeypatch, capsys, ended: type[BaseException]):
    def end(_: str) -> str:
        raise ended

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", end)
    assert sign_in(files, "password", "alice", "--role", "act") == 2
    assert "nothing has changed" in capsys.readouterr().err
    assert not (files / "passwords").exists()


@pytest.mark.mastodon
def test_it_registers_with_the_server(files: Path, monkeypatch, capsys, redis: Redis, mock: MockMastodon):
    monkeypatch.setenv("INSTANCE_BASE", mock.url)
    monkeypatch.setenv("DASHBOARD_URL", "https://m.example/mastowatch")
    assert sign_in(files, "mastodon") == 0
    told = capsys.readouterr().out
    assert "https://m.example/mastowatch/sign-in/mastodon/answer" in told
    client_id, secret, scope = (files / "client").read_text().split()
    assert secret not in told
    assert scope == "read:accounts"
    assert stat.S_IMODE((files / "client").stat().st_mode) == 0o600
    access = opened(redis, instance_base=mock.url, oauth_client_file=files / "client")
    assert f"client_id={client_id}" in access.mastodon.begin("/").to
    assert sign_in(files, "list") == 0
    assert mock.url in capsys.readouterr().out


def test_a_server_that_is_away_is_told_of(files: Path, monkeypatch, capsys):
    monkeypatch.setenv("INSTANCE_BASE", "http://127.0.0.1:9")
    assert sign_in(files, "mastodon") == 1
    assert "got no answer" in capsys.readouterr().err
    assert not (files / "client").exists()


# At the start of the dashboard ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("bind", ["0.0.0.0:9181", "192.0.2.7:9181", "[::]:9181", "watch.example:9181"])
def test_open_to_others_without_a_sign_in_it_does_not_start(redis: Redis, bind: str):
    with pytest.raises(ConfigError, match=r"DASHBOARD_BIND=.* is open to other machines, and nobody has to sign in"):
        opened(redis, dashboard_bind=bind)


@pytest.mark.parametrize("bind", ["127.0.0.1:9181", "127.0.0.2:1", "[::1]:9181", "localhost:9181"])
def test_on_this_machine_alone_it_starts_without_a_sign_in(redis: Redis, bind: str):
    assert not opened(redis, dashboard_bind=bind).set_up


def test_open_to_others_with_a_sign_in_it_warns_of_plain_http(files: Path, monkeypatch, redis: Redis, caplog):
    set_password(files, monkeypatch, "alice", "act")
    where = {"dashboard_bind": "0.0.0.0:9181", "dashboard_passwords_file": files / "passwords"}
    assert opened(redis, **where).set_up
    assert [record.msg for record in caplog.records] == ["dashboard_in_clear"]
    caplog.clear()
    assert opened(redis, **where, dashboard_url="https://watch.example").set_up
    assert not caplog.records


def test_a_public_address_where_nobody_signs_in_is_told_of_in_the_journal_and_on_each_page(redis: Redis, caplog):
    settings = Settings(dashboard_url="https://watch.example/mw")
    view = contexts.view(Loaded(settings, {}), redis)
    access = open_access(Loaded(settings, {}), view, b"k" * 32)
    assert [(one.msg, one.url) for one in caplog.records] == [("dashboard_open", "https://watch.example/mw")]
    page = client_of(create_dashboard(view, access), "https://watch.example").get("/mw/rules").text
    assert "everybody who reaches https://watch.example/mw reads these pages" in page
    near = contexts.view(Loaded(Settings(), {}), redis)
    assert "everybody who reaches" not in client_of(create_dashboard(near), "http://127.0.0.1:9181").get("/").text


def test_a_key_that_is_too_short_is_refused_and_none_is_made_up_at_each_start(tmp_path: Path, caplog):
    path = tmp_path / "key"
    path.write_text("short")
    with pytest.raises(ConfigError, match="the session key has 5 characters"):
        session_key(Loaded(Settings(session_key_file=path), {}))
    path.write_text("k" * 64)
    assert session_key(Loaded(Settings(session_key_file=path), {})) == b"k" * 64
    with caplog.at_level("INFO"):
        keys = {session_key(Loaded(Settings(), {})) for _ in range(2)}
    assert len(keys) == 2
    assert {record.msg for record in caplog.records} == {"session_key_missing"}


@pytest.mark.parametrize("text", ["one", "a b c d"])
def test_a_client_that_no_command_has_written_is_refused(redis: Redis, tmp_path: Path, text: str):
    (tmp_path / "client").write_text(text)
    with pytest.raises(ConfigError, match="must be the client id, the client secret and the scope"):
        opened(redis, instance_base="https://m.example", oauth_client_file=tmp_path / "client")
