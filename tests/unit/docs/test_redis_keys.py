"""docs/reference/redis.md against the keys that the code names, in Python and in Lua."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "reference" / "redis.md"
# Keys that RQ and rq-scheduler have, which the last row stands for.
RQS = {
    "rq:job", "rq:queue", "rq:queues", "rq:worker", "rq:workers", "rq:results", "rq:execution", "rq:executions",
    "rq:wip", "rq:finished", "rq:failed", "rq:scheduled", "rq:deferred", "rq:canceled", "rq:ready", "rq:suspended",
    "rq:pubsub", "rq:rl", "rq:rl-keys", "rq:group",
}  # fmt: skip
# What a prefix is compared with, a name of a channel, and a name that is never written.
NO_KEYS = {"mastowatch", "rq", "rq:scheduler", "mastowatch:rule::nothing"}
KEY = re.compile(r"""["'`]((?:mastowatch|rq):[a-z_*<][^"'`\s]*|mastowatch:|rq:)["'`]?""")


def stem(key):
    """Return the part of a key before what varies: ``mastowatch:claim:{account_id}`` is mastowatch:claim."""
    return re.split(r"[{<%*(]|\.\.", key)[0].rstrip(":")


def in_code():
    found = {}
    for path in [*(ROOT / "mastowatch").rglob("*.py"), *(ROOT / "mastowatch").rglob("*.lua")]:
        text = re.sub(r"``.*?``", "", path.read_text(), flags=re.DOTALL)
        for key in KEY.findall(text):
            if not key.endswith((".py", ".service")):
                found.setdefault(stem(key), path.relative_to(ROOT))
    return {key: path for key, path in found.items() if key not in NO_KEYS | RQS}


def in_reference():
    found = set()
    for row in re.findall(r"^\| (`[^|]*) \|", PAGE.read_text(), re.MULTILINE):
        first = None
        for key in re.findall(r"`([^`]+)`", row):
            # `mastowatch:switch:panic_stop`, `:dry_run`: what begins with a colon takes the place of the last part.
            whole = key if not key.startswith(":") else first.rpartition(":")[0] + key
            first = first or key
            found.add(stem(whole))
    return found - NO_KEYS - {"rq"}


def test_each_key_of_the_code_has_a_row():
    listed = in_reference()
    assert {key: str(path) for key, path in in_code().items() if key not in listed} == {}


def test_each_row_is_a_key_of_the_code():
    used = in_code()
    # Keys that are put together of parts are written as one somewhere, in a script or a text.
    code = "\n".join(path.read_text() for path in (ROOT / "mastowatch").rglob("*") if path.suffix in (".py", ".lua"))
    lacking = [key for key in in_reference() if key not in used]
    assert [key for key in lacking if key not in code and f"{key.rpartition(':')[2]}" not in code] == []


def test_each_row_says_its_type_what_it_is_and_its_bound():
    rows = [line.strip("|").split(" |") for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    *ours, of_rq = [[cell.strip() for cell in row] for row in rows]
    assert len(ours) > 40
    assert [row for row in ours if len(row) != 4 or not all(row)] == []
    assert of_rq[0] == "`rq:*` otherwise"
