"""Deletes the records of jobs that ended long ago, in steps that each hold Redis up for a few milliseconds.

A job is looked at and deleted in the same step: one that somebody has queued again in between waits, and is not
touched. Nor is one whose end other jobs wait for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from redis import Redis

from mastowatch.config.settings import QUEUES
from mastowatch.jobs.changes import delete_script
from mastowatch.jobs.records import text

EndedStatus = Literal["failed", "finished", "canceled"]
STATUSES: tuple[EndedStatus, ...] = get_args(EndedStatus)
PART = 200  # jobs looked at in one step
_KEPT = {
    "awaited": "other jobs wait for their end",
    "followed": "what follows their end is not done yet",
    "recurs": "they recur",
    "started": "they run again",
    "undated": "when they ended can't be read",
    "moved": "they were queued again meanwhile",
}

# KEYS: registry. ARGV: now, now as RQ writes it, 'purge', 0, where to begin, how many, the moment as RQ writes it up to
# its seconds, the same as a number, '1' to delete. Answers: how many were looked at, how many stay in the registry,
# then a word and a number for each thing that came of a job.
_PURGE = """
local DELETES, UNTIL, UNTIL_AT = ARGV[9] == '1', ARGV[7], tonumber(ARGV[8])
local ENDED = {failed = true, stopped = true, finished = true, canceled = true}
local canceled = string.sub(KEYS[1], 1, 12) == 'rq:canceled:'

-- Whoever has more dependents than that is kept: to look at all of them takes too long for one step.
local function awaited(id)
  local key = 'rq:job:' .. id .. ':dependents'
  local kind = redis.call('TYPE', key).ok
  if kind == 'none' then return false end
  if kind ~= 'set' or redis.call('SCARD', key) > 1000 then return true end
  for _, one in ipairs(redis.call('SMEMBERS', key)) do
    local status = redis.pcall('HGET', 'rq:job:' .. one, 'status')
    if type(status) == 'string' and not ENDED[status] then return true end
  end
  return false
end

-- RQ notes of a canceled job no time but in the registry.
local function age(ended, score)
  if canceled then return score <= UNTIL_AT and 'old' or 'young' end
  if not string.match(ended or '', '^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d') then return 'undated' end
  return string.sub(ended, 1, 19) <= UNTIL and 'old' or 'young'
end

local function outcome(id, score)
  local found = known(id, 'ended_at', 'followup', 'run')
  if not found[2] then return 'gone' end
  if not ENDED[found[1] or ''] then return 'moved' end
  local said = age(found[3], score)
  if said ~= 'old' then return said end
  if awaited(id) then return 'awaited' end
  if not DELETES then return kept(id, found[1], found[4], found[5]) or 'done' end
  return delete(id)
end

local entries = redis.call('ZRANGE', KEYS[1], ARGV[5], ARGV[5] + ARGV[6] - 1, 'WITHSCORES')
local came, stay = {}, 0
for i = 1, #entries, 2 do
  local said = outcome(entries[i], tonumber(entries[i + 1]))
  if said == 'gone' and DELETES then redis.call('ZREM', KEYS[1], entries[i]) end
  if not DELETES or (said ~= 'done' and said ~= 'gone') then stay = stay + 1 end
  came[said] = (came[said] or 0) + 1
end
local answer = {#entries / 2, stay}
for word, number in pairs(came) do
  answer[#answer + 1] = word
  answer[#answer + 1] = number
end
return answer
"""


@dataclass(frozen=True, slots=True)
class Purge:
    """Which jobs are meant: those that ended before ``until`` (epoch seconds). ``told`` says it in words."""

    until: float
    statuses: Sequence[EndedStatus] = STATUSES
    told: str = ""
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Purged:
    """How many jobs were deleted, by status; how many were old enough and kept, by reason; how many are younger."""

    looked: int = 0
    deleted: Mapping[EndedStatus, int] = field(default_factory=dict)
    kept: Mapping[str, int] = field(default_factory=dict)
    younger: int = 0

    @property
    def total(self) -> int:
        """Return how many were deleted, or would be."""
        return sum(self.deleted.values())

    @property
    def why_kept(self) -> str:
        """Return in words how many were kept, and why; "" for none."""
        return "; ".join(f"{number} kept, as {_KEPT.get(why, f'they are {why}')}" for why, number in self.kept.items())


def untold(purged: Purged) -> None:
    """Tell nobody."""
    del purged


def purge(redis: Redis, where: Purge, now: float) -> Iterator[Purged]:
    """Delete them, or with ``dry_run`` count them; yields how far it is after each step. ``now``: epoch seconds.

    May be stopped after any step. "failed" stands for stopped jobs as well.
    """
    script = redis.register_script(delete_script(_PURGE))
    done = Purged()
    for status in where.statuses:
        for queue in QUEUES:
            begin, seen = 0, PART
            while seen == PART:
                args: list[Any] = [
                    now,
                    "",
                    "purge",
                    0,
                    begin,
                    PART,
                    _iso(where.until),
                    where.until,
                    int(not where.dry_run),
                ]
                looked, stay, *came = script(keys=[f"rq:{status}:{queue}"], args=args)
                seen, begin = int(looked), begin + int(stay)
                words = {text(word): int(number) for word, number in zip(came[::2], came[1::2], strict=True)}
                done = _sum(done, status, seen, words)
                yield done


def _sum(before: Purged, status: EndedStatus, looked: int, came: Mapping[str, int]) -> Purged:
    deleted, kept = dict(before.deleted), dict(before.kept)
    for word, number in came.items():
        if word == "done":
            deleted[status] = deleted.get(status, 0) + number
        elif word not in ("young", "gone", "unknown"):
            kept[word] = kept.get(word, 0) + number
    younger = before.younger + came.get("young", 0)
    return replace(before, looked=before.looked + looked, deleted=deleted, kept=kept, younger=younger)


def _iso(at: float) -> str:
    # Before 1970 nothing ended, and a year of three digits would come after 2026 in the alphabet.
    at = max(at, 0.0)
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S")
