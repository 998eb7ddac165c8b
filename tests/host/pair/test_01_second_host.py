"""A Redis with a password and TLS on the first host; the second host's worker, standby scheduler and API over it."""

from __future__ import annotations

from tests.host.pair.two import OURS, PORT, REDIS
from tests.host.suite import SCHEDULER, WORKER
from tests.host.waiting import wait

HELD = "casino-words.toml crypto-link-spam.toml goods-spam.toml hidden-links.toml link-farming.toml repeated-text.toml"


def test_both_hosts_work_over_one_redis(pair, measured):
    pair.run_redis(pair.a)
    pair.b.systemctl("disable", "--now", REDIS)
    url = f"rediss://{pair.address(pair.a)}:{PORT}/1"
    for side in pair.both:
        # Some rules come later, and find the rest of the spammers.
        side.host.sh(f"mkdir /root/held && cd /etc/mastowatch/rules.d && mv {HELD} /root/held")
        pair.point(side, REDIS_URL=url, REDIS_CA_FILE="/etc/mastowatch/redis-ca.pem")
        pair.start(side)
    wait(lambda: "Leading" in pair.a.status(SCHEDULER), 30, "the first host's scheduler leads")
    assert "Standing by" in pair.b.status(SCHEDULER)
    jobs = pair.trigger(pair.b, pair.a.posts[:20])
    assert len(jobs) == 20
    pair.wait_for_all(pair.a, jobs, 60)
    for side in pair.both:
        wait(lambda side=side: " 0 jobs done" not in side.status(WORKER), 60, f"{side.host.name} has done jobs")
    wait(lambda: sum(pair.a.reports().values()), 60, "something is reported")


def test_nobody_without_the_password_or_the_authority_gets_in(pair):
    ask = f"redis-cli -h {pair.address(pair.a)} -p {PORT} --tls"
    assert "NOAUTH" in pair.b.host.sh(f"{ask} --cacert /etc/mastowatch/redis-ca.pem ping")
    assert "certificate verify failed" in pair.b.host.sh(f"{ask} ping 2>&1", check=False)
    told = pair.b.host.run("mastowatch", "config", "show").out
    assert "rediss://" in told
    assert "pair-redis-password" not in told


def test_the_password_is_in_no_journal(pair):
    for side in pair.both:
        assert "pair-redis-password" not in side.host.run("journalctl", "-q", "--no-pager").out
        assert side.all_active(OURS)
