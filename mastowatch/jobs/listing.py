"""Lists jobs page by page, at a cost that depends on the page alone and not on how many jobs there are.

A page is sizes, a slice of ids, and their records: five round trips. A search reads records until the page is full, at
most SCAN_MAX a request, and then gives a cursor. Nothing is written: RQ's own registries run clean-ups and failure
callbacks when they are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace

from pydantic import BaseModel, ConfigDict, Field
from redis import Redis

from mastowatch.config.settings import QUEUES
from mastowatch.jobs.cursors import CURSOR_MAX, read_cursor, write_cursor
from mastowatch.jobs.filters import STATUSES, JobFilter, checked
from mastowatch.jobs.records import JobRow, answers, epoch_moment, read_rows, text
from mastowatch.jobs.refusals import BadParameter
from mastowatch.jobs.sources import Entry, Extent, Place, Source, Walk, extents, sources
from mastowatch.reliable.facts import known_queues

__all__ = ["CURSOR_MAX", "STATUSES", "JobFilter", "JobPage", "all_queues", "list_jobs", "matching_ids", "page_json"]

LIMIT_MAX = 200
# What shares its list with others, or has to be read to tell, is searched for: so many entries a request.
SCAN_MAX = 2000
# So many records are read at once in a search; all of them in the memory of one process.
BATCH = 200
EVERYTHING = JobFilter()


class JobPage(BaseModel):
    """A page of jobs and how to get the next one."""

    model_config = ConfigDict(frozen=True)

    queue: str | None = Field(description="The queue asked for; null for all.")
    status: str | None = Field(description="The status asked for; null for all.")
    function: str | None = Field(default=None, description="The function asked for; null for all.")
    error: str | None = Field(default=None, description="The text asked for in errors; null for none.")
    text: str | None = Field(default=None, description="The text asked for in ids and descriptions; null for none.")
    failure: str | None = Field(default=None, description="The group of failures asked for; null for none.")
    since: float | None = Field(default=None, description="The first moment asked for, in epoch seconds.")
    until: float | None = Field(default=None, description="The last moment asked for, in epoch seconds.")
    jobs: list[JobRow]
    count: int = Field(description="How many jobs are on this page.")
    total: int = Field(
        description="Entries in the lists that are looked through. All jobs that match are among them, so it is an "
        "upper bound unless `exact`."
    )
    exact: bool = Field(
        default=False,
        description="Whether each entry counted is a job that matches. It is not where jobs have to be searched for, "
        "by function, text, error or the time of their end, or among others in the same list, as stopped ones are "
        "among failed ones. An entry whose record has just run out may still be counted.",
    )
    scanned: int = Field(description="Entries looked through for this page, at most 2,000.")
    next_cursor: str | None = Field(description="Give it as `cursor` to get the next page; null on the last.")


def all_queues(redis: Redis) -> list[str]:
    """Return our queues, most urgent first, then any other that RQ knows."""
    return [*QUEUES, *(name for name in known_queues(redis) if name not in QUEUES)]


def list_jobs(
    redis: Redis, now: float, where: JobFilter = EVERYTHING, *, limit: int = 50, cursor: str | None = None
) -> JobPage:
    """Return a page of jobs; ``now`` is epoch seconds. Raises BadParameter that names what is allowed."""
    if not 1 <= limit <= LIMIT_MAX:
        raise BadParameter(f"limit: {limit} is not allowed; allowed: 1 to {LIMIT_MAX}")
    search = _begin(redis, now, where, cursor)
    jobs = search.collect(limit, SCAN_MAX)
    page = search.page(jobs)
    if cursor is None and page.next_cursor is None:
        return page.model_copy(update={"total": page.count, "exact": True})  # all of it has been seen
    return page


def page_json(page: JobPage) -> bytes:
    """Return the page as the JSON of the API, without the second validation that a response model costs."""
    return page.__pydantic_serializer__.to_json(page)


def matching_ids(
    redis: Redis, now: float, where: JobFilter, *, cursor: str | None = None, scan_max: int
) -> tuple[list[str], str | None, int]:
    """Return ids of jobs that match, the cursor that goes on or None, and how many entries were looked through.

    Looks through ``scan_max`` entries at most, and returns as many ids. ``now`` is epoch seconds. Raises BadParameter.
    """
    search = _begin(redis, now, where, cursor)
    jobs = search.collect(scan_max, scan_max)
    return [job.id for job in jobs], search.cursor(), search.scanned


def failed_rows(redis: Redis, now: float, queue: str | None, cursor: str | None) -> tuple[list[JobRow], JobPage]:
    """Return the newest SCAN_MAX failed and stopped jobs, with what they call, and a page of none that says how far.

    ``now`` is epoch seconds. Raises BadParameter.
    """
    search = _begin(redis, now, JobFilter(queue, "failed"), cursor, also=frozenset({"stopped"}))
    search.functions = True
    rows = search.collect(SCAN_MAX, SCAN_MAX)
    return rows, search.page([])


def _begin(
    redis: Redis, now: float, where: JobFilter, cursor: str | None, *, also: frozenset[str] = frozenset()
) -> _Search:
    """Return a search that stands where the cursor says; ``also`` are more statuses in the same lists."""
    queues, limiters = _names(redis)
    where = checked(where, queues)
    meant = [where.queue] if where.queue else queues
    found = sources(redis, where, meant, limiters)
    start, place = read_cursor(cursor, where, [one.name for one in found]) if cursor is not None else (0, Place())
    known = extents(redis, [replace(one, statuses=one.statuses | also) for one in found])
    return _Search(redis, now, where, frozenset(meant), known, len(known) if start is None else start, place)


def _names(redis: Redis) -> tuple[list[str], list[str]]:
    """Return the names of all queues as ``all_queues`` does, and those of RQ's rate limits."""
    with redis.pipeline(transaction=False) as pipe:
        pipe.smembers("rq:queues")
        pipe.smembers("rq:rl-keys")
        queues, limiters = ({text(raw) for raw in found or ()} for found in answers(pipe))
    others = sorted(queue.removeprefix("rq:queue:") for queue in queues)
    return [*QUEUES, *(name for name in others if name not in QUEUES)], sorted(limiters)


@dataclass
class _Search:
    """A walk over all sources that keeps what is meant. ``at`` numbers the source, ``place`` is where it is in it."""

    redis: Redis
    now: float
    where: JobFilter
    queues: frozenset[str]
    extents: Sequence[Extent]
    at: int
    place: Place
    functions: bool = False
    scanned: int = 0
    found: dict[str, JobRow] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """How many entries there are."""
        return sum(extent.size for extent in self.extents)

    @property
    def exact(self) -> bool:
        """Whether all of them are jobs that are meant."""
        return all(self._holds_nothing_else(extent.source) for extent in self.extents if extent.size)

    def _holds_nothing_else(self, source: Source) -> bool:
        where = self.where
        if where.function or where.error or where.text or where.failure or (where.timed and not source.scored_by_time):
            return False
        # The last runs of recurring jobs are planned, too, whatever became of them.
        if source.kind == "planned" or (source.shared and where.queue):
            return False
        return source.kind != "failed" or where.status is None

    def collect(self, limit: int, scan_max: int) -> list[JobRow]:
        """Return the next jobs, at most ``limit`` of them, from at most ``scan_max`` entries."""
        while self.at < len(self.extents) and len(self.found) < limit and self.scanned < scan_max:
            if not self._walk(limit, scan_max):
                self.at, self.place = self.at + 1, Place()
        return list(self.found.values())

    def cursor(self) -> str | None:
        """Return the cursor of where the walk stands, None at its end."""
        for at in range(self.at, len(self.extents)):
            if self.extents[at].size:
                return write_cursor(self.where, self.extents[at].source.name, self.place if at == self.at else Place())
        return None

    def page(self, jobs: list[JobRow]) -> JobPage:
        """Return a page of these jobs that tells how far the search has come."""
        return JobPage(
            **asdict(self.where),
            jobs=jobs,
            count=len(jobs),
            total=self.total,
            exact=self.exact,
            scanned=self.scanned,
            next_cursor=self.cursor(),
        )

    def _walk(self, limit: int, scan_max: int) -> int:
        """Walk through the source at hand; return how many entries are left in it."""
        extent = self.extents[self.at]
        if not extent.size:
            return 0
        walk = Walk(self.redis, extent, self.place)
        left = walk.left
        while left and len(self.found) < limit and self.scanned < scan_max:
            # A page is read as it is; where entries have to be searched, many at once are quicker.
            width = BATCH if self.where.searches or self.scanned else min(limit, BATCH)
            entries = walk.window(min(width, scan_max - self.scanned))
            if not entries:
                return 0  # the list has shrunk meanwhile
            for entry, row in zip(entries, self._rows(extent.source, entries), strict=True):
                self.place, self.scanned, left = entry.after, self.scanned + 1, left - 1
                if row:
                    self.found[row.id] = row
                if len(self.found) == limit:
                    break
        return left

    def _rows(self, source: Source, entries: Sequence[Entry]) -> list[JobRow | None]:
        """Return the row of each entry whose job is meant and belongs here, else None."""
        functions = self.functions or self.where.function is not None
        rows = read_rows(self.redis, [entry.job_id for entry in entries], self.now, functions=functions)
        timed = [_with_time(source, entry, row) for entry, row in zip(entries, rows, strict=True)]
        kept = [row if row and self._is_meant(source, row) else None for row in timed]
        return _once(self.redis, kept) if source.kind == "planned" else kept

    def _is_meant(self, source: Source, row: JobRow) -> bool:
        return row.status in source.statuses and row.queue in self.queues and self.where.matches(row)


def _with_time(source: Source, entry: Entry, row: JobRow | None) -> JobRow | None:
    """Return the row with the time that the entry's score tells: RQ notes it nowhere else."""
    if row is None or entry.score is None or not source.scored_by_time:
        return row
    name = "ended_at" if source.kind == "canceled" else "due_at"
    return row.model_copy(update={name: epoch_moment(entry.score)})


def _once(redis: Redis, rows: Sequence[JobRow | None]) -> list[JobRow | None]:
    """Return the rows without those that are planned and stand in the list of what is delayed as well."""
    with redis.pipeline(transaction=False) as pipe:
        for row in rows:
            pipe.zscore(f"rq:scheduled:{row.queue if row else ''}", row.id if row else "")
        delayed = answers(pipe)
    return [
        None if row and row.status == "scheduled" and score is not None else row
        for row, score in zip(rows, delayed, strict=True)
    ]
