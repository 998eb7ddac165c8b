"""`mastowatch setup` on a host: a private Redis, which only our units and root reach, and then one change at a time."""

from __future__ import annotations

import pytest
from redis import Redis

from tests.demo.population import TOKEN
from tests.host.suite import API_UNIT, DASHBOARD_UNIT, ENV_FILE, SCHEDULER, STREAM, TOKEN_FILE, WORKER
from tests.host.waiting import wait

REDIS = "redis-server@mastowatch.service"
CONFIG = "/etc/redis/redis-mastowatch.conf"
DATA = "/var/lib/redis/mastowatch"
SOCKET = "/run/redis-mastowatch/redis-server.sock"
CREDENTIALS = "/etc/mastowatch/credentials"
SECOND = "mastowatch-worker@2.service"


@pytest.fixture(scope="module")
def bare(suite):
    """The package installed, running nothing, and told nothing yet; its settings as it brought them."""
    if suite.host.run("sh", "-c", "command -v mastowatch", check=False).status:
        suite.install()
    suite.systemctl("disable", "--now", "mastowatch.target")
    suite.systemctl("stop", "mastowatch-*.service", "mastowatch-api.socket", check=False)
    suite.host.write(ENV_FILE, "# By hand.\n#INSTANCE_BASE=\nREPORT_THRESHOLD=5.5\n")
    suite.host.sh(f": >{TOKEN_FILE}; rm -f {CREDENTIALS}/redis_password {CREDENTIALS}/webhook_secret")
    return suite


def setup(suite, *words: str, given: str = "", status: int = 0) -> str:
    done = suite.host.run("mastowatch", "setup", *words, given=given, check=False, timeout=300)
    assert done.status == status, f"{done.status}\n{done.out}{done.err}"
    return done.out + done.err


def modes(suite, *names: str) -> list[str]:
    return suite.host.sh(f"stat -c '%n %U:%G %a' {' '.join(names)}").splitlines()


def test_nothing_is_changed_where_something_lacks(bare):
    before = bare.host.sh(f"find /etc -newer {TOKEN_FILE} -type f")
    told = setup(bare, status=2)
    assert "--instance" in told
    assert "--yes" in told
    token = ["--access-token-file", "-", "--redis", "private", "--yes"]
    setup(bare, "--instance", "http://127.0.0.1:9", *token, given=f"{TOKEN}\n", status=1)
    setup(bare, "--instance", bare.mastodon.url, *token, given="wrong\n", status=1)
    assert bare.host.sh(f"find /etc -newer {TOKEN_FILE} -type f") == before
    assert bare.state(REDIS) == "inactive"


def test_only_root_sets_it_up(bare):
    done = bare.host.run("mastowatch", "setup", "--yes", user="nobody", check=False)
    assert (done.status, "sudo" in done.err) == (2, True)


def test_flags_alone_make_a_private_redis_and_start_all(bare):
    words = ["--instance", bare.mastodon.url, "--access-token-file", "-", "--redis", "private", "--workers", "2"]
    told = setup(bare, *words, "--yes", given=f"{TOKEN}\n")
    assert TOKEN not in told
    assert "mastowatch doctor:" in told
    units = [WORKER, SECOND, SCHEDULER, API_UNIT, DASHBOARD_UNIT, "mastowatch.target", REDIS]
    assert bare.all_active(units)
    assert bare.state(STREAM) == "inactive"
    text = bare.host.path(ENV_FILE).read_text()
    assert text.startswith(f"# By hand.\n#INSTANCE_BASE=\nINSTANCE_BASE={bare.mastodon.url}\nREPORT_THRESHOLD=5.5\n")
    assert f"REDIS_URL=unix://{SOCKET}?db=1\n" in text
    assert "DRY_RUN=true\n" in text
    assert bare.systemctl("is-enabled", REDIS, "mastowatch.target", SECOND).out.split() == ["enabled"] * 3


def test_everything_has_the_owner_and_the_mode_that_it_needs(bare):
    assert modes(bare, CREDENTIALS, f"{CREDENTIALS}/access_token", ENV_FILE, CONFIG, DATA, SOCKET) == [
        f"{CREDENTIALS} root:root 700",
        f"{CREDENTIALS}/access_token root:root 600",
        f"{ENV_FILE} root:root 644",
        f"{CONFIG} redis:redis 640",
        f"{DATA} redis:redis 750",
        f"{SOCKET} redis:mastowatch 660",
    ]
    listening = bare.host.sh("ss -lntp | grep -c redis-server")
    assert listening == "2"  # the host's own, on two addresses; the private one listens on no port


def test_others_of_the_machine_do_not_reach_it(bare):
    ping = ["redis-cli", "-s", SOCKET, "ping"]
    assert "PONG" in bare.host.run(*ping).out
    assert "PONG" in bare.host.run(*ping, user="mastowatch").out
    assert "Permission denied" in "".join(bare.host.run(*ping, user="nobody", check=False)[1:])


def test_it_works_through_the_socket_and_outlives_a_kill(bare):
    bare.trigger("poll_admin_accounts")
    with Redis(unix_socket_path=str(bare.host.path(SOCKET)), db=1) as redis:
        wait(lambda: redis.hlen("rq:totals") > 0, 60, "jobs are done")
        assert redis.info("persistence")["aof_enabled"] == 1
        before = redis.dbsize()
        redis.set("mastowatch:kept", 1)
    # What was written a second before is on the disk.
    with Redis(unix_socket_path=str(bare.host.path(SOCKET)), db=1) as redis:
        redis.execute_command("WAITAOF", 1, 0, 5000)
    old = bare.pid(REDIS)
    bare.systemctl("kill", "-s", "KILL", REDIS)
    wait(lambda: bare.ready_again(REDIS, old), 60, "Redis is back")
    with Redis(unix_socket_path=str(bare.host.path(SOCKET)), db=1) as redis:
        wait(lambda: redis.ping(), 30, "it answers")
        assert redis.delete("mastowatch:kept") == 1
        assert redis.dbsize() >= before / 2


def test_once_more_changes_nothing(bare):
    pids = bare.pids([WORKER, SECOND, SCHEDULER, API_UNIT, DASHBOARD_UNIT, REDIS])
    before = bare.host.sh("find /etc -type f -exec md5sum {} + | sort")
    assert "Nothing to change" in setup(bare)
    assert "Nothing to change" in setup(bare, "--redis", "private", "--workers", "2", "--yes")
    assert bare.host.sh("find /etc -type f -exec md5sum {} + | sort") == before
    assert bare.pids([WORKER, SECOND, SCHEDULER, API_UNIT, DASHBOARD_UNIT, REDIS]) == pids


def test_once_more_only_what_is_asked_for_changes(bare):
    pids = bare.pids([SCHEDULER, API_UNIT, DASHBOARD_UNIT, WORKER])
    told = setup(bare, "--workers", "1", "--webhook-secret-file", "-", "--yes", given="of-the-hook\n")
    assert "of-the-hook" not in told
    assert bare.state(SECOND) == "inactive"
    now = bare.pids([SCHEDULER, API_UNIT, DASHBOARD_UNIT, WORKER])
    assert {unit for unit in now if now[unit] != pids[unit]} == {API_UNIT}
    assert modes(bare, f"{CREDENTIALS}/webhook_secret") == [f"{CREDENTIALS}/webhook_secret root:root 600"]
    setup(bare, "--no-dry-run", "--yes")
    assert bare.pids([SCHEDULER, API_UNIT, DASHBOARD_UNIT, WORKER]) == now
    assert "DRY_RUN=false\n" in bare.host.path(ENV_FILE).read_text()


def test_without_a_start_it_says_what_is_left(bare):
    told = setup(bare, "--workers", "3", "--no-start", "--yes")
    assert "systemctl enable --now mastowatch-worker@2.service mastowatch-worker@3.service" in told
    assert bare.state("mastowatch-worker@3.service") == "inactive"
