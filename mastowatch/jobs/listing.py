"""Lists jobs page by page, at a cost that depends on the page alone and not on how many jobs there are.

A page is sizes (one round trip), a slice of ids, and their records. Nothing is written: RQ's own registries run
clean-ups and failure callbacks when they are read.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from pydantic import BaseModel, ConfigDict, Field
from redis import Redis
from rq.job import JobStatus

from mastowatch.config.settings import QUEUES
from mastowatch.jobs.records import JobRow, read_rows, text
from mastowatch.jobs.refusals import BadParameter
from mastowatch.reliable.facts import known_queues

LIMIT_MAX = 200
# A status that shares its list with others is searched for; this many records a request, then a cursor.
SCAN_MAX = 2000

# What needs a look comes first; all eleven of RQ's statuses are here (a test compares).
STATUSES = (
    "started",
    "queued",
    "scheduled",
    "deferred",
    "rate_limited",
    "ready_to_enqueue",
    "failed",
    "stopped",
    "canceled",
    "finished",
    "created",
)
assert frozenset(STATUSES) == frozenset(status.value for status in JobStatus)  # noqa: S101
_PLANNED = "rq:scheduler:scheduled_jobs"


class JobPage(BaseModel):
    """A page of jobs and how to get the next one."""

    model_config = ConfigDict(frozen=True)

    queue: str | None = Field(description="The queue asked for; null for all.")
    status: str | None = Field(description="The status asked for; null for all.")
    function: str | None = Field(default=None, description="The function asked for; null for all.")
    error: str | None = Field(default=None, description="The text asked for in errors.")
    text: str | None = Field(default=None, description="The text asked for in ids and descriptions.")
    since: float | None = Field(default=None, description="The time asked for, from then on; epoch seconds.")
    until: float | None = Field(default=None, description="The time asked for, until then; epoch seconds.")
    jobs: list[JobRow]
    count: int = Field(description="How many jobs are on this page.")
    total: int = Field(
        description="Entries in the lists that were looked through. Failed and stopped jobs share a list, so for "
        "them it is an upper bound, as it is where a record has run out before its entry."
    )
    scanned: int = Field(description="Entries looked through for this page, at most 2,000 and one page.")
    next_cursor: str | None = Field(description="Give it as `cursor` to get the next page; null on the last.")


@dataclass(frozen=True, slots=True)
class _Home:
    """A list in Redis and the statuses of the jobs that belong into it."""

    key: str
    statuses: frozenset[str]
    newest_first: bool = False

    @property
    def is_list(self) -> bool:
        return self.key.startswith("rq:queue:")


def all_queues(redis: Redis) -> list[str]:
    """Return our queues, most urgent first, then any other that RQ knows."""
    return [*QUEUES, *(name for name in known_queues(redis) if name not in QUEUES)]


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs are meant; all of them where nothing is named. Case does not matter in ``error`` and ``text``.

    ``function`` is the import path of the job's function, or the last part of it. ``since`` and ``until`` are epoch
    seconds, about when a job ended; for one that is scheduled, when it is due; for others, when it was queued.
    """

    queue: str | None = None
    status: str | None = None
    function: str | None = None
    error: str | None = None
    text: str | None = None
    since: float | None = None
    until: float | None = None


def list_jobs(
    redis: Redis, now: float, where: JobFilter = JobFilter(), *, limit: int = 50, cursor: str | None = None
) -> JobPage:
    """Return a page of jobs; ``now`` is epoch seconds. Raises BadParameter that names what is allowed."""
    queue, status = where.queue, where.status
    if status is not None and status not in STATUSES:
        raise BadParameter(f"status: {status!r} is not a status; allowed: {', '.join(STATUSES)}")
    known = all_queues(redis)
    if queue is not None and queue not in known:
        raise BadParameter(f"queue: {queue!r} is not a queue; allowed: {', '.join(known)}")
    if not 1 <= limit <= LIMIT_MAX:
        raise BadParameter(f"limit: {limit} is not allowed; allowed: 1 to {LIMIT_MAX}")
    start = _offset(cursor)
    queues = [queue] if queue is not None else known
    homes = _homes(redis, queues, [status] if status else STATUSES)
    sizes = _sizes(redis, homes)
    jobs, end = _collect(_Walk(redis, homes, sizes, frozenset(queues), now), start, limit)
    return JobPage(
        **asdict(where),
        jobs=jobs,
        count=len(jobs),
        total=sum(sizes),
        scanned=end - start,
        next_cursor=_cursor(end) if end < sum(sizes) else None,
    )


def page_json(page: JobPage) -> bytes:
    """Return the page as the JSON of the API, without the second validation that a response model costs."""
    return page.model_dump_json().encode()


def matching_ids(
    redis: Redis, now: float, where: JobFilter, *, cursor: str | None = None, scan_max: int
) -> tuple[list[str], str | None, int]:
    """Return ids of jobs that match, the cursor that goes on or None, and how many entries were looked through.

    Looks through about ``scan_max`` entries at most. ``now`` is epoch seconds. Raises BadParameter.
    """
    found: list[str] = []
    scanned = 0
    while True:
        page = list_jobs(redis, now, where, limit=LIMIT_MAX, cursor=cursor)
        found += [job.id for job in page.jobs]
        scanned += page.scanned
        cursor = page.next_cursor
        if cursor is None or scanned >= scan_max:
            return found, cursor, scanned


@dataclass(frozen=True, slots=True)
class _Walk:
    redis: Redis
    homes: Sequence[_Home]
    sizes: Sequence[int]
    queues: frozenset[str]
    now: float

    def window(self, start: int, width: int) -> list[tuple[_Home, str]]:
        """Return (home, job id) of the entries from ``start`` on, counted over all homes, in one round trip."""
        slices = list(self._slices(start, width))
        with self.redis.pipeline(transaction=False) as pipe:
            for home, first, last in slices:
                if home.is_list:
                    pipe.lrange(home.key, first, last)
                else:
                    pipe.zrange(home.key, first, last, desc=home.newest_first)
            found = pipe.execute()
        return [(home, _job_id(raw)) for (home, _, _), members in zip(slices, found, strict=True) for raw in members]

    def _slices(self, start: int, width: int) -> Iterable[tuple[_Home, int, int]]:
        before = 0
        for home, size in zip(self.homes, self.sizes, strict=True):
            first, last = max(start - before, 0), min(start + width - before, size) - 1
            if first <= last:
                yield home, first, last
            before += size


def _collect(walk: _Walk, start: int, limit: int) -> tuple[list[JobRow], int]:
    """Return up to ``limit`` jobs from ``start`` on, and where the next page begins."""
    jobs: dict[str, JobRow] = {}
    at = start
    while len(jobs) < limit and at < sum(walk.sizes) and at - start < SCAN_MAX:
        entries = walk.window(at, limit)
        if not entries:
            return list(jobs.values()), sum(walk.sizes)  # the lists have shrunk meanwhile
        rows = read_rows(walk.redis, [job_id for _, job_id in entries], walk.now)
        for (home, _), row in zip(entries, rows, strict=True):
            at += 1
            if row and row.status in home.statuses and row.queue in walk.queues:
                jobs[row.id] = row
            if len(jobs) == limit:
                break
    return list(jobs.values()), at


def _homes(redis: Redis, queues: Sequence[str], statuses: Sequence[str]) -> list[_Home]:
    """Return the lists that hold jobs of ``statuses``, each list once."""
    wanted: dict[str, set[str]] = {}
    for status in statuses:
        for key in _keys(redis, queues, status):
            wanted.setdefault(key, set()).add(status)
    return [_Home(key, frozenset(found), _newest_first(key)) for key, found in wanted.items()]


def _keys(redis: Redis, queues: Sequence[str], status: str) -> list[str]:
    if status == "rate_limited":
        return sorted(f"rq:rl:{text(raw)}:rate_limited" for raw in redis.smembers("rq:rl-keys"))
    if status == "created":
        return [_PLANNED]
    keys = [f"rq:{_KINDS.get(status, status)}:{queue}" for queue in queues]
    # A recurring job that has never run is planned, but in no list of its queue.
    return [*keys, _PLANNED] if status == "scheduled" else keys


_KINDS = {"queued": "queue", "started": "wip", "stopped": "failed", "ready_to_enqueue": "ready"}


def _newest_first(key: str) -> bool:
    # Their scores grow with the time a job ended; what waits is listed with the next one first.
    return key.startswith(("rq:failed:", "rq:finished:", "rq:canceled:"))


def _sizes(redis: Redis, homes: Sequence[_Home]) -> list[int]:
    with redis.pipeline(transaction=False) as pipe:
        for home in homes:
            pipe.llen(home.key) if home.is_list else pipe.zcard(home.key)
        return [int(size) for size in pipe.execute()]


def _job_id(raw: bytes | str) -> str:
    # A started job's entry is "job:execution".
    return text(raw).partition(":")[0]


def _cursor(offset: int) -> str:
    return urlsafe_b64encode(f"at:{offset}".encode()).decode().rstrip("=")


def _offset(cursor: str | None) -> int:
    if cursor is None:
        return 0
    try:
        plain = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except ValueError:
        plain = ""
    digits = plain.removeprefix("at:")
    if not plain.startswith("at:") or not digits.isascii() or not digits.isdigit() or len(digits) > 12:
        raise BadParameter("cursor: is not one of ours; give the next_cursor of the page before, unchanged")
    return int(digits)
