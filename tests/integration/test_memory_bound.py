"""What Redis takes for accounts and jobs: no more than docs/explanation/memory.md says, and in step with their number.

The benchmark does the same at full size, with real processes: ``python -m benchmarks.load``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from redis import Redis
from redis.exceptions import ResponseError
from rq.job import Retry

from benchmarks.load.bound import FAMILIES
from benchmarks.load.measure import Family, families, family_of
from benchmarks.load.people import is_local, planted
from benchmarks.load.server import Town
from mastowatch.adapters import mastodon_parsing as parsing
from mastowatch.jobs import context as contexts
from mastowatch.jobs import tasks
from mastowatch.reliable.serializer import JsonJob, JsonQueue
from tests.demo.__main__ import RULES_DIR
from tests.engine import start, wait
from tests.world import START, World

pytestmark = pytest.mark.redis
DOCUMENTED = {family.keys: family.size for family in FAMILIES}
# Of what is kept of each account that is judged; lists with a bound of their own are far from it here.
FEW, MANY = 1800, 3600
FIRST = 117_696_538_662_928_384
# In step, but for lists that Redis packs while they are short.
SLACK = 1.35


def settle(world: World, town: Town, accounts: int) -> None:
    """Let so many accounts be there, and have all of them seen, judged and reported."""
    begun = town.size
    town.steps.append((accounts, START))
    at = datetime.fromtimestamp(START, UTC)
    for number in range(begun, accounts):
        if not is_local(number):
            account = parsing.admin_account(town.admin_account(number), at)
            world.server.add(account)
            # Nobody asks for the posts of the others.
            if world.context.rules.screen(account, at):
                world.server.post(*parsing.statuses(town.posts(number)))
    seen, before = 0, -1
    while seen != before:
        before, seen = seen, seen + world.run(tasks.poll_admin_accounts)["handed_on"]
        while raw := world.redis.lpop("rq:queue:default"):
            world.run(tasks.analyze_and_maybe_report, raw.decode().rpartition("-")[2])
            world.redis.delete(f"rq:job:{raw.decode()}")


def ours(redis: Redis) -> Mapping[str, Family]:
    return {name: family for name, family in families(redis).items() if name.startswith("mastowatch:")}


def used(redis: Redis) -> int:
    return int(redis.info("memory")["used_memory"])


def test_memory_grows_in_step_with_the_accounts_and_none_takes_more_than_documented(redis):
    limits = {f"{scope}reports_per_{span}": 10_000 for scope in ("", "rule_") for span in ("hour", "day")}
    world = World(redis, contexts.load_rules(RULES_DIR), sweep_pages_per_poll=100, **limits)
    town, found = Town(FIRST, FIRST), []
    for accounts in (FEW, MANY):
        settle(world, town, accounts)
        found.append((ours(redis), int(redis.hget("mastowatch:tally", "accounts_judged"))))
    (few, judged_few), (many, judged_many) = found
    spam = sum(not is_local(number) for number in planted(MANY))
    assert len(world.server.reports) == spam
    assert judged_many > 1.8 * judged_few > 200

    growth = judged_many / judged_few
    for name, family in many.items():
        assert family.memory <= SLACK * growth * max(few[name].memory if name in few else 0, 16_384), name

    looks = many["mastowatch:recent:look:*"].keys
    posts = sum(int(size) for name, size in redis.hgetall("mastowatch:recent:sizes").items() if name != b"all")
    recent = sum(
        many[name].memory for name in ("mastowatch:recent:look:*", "mastowatch:recent", "mastowatch:recent:sizes")
    )
    each = {
        "judged:*": many["mastowatch:judged:*"].memory / many["mastowatch:judged:*"].keys,
        "claim:*": many["mastowatch:claim:*"].memory / spam,
        "case:*, cases": (many["mastowatch:case:*"].memory + many["mastowatch:cases"].memory) / spam,
        "recent*": recent / posts,
        "audit": many["mastowatch:audit"].memory / redis.xlen("mastowatch:audit"),
        "report:*, reports:open": (many["mastowatch:report:*"].memory + many["mastowatch:reports:open"].memory) / spam,
        "rule:*": many["mastowatch:rule:*:hits"].memory / many["mastowatch:rule:*"].keys,
        "quota:*": many["mastowatch:quota:*"].memory / (2 * spam),
    }
    assert looks == many["mastowatch:judged:*"].keys
    # MEMORY USAGE knows nothing of a key's end, and of the room in Redis' own tables.
    assert {name: size for name, size in each.items() if size > DOCUMENTED[name]} == {}


def later() -> Retry:
    return Retry(max=1000, interval=3600)


def fail(account_id: str) -> None:
    raise ValueError(
        f"accounts/statuses: the access token was refused (401): revoked or mistyped; make a new one {account_id}"
    )


def fine(account_id: str) -> dict[str, object]:
    return {"outcome": "filed", "level": "report", "score": 6.5, "report_id": account_id}


@pytest.mark.parametrize(
    ("task", "tries", "documented"),
    [(fine, 1, "rq: finished jobs"), (fail, 4, "rq: failed jobs"), (later, 12, "rq: waiting jobs")],
    ids=["finished", "failed", "put off"],
)
def test_a_job_takes_no_more_than_documented(redis, redis_server, task, tries, documented):
    queue, number = JsonQueue("default", connection=redis), 20
    ids = [f"analyze_and_maybe_report-{FIRST + one}" for one in range(number)]
    for one in ids:
        given = {} if task is later else {"kwargs": {"account_id": one.rpartition("-")[2]}}
        queue.enqueue(
            task,
            job_id=one,
            description=f"analyze_and_maybe_report({one.rpartition('-')[2]})",
            retry=Retry(max=3),
            **given,
        )
    worker = start(redis_server, ["default"])
    if task is later:
        for _ in range(tries - 1):
            wait(lambda: redis.zcard("rq:scheduled:default") == number)
            redis.delete("rq:scheduled:default")
            for one in ids:
                redis.hset(f"rq:job:{one}", "status", "queued")
            redis.rpush("rq:queue:default", *ids)
        wait(lambda: redis.zcard("rq:scheduled:default") == number)
    else:
        wait(lambda: all(JsonJob.fetch(one, connection=redis).is_finished or ended(redis, one) for one in ids))
    worker.terminate()
    worker.join()
    sizes = sum(redis.memory_usage(key, samples=0) for one in ids for key in (f"rq:job:{one}", f"rq:results:{one}"))
    assert redis.xlen(f"rq:results:{ids[0]}") == min(tries, 10)
    assert sizes / number <= DOCUMENTED[documented]


def ended(redis: Redis, job_id: str) -> bool:
    return redis.zscore("rq:failed:default", job_id) is not None


def test_every_key_is_of_some_family():
    assert family_of("mastowatch:judged:1") == "mastowatch:judged:*"
    assert family_of("mastowatch:rule:a:b:hits") == "mastowatch:rule:*:hits"
    assert family_of("mastowatch:campaign:r:name:ab:woken") == "mastowatch:campaign:*:woken"
    assert family_of("mastowatch:claims:redis") == "mastowatch:claims:redis"
    assert family_of("rq:results:judge_again-1") == "rq:results:*"
    assert family_of("mastowatch:audit") == "mastowatch:audit"


def fill_up(url: str) -> str:
    with Redis.from_url(url) as redis:
        redis.config_set("maxmemory", 1)
    return "done"


def refused(redis: Redis) -> int:
    return int(redis.info("errorstats").get("errorstat_OOM", {}).get("count", 0))


def test_a_job_that_ends_while_redis_is_full_is_kept_in_hand_until_there_is_room(redis, redis_server):
    queue = JsonQueue("default", connection=redis)
    job = queue.enqueue(fill_up, args=(redis_server,))
    before = refused(redis)
    worker = start(redis_server, ["default"])
    try:
        wait(lambda: refused(redis) > before + 2)
        with pytest.raises(ResponseError, match="maxmemory"):
            queue.enqueue(fine, args=("1",))
        assert job.get_status() == "started"
        assert redis.lrange(f"rq:taken:{redis.srandmember('rq:takers').decode()}", 0, -1) == [job.id.encode()]
    finally:
        redis.config_set("maxmemory", 0)
    wait(lambda: job.get_status() == "finished")
    assert job.return_value() == "done"
    worker.terminate()
    worker.join()
