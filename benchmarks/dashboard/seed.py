"""Fills Redis with jobs as RQ leaves them, by a script in Redis: a million records take seconds."""

from __future__ import annotations

import zlib
from base64 import b64encode
from datetime import UTC, datetime

from redis import Redis

QUEUE = "default"
KEEP_S = 30 * 86_400
BATCH = 5_000

# KEYS: none, as it writes thousands. ARGV: first number, how many, status, moment, score of the first or '', tracebacks
_LEAVE = """
local first, count, status, moment, score = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], ARGV[4], tonumber(ARGV[5])
for number = first, first + count - 1 do
  local account = string.format('109%015d', number)
  local id = 'analyze_and_maybe_report-' .. status .. '-' .. account
  local job = 'rq:job:' .. id
  redis.call('HSET', job, 'status', status, 'origin', 'default', 'created_at', moment, 'enqueued_at', moment,
    'description', 'analyze_and_maybe_report(' .. account .. ')', 'timeout', '120', 'result_ttl', '86400',
    'failure_ttl', '2592000', 'retries_left', '3', 'retry_intervals', '[10, 60, 300]', 'serializer', 'json',
    'data', '["mastowatch.jobs.tasks.analyze_and_maybe_report",null,[],{"account_id":"' .. account .. '"}]')
  if score then
    redis.call('HSET', job, 'started_at', moment, 'ended_at', moment, 'worker_name', 'mod-1-4711-3f2a9c')
    redis.call('ZADD', 'rq:failed:default', score + number, id)
    redis.call('XADD', 'rq:results:' .. id, '*', 'type', '2', 'created_at', moment, 'worker_name', 'mod-1-4711-3f2a9c',
      'exc_string', ARGV[6 + number % (#ARGV - 5)])
  else
    redis.call('RPUSH', 'rq:queue:default', id)
  end
end
return count
"""
_FRAMES = "".join(
    f'  File "/usr/lib/mastowatch/lib/python3.11/site-packages/mastowatch/jobs/m_{number}.py", line {number}, in f\n'
    f"    return function_{number}(context, account_id)\n"
    for number in range(12)
)
_ERRORS = (
    "mastowatch.errors.MastodonUnreachable: GET /api/v1/accounts/109302 took longer than 10 s",
    "mastowatch.errors.MastodonUnreachable: connection refused",
    "mastowatch.errors.ActionInDoubt: the action on account 109302 was sent and may still arrive",
    "ValueError: 17 is not a score",
    "KeyError: 'account'",
)


def seed(redis: Redis, queued: int, failed: int, now: float) -> None:
    """Leave so many jobs that wait and that have failed; ``now`` is epoch seconds."""
    leave = redis.register_script(_LEAVE)
    moment = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    packed = [
        b64encode(zlib.compress(f"Traceback (most recent call last):\n{_FRAMES}{one}\n".encode())) for one in _ERRORS
    ]
    redis.sadd("rq:queues", f"rq:queue:{QUEUE}")
    for first in range(0, queued, BATCH):
        leave(args=[first, min(BATCH, queued - first), "queued", moment, "", *packed])
    for first in range(0, failed, BATCH):
        leave(args=[first, min(BATCH, failed - first), "failed", moment, now + KEEP_S, *packed])
