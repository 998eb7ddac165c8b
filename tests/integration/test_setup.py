"""``mastowatch setup`` with settings of its own (--config): what it asks, tries, refuses and writes."""

from __future__ import annotations

import io
import os
import re
import signal
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis

from mastowatch.cli import main
from mastowatch.cli.setup.begin import alone
from mastowatch.cli.setup.places import Places
from mastowatch.cli.setup.which_redis import look
from mastowatch.config import envfile, load
from mastowatch.config.loading import DEFAULT_FILE
from mastowatch.config.writing import set_values
from mastowatch.jobs import context as contexts
from mastowatch.web.dashboard.access.passwords import Passwords
from tests.failover import PASSWORD, secured
from tests.guarded_mastodon import MANAGE_REPORTS, NEEDED, GuardedMastodon, guarded_mastodon
from tests.redis_server import private_redis
from tests.typing_person import Person, person_at

pytestmark = pytest.mark.redis
ROOT = Path(__file__).parents[2]


@pytest.fixture
def mastodon() -> Iterator[GuardedMastodon]:
    with guarded_mastodon() as mastodon:
        yield mastodon


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    with private_redis("--appendonly", "yes") as url:
        yield url


@pytest.fixture
def env(tmp_path: Path) -> Path:
    """The settings as the package brings them; Redis is none that answers, so that each test names its own."""
    path = tmp_path / "mastowatch.env"
    path.write_text(f"{(ROOT / 'etc/mastowatch.env').read_text()}RULES_DIR={ROOT}/etc/rules.d\n")
    return path


@pytest.fixture
def run(env: Path, monkeypatch, capsys) -> Callable[..., tuple[int, str]]:
    """Run it without a terminal; returns the status and all that it printed."""

    def run(*words: str, given: str = "") -> tuple[int, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(given))
        status = main(["--config", str(env), "setup", *words])
        told = capsys.readouterr()
        return status, told.out + told.err

    return run


@pytest.fixture
def first(mastodon: GuardedMastodon, redis_url: str, tmp_path: Path) -> list[str]:
    """The flags of a first set-up."""
    (tmp_path / "token").write_text(f"{mastodon.token()}\n")
    token = ["--access-token-file", str(tmp_path / "token")]
    return ["--instance", mastodon.url, *token, "--redis", redis_url, "--yes"]


def everything(directory: Path) -> dict[str, bytes]:
    return {str(one): one.read_bytes() for one in directory.rglob("*") if one.is_file()}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# Unattended ----------------------------------------------------------------------------------------------------------


def test_flags_alone_set_it_up(run, env: Path, first, mastodon, redis_url):
    before = env.read_text()
    status, told = run(*first)
    assert status == 0, told
    loaded = load({}, env)
    assert loaded.settings.instance_base == mastodon.url
    assert loaded.settings.redis_url == redis_url
    assert loaded.settings.dry_run
    assert loaded.origins["DRY_RUN"] == str(env)
    assert loaded.secret("access_token") in mastodon.tokens
    assert not [line for line in before.splitlines() if line not in env.read_text().splitlines()]
    assert (mode(env.parent / "credentials"), mode(env.parent / "credentials/access_token")) == (0o700, 0o600)
    assert loaded.secret("access_token") not in told
    assert "POST /api/v1/reports" in mastodon.asked
    assert main(["--config", str(env), "config", "check"]) == 0


def test_settings_that_are_not_there_yet_are_made(run, env: Path, first):
    env.unlink()
    assert run("--yes")[0] == 2
    assert not env.exists()
    status, told = run(*first)
    assert status == 0, told
    assert f"\n    mastowatch --config {env} doctor\n" in told
    assert load({}, env).settings.dry_run
    assert mode(env) == 0o644


def test_what_lacks_is_named_by_its_flag_and_nothing_is_changed(run, env: Path, first):
    before = everything(env.parent)
    status, told = run()
    assert status == 2
    assert all(flag in told for flag in ("--instance", "--access-token-file", "--authorize", "--yes"))
    status, told = run("--yes", *first[:2])
    assert status == 2
    assert "--access-token-file" in told
    assert "--instance" not in told
    status, told = run(*first[:-1])
    assert (status, "--yes" in told) == (2, True)
    assert everything(env.parent) == before


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--access-token-file", "-", "--redis-password-file", "-"], "can't both be read from standard input"),
        (["--code-file", "/code"], "--authorize"),
        (["--no-webhooks", "--webhook-secret-file", "/secret"], "not for each other"),
        (["--dashboard", "password"], "`password` and a name"),
        (["--dashboard", "everybody"], "`mastodon`, `none`"),
        (["--redis", "private", "--redis-password-file", "/password"], "leave --redis-password-file out"),
        (["--dashboard-password-file", "/password"], "--dashboard password NAME"),
        (["--dashboard", "none", "--dashboard-password-file", "/password"], "--dashboard password NAME"),
        (["--workers", "65"], "64 at most"),
        (["--workers", "2"], "--workers: no unit of this machine reads"),
        (["--stream"], "--stream: no unit of this machine reads"),
        (["--start"], "--start: no unit of this machine reads"),
        (["--no-dry-run"], "not at the first set-up"),
        (["--instance", "http://mastodon.example"], "INSTANCE_BASE="),
    ],
)
def test_flags_that_make_no_sense_change_nothing(run, env: Path, first, words, told):
    before = everything(env.parent)
    status, shown = run(*first, *words)
    assert status in (1, 2)
    assert told in shown
    assert everything(env.parent) == before


def test_the_token_is_read_from_standard_input_too(run, env: Path, first, mastodon):
    first[first.index("--access-token-file") + 1] = "-"
    token = mastodon.token()
    assert run(*first, given=f"{token}\n")[0] == 0
    assert load({}, env).secret("access_token") == token
    assert run("--access-token-file", "-", "--yes", given="\n")[0] == 2


@pytest.mark.parametrize("text", ["", "\n", "to\x1bken\n"])
def test_a_file_without_a_secret_is_told_of(run, env: Path, first, tmp_path, text):
    (tmp_path / "token").write_text(text)
    before = everything(tmp_path)
    status, told = run(*first)
    assert status == 2
    assert str(tmp_path / "token") in told
    assert "\x1b" not in told
    assert everything(tmp_path) == before


def test_a_token_without_a_scope_is_refused_and_the_scope_named(run, env: Path, first, mastodon, tmp_path):
    for scope in NEEDED:
        (tmp_path / "token").write_text(mastodon.token(*(one for one in NEEDED if one != scope)))
        before = everything(tmp_path)
        status, told = run(*first)
        assert status == 1
        assert scope in told
        assert "Nothing was changed" in told
        assert everything(tmp_path) == before


def test_a_role_without_a_right_is_refused_and_the_right_named(run, env: Path, first, mastodon):
    mastodon.people["bot"] = MANAGE_REPORTS
    status, told = run(*first)
    assert status == 1
    assert "manage_users" in told
    assert "Roles" in told


def test_scopes_for_measures_are_asked_only_where_they_are_allowed(run, env: Path, first):
    env.write_text(f"{env.read_text()}ALLOW_ENFORCEMENT=true\n")
    status, told = run(*first)
    assert status == 1
    assert "admin:write:accounts" in told


def test_forced_it_goes_on_all_the_same(run, env: Path, first, mastodon, tmp_path):
    (tmp_path / "token").write_text(mastodon.token("read:accounts"))
    assert run(*first)[0] == 1
    run(*first, "--force")
    assert load({}, env).secret("access_token") == (tmp_path / "token").read_text()


def test_an_old_server_or_none_is_refused(run, env: Path, first, mastodon):
    before = everything(env.parent)
    mastodon.version = "3.5.19"
    status, told = run(*first)
    assert status == 1
    assert "3.5.19" in told
    status, told = run(*first, "--instance", "http://127.0.0.1:9")
    assert status == 1
    assert everything(env.parent) == before


def test_a_redis_is_looked_at_before_anything_is_written(run, env: Path, first):
    before = everything(env.parent)
    status, told = run(*first, "--redis", "redis://127.0.0.1:9/1")
    assert status == 1
    assert "does not answer" in told
    for url in ("redis://:hunter2@127.0.0.1:9/1", "nonsense"):
        status, told = run(*first, "--redis", url)
        assert status == 1
        assert "hunter2" not in told
    assert "private" not in told
    status, told = run(*first, "--redis", "private")
    assert status == 1
    assert "for the units of this machine" in told
    assert everything(env.parent) == before


def test_a_redis_with_a_password_takes_it_from_a_file(run, env: Path, first, tmp_path):
    (tmp_path / "password").write_text("open sesame\n")
    with private_redis() as url, Redis.from_url(url) as redis:
        redis.config_set("requirepass", "open sesame")
        status, told = run(*first, "--redis", url)
        assert status == 1
        assert "--redis-password-file" in told
        status, told = run(*first, "--redis", url, "--redis-password-file", str(tmp_path / "password"))
        assert status == 0, told
    assert "no append-only file" in told
    assert "open sesame" not in told + env.read_text()
    assert load({}, env).secret("redis_password") == "open sesame"
    assert mode(tmp_path / "credentials/redis_password") == 0o600


def test_the_password_of_one_redis_is_not_sent_to_another(run, env: Path, first, redis_url, tmp_path):
    (tmp_path / "password").write_text("open sesame\n")
    with private_redis() as url, Redis.from_url(url) as redis:
        redis.config_set("requirepass", "open sesame")
        words = ["--redis", url, "--redis-password-file", str(tmp_path / "password")]
        assert run(*first, *words)[0] == 0
        # Not the same one once more, and not another that asks for one.
        assert run("--redis", url, "--yes")[0] == 0
        assert run("--redis", f"{url.removesuffix('/1')}/2", "--yes")[0] == 1
        assert load({}, env).secret("redis_password") == "open sesame"
    status, told = run("--redis", redis_url, "--yes")
    assert status == 0, told
    loaded = load({}, env)
    assert (loaded.settings.redis_url, loaded.secret("redis_password")) == (redis_url, None)
    assert contexts.connect(loaded).ping()


def test_a_redis_with_an_authority_of_its_own_gets_another_password(run, env: Path, first, tmp_path):
    (tmp_path / "tls").mkdir()
    (tmp_path / "password").write_text(PASSWORD)
    assert run(*first)[0] == 0
    with secured(tmp_path / "tls") as (_, port):
        set_values(env, {"REDIS_URL": f"rediss://127.0.0.1:{port}/1", "REDIS_CA_FILE": f"{tmp_path}/tls/ca.pem"})
        status, told = run("--redis-password-file", str(tmp_path / "password"), "--yes")
        assert status == 0, told
        assert f"--tls --cacert {tmp_path}/tls/ca.pem config set appendonly yes" in told
        assert contexts.connect(load({}, env)).ping()


def test_a_redis_behind_sentinels_is_looked_at_when_all_is_written(run, env: Path, first, tmp_path):
    (tmp_path / "password").write_text(PASSWORD)
    assert run(*first)[0] == 0
    set_values(env, {"REDIS_URL": "redis://not-used/1", "REDIS_SENTINELS": "127.0.0.1:9"})
    status, told = run("--redis-password-file", str(tmp_path / "password"), "--yes")
    assert status == 0, told
    assert load({}, env).secret("redis_password") == PASSWORD


def test_a_redis_that_may_lose_jobs_is_warned_of_and_not_changed(run, first):
    options = ("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
    with private_redis(*options) as url:
        status, told = run(*first, "--redis", f"{url.removesuffix('/1')}/0")
    assert status == 0, told
    assert "allkeys-lru" in told
    assert "database 0" in told


# Once more -----------------------------------------------------------------------------------------------------------


def test_once_more_without_a_flag_there_is_nothing_to_change(run, env: Path, first):
    assert run(*first)[0] == 0
    before = everything(env.parent)
    for words in ((), ("--yes",), tuple(first)):
        status, told = run(*words)
        assert status == 0, told
        assert "Nothing to change" in told
        assert everything(env.parent) == before


def test_once_more_only_what_is_asked_for_changes(run, env: Path, first, tmp_path):
    assert run(*first)[0] == 0
    env.write_text(env.read_text().replace("DRY_RUN=true\n", "DRY_RUN=false\n"))
    before = envfile.read(env)
    (tmp_path / "hook").write_text("s3cret-of-the-hook\n")
    status, told = run("--webhook-secret-file", str(tmp_path / "hook"), "--yes")
    assert status == 0, told
    after = envfile.read(env)
    assert {name for name in after if after[name] != before.get(name)} == {"WEBHOOK_SECRET_FILE"}
    assert load({}, env).secret("webhook_secret") == "s3cret-of-the-hook"
    assert "s3cret-of-the-hook" not in told
    assert run("--dry-run", "--yes")[0] == 0
    assert load({}, env).settings.dry_run
    assert run("--no-dry-run", "--yes")[0] == 0
    assert not load({}, env).settings.dry_run
    assert run("--no-webhooks", "--yes")[0] == 0
    assert load({}, env).secret("webhook_secret") is None
    assert not (tmp_path / "credentials/webhook_secret").exists()


def test_rights_that_had_become_too_wide_are_made_narrow(run, env: Path, first, mastodon, tmp_path):
    assert run(*first)[0] == 0
    token = tmp_path / "credentials/access_token"
    token.chmod(0o644)
    token.parent.chmod(0o755)
    (tmp_path / "token").write_text(mastodon.token())
    assert run(*first)[0] == 0
    assert (mode(token.parent), mode(token)) == (0o700, 0o600)


def test_webhooks_are_told_of_and_their_secret_asked_for_later(run, env: Path, first):
    status, told = run(*first, "--webhooks")
    assert status == 0, told
    assert "http://127.0.0.1:8080/webhooks/mastodon" in told
    assert "account.created" in told
    assert "--webhook-secret-file FILE" in told
    assert run("--webhook-secret-file", "-", "--yes", given="of-the-hook\n")[0] == 0
    status, told = run("--webhooks", "--yes")
    assert (status, "/webhooks/mastodon" in told, "Nothing to change." in told) == (0, True, True)
    assert "--webhook-secret-file" not in told  # it is there


def test_the_dashboard_is_registered_or_gets_a_password(run, env: Path, first, mastodon, tmp_path):
    status, told = run(*first, "--dashboard", "mastodon", "--dashboard-url", "https://m.example/watch")
    assert status == 0, told
    client_id, secret, _ = load({}, env).secret("oauth_client").split()
    assert mastodon.apps[client_id]["redirect_uris"] == "https://m.example/watch/sign-in/mastodon/answer"
    assert secret not in told
    (tmp_path / "password").write_text("correct horse battery\n")
    words = ["--dashboard", "password", "alice"]
    status, told = run(*words, "--yes")
    assert status == 2
    assert "--dashboard-password-file" in told
    words += ["--dashboard-password-file", str(tmp_path / "password"), "--yes"]
    status, told = run(*words)
    assert status == 0, told
    assert load({}, env).secret("dashboard_passwords").startswith("alice:switch:")
    file = load({}, env).settings.dashboard_passwords_file
    file.write_text(file.read_text().replace("alice:switch:", "alice:read:"))
    assert run(*words)[0] == 0
    assert load({}, env).secret("dashboard_passwords").startswith("alice:read:")  # a password is no promotion
    status, told = run("--dashboard-url", "https://m.example/watch", "--yes")
    assert (status, "Nothing to change" in told) == (0, True)
    assert run("--dashboard-url", "https://m.example/mw", "--yes")[0] == 0
    client_id, _, _ = load({}, env).secret("oauth_client").split()
    assert mastodon.apps[client_id]["redirect_uris"] == "https://m.example/mw/sign-in/mastodon/answer"
    with guarded_mastodon() as other:
        (tmp_path / "token").write_text(other.token())
        status, told = run("--instance", other.url, "--access-token-file", str(tmp_path / "token"), "--yes")
        assert status == 0, told
        assert load({}, env).secret("oauth_client").split()[0] in other.apps
    assert run("--dashboard", "none", "--yes")[0] == 0
    assert load({}, env).secret("dashboard_passwords") is load({}, env).secret("oauth_client") is None


# Authorised in a browser ---------------------------------------------------------------------------------------------


def shown_address(told: str) -> str:
    return re.search(r"\s(\S+/oauth/authorize\S+)", told)[1]


@pytest.mark.parametrize("pkce", [True, False])
def test_it_registers_for_exactly_the_scopes_and_trades_the_code(env: Path, redis_url, mastodon, pkce):
    mastodon.pkce = pkce
    words = ["--config", str(env), "setup", "--instance", mastodon.url, "--authorize", "--redis", redis_url, "--yes"]
    with person_at(*words) as person:
        person.answers("Code", mastodon.authorise(shown_address(person.waits_for("state=") + person.waits_for("\n"))))
        assert person.ends() == 0, person.read
    (app,) = mastodon.apps.values()
    assert sorted(app["scopes"].split()) == sorted(NEEDED)
    token = load({}, env).secret("access_token")
    assert mastodon.tokens[token].scopes == frozenset(NEEDED)
    assert token not in person.read


def test_the_code_may_come_through_a_pipe(run, env: Path, redis_url, mastodon, tmp_path, monkeypatch):
    pipe = tmp_path / "code"
    os.mkfifo(pipe)
    asked: list[str] = []
    show = "mastowatch.cli.setup.talking.Talk.show"
    monkeypatch.setattr(show, lambda _, text: asked.append(text))
    writer = threading.Thread(target=lambda: pipe.write_text(f"{mastodon.authorise(wait_for(asked))}\n"))
    writer.start()
    words = ["--instance", mastodon.url, "--authorize", "--redis", redis_url, "--yes"]
    status, told = run(*words, "--code-file", str(pipe))
    writer.join()
    assert status == 0, told
    assert load({}, env).secret("access_token") in mastodon.tokens
    status, told = run("--authorize", "--yes", "--redis", redis_url)
    assert status == 2
    assert "--code-file" in told


def wait_for(asked: list[str]) -> str:
    while not asked:
        threading.Event().wait(0.01)
    return asked[0]


def test_a_wrong_code_changes_nothing(run, env: Path, redis_url, mastodon):
    before = everything(env.parent)
    words = ["--instance", mastodon.url, "--authorize", "--redis", redis_url, "--yes", "--code-file", "-"]
    status, told = run(*words, given="wrong\n")
    assert status == 1
    assert "the code is not right" in told
    assert everything(env.parent) == before


# At a terminal -------------------------------------------------------------------------------------------------------


@pytest.fixture
def person(env: Path) -> Iterator[Person]:
    with person_at("--config", str(env), "setup") as person:
        yield person


def through_server_and_token(person: Person, mastodon: GuardedMastodon) -> None:
    person.answers("Its address", mastodon.url)
    assert "Mastodon 4.4.1" in person.answers("Which [1]", "1")
    address = shown_address(person.waits_for("state=") + person.waits_for("\n"))
    person.answers("Code", mastodon.authorise(address))
    person.answers("Is it the bot's?", "y")


def test_a_person_is_led_through_it(person: Person, env: Path, mastodon, redis_url):
    through_server_and_token(person, mastodon)
    person.answers("Which [1]", "other")
    person.answers("Its address", "redis://127.0.0.1:9/1")
    # Not taken for what is set.
    assert "redis://127.0.0.1:9/1\n" not in person.waits_for("Which [1]").partition("does not answer")[2]
    person.types("other")
    person.answers("Its address", redis_url)
    person.answers("Add one now?")
    shown = person.answers("Signing secret", "of-the-hook")
    assert "http://127.0.0.1:8080/webhooks/mastodon" in shown
    person.answers("Which [1]", "password")
    person.answers("Name", "alice smith")
    assert "letters and digits" in person.answers("Name", "alice")
    person.answers("Password", "short")
    person.answers("Password", " correct horse battery")
    person.answers("Once more", " correct horse battery")
    plan = person.waits_for("Go on?")
    assert not (env.parent / "credentials").exists()
    person.types("y")
    assert f"set INSTANCE_BASE={mastodon.url}" in plan
    assert person.ends() == 0, person.read
    loaded = load({}, env)
    assert loaded.settings.redis_url == redis_url
    assert loaded.secret("webhook_secret") == "of-the-hook"
    assert loaded.secret("dashboard_passwords").startswith("alice:switch:")
    people = Passwords.parse(loaded.secret("dashboard_passwords"), "there")
    assert people.check("alice", " correct horse battery") == "switch"  # as it is typed at the sign-in
    for secret in (loaded.secret("access_token"), "of-the-hook", "correct horse battery"):
        assert secret not in person.read


@pytest.mark.parametrize("key", [b"\x03", b"\x04"])
def test_ended_at_a_question_it_leaves_nothing_behind(person: Person, env: Path, mastodon, key):
    before = everything(env.parent)
    through_server_and_token(person, mastodon)
    assert len(mastodon.tokens) == 1
    person.waits_for("Which [1]")
    person.presses(key)
    assert person.ends() == 130
    assert "Nothing was changed" in person.read
    assert "Traceback" not in person.read
    assert everything(env.parent) == before
    assert mastodon.tokens == {}


def test_a_no_at_the_end_leaves_nothing_behind(env: Path, first, mastodon):
    before = everything(env.parent)
    with person_at("--config", str(env), "setup", *first[:-1]) as person:
        person.answers("Is it the bot's?")
        person.answers("Add one now?", "n")
        person.answers("Which [1]", "none")
        person.answers("Go on?", "n")
        assert person.ends() == 1
    assert everything(env.parent) == before


def test_what_is_wrong_can_be_mended_meanwhile(person: Person, mastodon, redis_url):
    mastodon.people["bot"] = MANAGE_REPORTS
    person.answers("Its address", "http://127.0.0.1:9")
    wrong = person.answers("Go on with it all the same?")
    # The one thing that is wrong, and nothing that follows from it.
    assert (wrong.count("FAILURE"), "unknown" in wrong) == (1, False)
    # Not what Enter takes now; and an address copied with its page.
    person.answers("Its address, like https://mastodon.example: ", f"{mastodon.url}/about")
    person.answers("Which [1]", "2")
    assert "admin:read:accounts" in person.answers("Access token", mastodon.token())
    assert "manage_users" in person.waits_for("What now [1]")
    mastodon.people["bot"] |= 1 << 10
    person.types("1")
    person.answers("Is it the bot's?", "n")
    person.answers("Once more [2]", "paste")
    person.answers("Access token", mastodon.token("read:accounts"))
    # The scopes of a token can't be mended, and setup runs already.
    told = person.answers("What now [1]")
    assert "1  take another token" in told
    assert "mend: mastowatch setup" not in told
    person.answers("Once more [2]", "paste")
    person.answers("Access token", mastodon.token("read:accounts"))
    person.answers("What now [1]", "go-on")
    person.waits_for("Which [1]")
    person.types("other")
    person.answers("Its address", redis_url.rpartition("/")[0] + "/0")
    person.answers("Use it all the same? [y/N]")
    person.waits_for("Which [1]")
    person.program.send_signal(signal.SIGINT)
    assert person.ends() == 130


def test_once_more_at_a_terminal_enter_keeps_every_answer(run, env: Path, first):
    assert run(*first)[0] == 0
    before = everything(env.parent)
    with person_at("--config", str(env), "setup") as person:
        person.answers("Its address")
        person.answers("Which [1]")
        person.answers("Which [1]")
        person.answers("Add one now?")
        person.answers("Which [1]")
        assert person.ends() == 0, person.read
    assert "Nothing to change" in person.read
    assert everything(env.parent) == before


def test_once_more_with_a_flag_nothing_else_is_asked(run, env: Path, first, tmp_path):
    assert run(*first)[0] == 0
    (tmp_path / "hook").write_text("of-the-hook\n")
    with person_at("--config", str(env), "setup", "--webhook-secret-file", str(tmp_path / "hook")) as person:
        person.answers("Go on?")
        assert person.ends() == 0, person.read
    assert load({}, env).secret("webhook_secret") == "of-the-hook"


# Other servers, other paths, other runs ------------------------------------------------------------------------------


def test_a_token_is_not_sent_to_another_server_than_its_own(run, env: Path, first):
    assert run(*first)[0] == 0
    before = everything(env.parent)
    with guarded_mastodon() as other:
        status, told = run("--instance", other.url, "--yes")
        assert status == 1, told
        assert "--access-token-file" in told
        assert "GET /api/v1/accounts/verify_credentials" not in other.asked
        assert everything(env.parent) == before
        assert run("--instance", other.url, "--yes", "--force")[0] == 0


def test_a_token_that_could_not_be_written_is_given_back(env: Path, redis_url, mastodon):
    (env.parent / "credentials").write_text("no directory")
    words = ["--config", str(env), "setup", "--instance", mastodon.url, "--authorize", "--redis", redis_url, "--yes"]
    with person_at(*words) as person:
        person.answers("Code", mastodon.authorise(shown_address(person.waits_for("state=") + person.waits_for("\n"))))
        assert person.ends() == 1, person.read
    assert not mastodon.tokens


def test_two_at_once_lose_nothing(run, env: Path, first):
    assert run(*first)[0] == 0
    with alone(Places.of(env)):
        status, told = run("--stream", "--yes", "--dashboard-url", "https://m.example/watch")
    assert "another setup is under way" in told
    assert status == 2
    assert "DASHBOARD_URL=https://m.example/watch" not in env.read_text()


def test_the_machines_own_settings_are_known_by_any_path(tmp_path: Path, monkeypatch):
    link = tmp_path / "link.env"
    link.symlink_to(DEFAULT_FILE)
    assert Places.of(link).units
    assert Places.of(Path("/etc/../etc/mastowatch/mastowatch.env")).units
    monkeypatch.chdir("/etc")
    assert Places.of(Path("mastowatch/mastowatch.env")).units
    assert not Places.of(tmp_path / "mastowatch.env").units


@pytest.mark.parametrize("answer", [b"*0\r\n", b":1\r\n", b"$-1\r\n", b"$8\r\nrole:\xff\r\n\r\n"])
def test_what_is_no_redis_is_told_of_in_a_line(answer: bytes):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                while asked := connection.recv(4096):
                    for one in asked.split(b"*")[1:]:
                        word = one.split(b"\r\n")[2]
                        replies = {b"HELLO": b"%1\r\n+proto\r\n:3\r\n", b"INFO": answer}
                        connection.sendall(replies.get(word, b"+OK\r\n"))

        thread = threading.Thread(target=serve)
        thread.start()
        [found] = look(f"redis://127.0.0.1:{server.getsockname()[1]}/1", None)
        thread.join()
    assert (found.state, "does not speak as Redis does" in found.says) == ("failure", True)
