"""The Lua that moves a job: taken and begun, ended and let go, brought back. Each script is one atomic step.

A job that is being worked on stands in the *hand* of its worker, ``rq:taken:<worker>``, from the moment it leaves its
queue until what came of it is recorded: there is no moment at which it is in no list, and whoever finds the hand of a
dead worker knows all that was lost. The scripts write what RQ 3.0 itself would write (rq.executions, rq.job,
rq.results), so that every tool of RQ reads it. Redis keys: docs/reference/redis.md. RQ does not run on a cluster, so
keys that depend on a job's record are made here.
"""

from __future__ import annotations

TAKERS = "rq:takers"
SUSPENDED = "rq:suspended"
PAUSED_QUEUES = "rq:paused"  # a hash, one field a paused queue: see ``pausing``
TOTALS = "rq:totals"  # a hash, one field a queue and outcome: how many jobs ended so, ever

# What a job's run has left where RQ looks for it. A hand holds a job once, so all runs of it are this one.
_FORGET_RUN = """
local function forget_run(worker, origin, id, execution)
  local member = id .. ':' .. execution
  redis.call('ZREM', 'rq:wip:' .. origin, member)
  redis.call('DEL', 'rq:execution:' .. member)
  redis.call('ZREM', 'rq:executions:' .. id, execution)
  redis.call('SREM', worker .. ':executions', member)
end
"""

_SET_STATE = """
local function set_state(worker, state)
  if redis.call('HGET', worker, 'state') ~= state then redis.call('HSET', worker, 'state', state) end
end
"""

# Redis takes 4 kB for the first entry of a stream and gives none of it back, where an attempt has 500 bytes. Written
# anew it takes what it needs. A Redis that allows no such thing keeps it as it is.
_FIT = """
local function fit(key)
  local packed = redis.pcall('DUMP', key)
  if type(packed) == 'string' then redis.pcall('RESTORE', key, 0, packed, 'REPLACE') end
end
"""

# KEYS: hand, worker, gates..., queues... ; a gate is a key that holds all work back while it exists.
# Answers: {'job', queue, id, record}, {'follow up', id, record}, {'dropped', id, why}, {'empty'}, {'held'},
# {'unregistered'} (the parent has to register first), {'leftover'} (the hand is not empty: to be settled first).
_TAKE = """
local function take(name, execution, iso, now, ttl, gates)
  local hand, worker = KEYS[1], KEYS[2]
  if redis.call('EXISTS', worker) == 0 then return {'unregistered'} end
  local held = redis.call('LRANGE', hand, 0, -1)
  if #held > 0 then
    local job = 'rq:job:' .. held[1]
    if #held > 1 or redis.call('TYPE', job).ok ~= 'hash' then return {'leftover'} end
    local known = redis.call('HMGET', job, 'run', 'origin')
    if known[1] ~= execution then return {'leftover'} end
    return {'job', 'rq:queue:' .. (known[2] or ''), held[1], redis.call('HGETALL', job)}
  end
  for i = 3, 2 + gates do
    if redis.call('EXISTS', KEYS[i]) == 1 then
      set_state(worker, 'suspended')
      return {'held'}
    end
  end
  for i = 3 + gates, #KEYS do
    local id = redis.call('LMOVE', 'rq:followups:' .. string.sub(KEYS[i], 10), hand, 'LEFT', 'LEFT')
    if id then
      redis.call('SADD', 'rq:takers', name)
      return {'follow up', id, redis.call('HGETALL', 'rq:job:' .. id)}
    end
  end
  local some_paused = redis.call('EXISTS', 'rq:paused') == 1
  for i = 3 + gates, #KEYS do
    local paused = some_paused and redis.call('HEXISTS', 'rq:paused', string.sub(KEYS[i], 10)) == 1
    local id = not paused and redis.call('LMOVE', KEYS[i], hand, 'LEFT', 'LEFT')
    if id then
      local job, found, why = 'rq:job:' .. id, {}, nil
      local kind = redis.call('TYPE', job).ok
      if kind == 'hash' then found = redis.call('HMGET', job, 'status', 'origin') else why = 'record: ' .. kind end
      if found[1] == 'canceled' then why = found[1] end
      if why then
        redis.call('LREM', hand, 0, id)
        return {'dropped', id, why}
      end
      redis.call('SADD', 'rq:takers', name)
      local origin = found[2] or string.sub(KEYS[i], 10)
      local member = id .. ':' .. execution
      redis.call('HSET', job, 'status', 'started', 'started_at', iso, 'last_heartbeat', iso, 'worker_name', name,
        'run', execution)
      redis.call('PERSIST', job)
      redis.call('ZADD', 'rq:wip:' .. origin, now + ttl, member)
      redis.call('HSET', 'rq:execution:' .. member, 'id', execution, 'job_id', id, 'created_at', now,
        'last_heartbeat', now, 'worker_name', name)
      redis.call('EXPIRE', 'rq:execution:' .. member, ttl)
      redis.call('ZADD', 'rq:executions:' .. id, now + ttl + 60, execution)
      redis.call('EXPIRE', 'rq:executions:' .. id, ttl + 60)
      redis.call('SADD', worker .. ':executions', member)
      redis.call('EXPIRE', worker .. ':executions', ttl + 60)
      set_state(worker, 'busy')
      return {'job', KEYS[i], id, redis.call('HGETALL', job), found[1] or ''}
    end
  end
  set_state(worker, 'idle')
  return {'empty'}
end
"""

# ARGV: worker's name, id of the execution to come, now as RQ writes it, now, seconds of life, number of gates
_TAKE_CALL = "take(ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]))"

TAKE = _SET_STATE + _TAKE + f"return {_TAKE_CALL}"

# What came of a job, recorded only if this run of it is still in this hand: a worker that was taken for dead has lost
# it, and what it has to say must not end the run of another. A script is no transaction: what fails in the middle
# stays done, so the job leaves the hand last. Then, with ARGV[7] = '1', the next job is taken in the same step.
# ARGV from 8: id, execution, origin, where to ('ended', 'delayed', 'front', 'back', 'deleted'), registry, score,
# seconds to keep the record ('' as it is, -1 for ever), seconds to keep the result, counter of the worker's, seconds
# worked, outcome for the totals or '', how follow-ups see it ('finished', 'failed', 'stopped', 'scheduled', or '' for
# none), '1' if there are any for sure, number of fields, fields..., fields of the result...
END = (
    _FORGET_RUN
    + _FIT
    + _SET_STATE
    + _TAKE
    + """
local id, execution, origin, where, registry, score = ARGV[8], ARGV[9], ARGV[10], ARGV[11], ARGV[12], ARGV[13]
local keep, result_keep = tonumber(ARGV[14]), tonumber(ARGV[15])
local job, results = 'rq:job:' .. id, 'rq:results:' .. id
-- RQ 3.0 writes this last one with two colons.
local kept = {job, job .. ':dependents', 'rq:job::' .. id .. ':dependencies'}

-- Queued anew under its id while it ran: what waits now keeps its record, and its time.
local function waits(status)
  if status == 'queued' then return redis.call('LPOS', 'rq:queue:' .. origin, id) end
  if status == 'scheduled' or status == 'deferred' then
    return redis.call('ZSCORE', 'rq:' .. status .. ':' .. origin, id)
  end
  return status == 'rate_limited'
end

local function record()
  if not redis.call('LPOS', KEYS[1], id) then return 'lost' end
  local known = redis.call('HMGET', job, 'status', 'run')
  local status = known[1]
  if known[2] and known[2] ~= execution then return 'lost' end

  -- First what Redis could refuse, so that a refusal finds nothing changed.
  local last_field = 21 + tonumber(ARGV[21])
  if status and #ARGV > last_field and result_keep ~= 0 then
    redis.call('XADD', results, 'MAXLEN', 10, '*', unpack(ARGV, last_field + 1))
    fit(results)
    if result_keep > 0 then redis.call('EXPIRE', results, result_keep) else redis.call('PERSIST', results) end
  end
  local again = waits(status)
  if status and not again then
    if where == 'ended' or where == 'delayed' then redis.call('ZADD', registry, score, id) end
    if where == 'front' then redis.call('LPUSH', 'rq:queue:' .. origin, id) end
    if where == 'back' then redis.call('RPUSH', 'rq:queue:' .. origin, id) end
    redis.call('HSET', job, unpack(ARGV, 22, last_field))
  end

  forget_run(KEYS[2], origin, id, execution)
  if redis.call('EXISTS', KEYS[2]) == 1 then
    redis.call('HINCRBY', KEYS[2], ARGV[16], 1)
    redis.call('HINCRBYFLOAT', KEYS[2], 'total_working_time', ARGV[17])
  end
  if ARGV[18] ~= '' then redis.call('HINCRBY', 'rq:totals', origin .. ':' .. ARGV[18], 1) end
  if not status then  -- deleted while it ran; what the job itself has written since goes, too
    redis.call('DEL', job)
    return 'deleted'
  end
  redis.call('HDEL', job, 'run')
  if status == 'canceled' then redis.call('ZREM', 'rq:canceled:' .. origin, id) end

  local more = ARGV[19] ~= '' and (ARGV[20] == '1' or redis.call('EXISTS', kept[2]) == 1)
  if more then
    redis.call('HSET', job, 'followup', ARGV[19])
    if where == 'deleted' and not again then redis.call('HSET', job, 'followup_deletes', '1') end
    redis.call('RPUSH', 'rq:followups:' .. origin, id)
  end
  if again then return 'recorded' end
  if where == 'deleted' then
    if not more then redis.call('DEL', kept[1], kept[2], kept[3], results) else keep = 86400 end
  end
  if keep and keep > 0 then
    for i = 1, 3 do redis.call('EXPIRE', kept[i], keep) end
  end
  return 'recorded'
end

local said = record()
if said ~= 'lost' then redis.call('LREM', KEYS[1], 0, id) end
if ARGV[7] ~= '1' then
  if redis.call('EXISTS', KEYS[2]) == 1 then set_state(KEYS[2], 'idle') end
  return {said}
end
local taken = """
    + _TAKE_CALL
    + """
table.insert(taken, 1, said)
return taken
"""
)

# A follow-up is done: let go, and the record goes if it was only kept for this. Meanwhile the job may wait again, or
# have ended again, with a follow-up of its own. KEYS: hand. ARGV: id
FOLLOWED = """
if redis.call('LREM', KEYS[1], 0, ARGV[1]) == 0 then return 'lost' end
local job = 'rq:job:' .. ARGV[1]
if redis.call('TYPE', job).ok ~= 'hash' then return 'gone' end
local known = redis.call('HMGET', job, 'status', 'origin', 'followup', 'followup_deletes')
redis.call('HDEL', job, 'followup_tries', 'followup_callback')
if redis.call('LPOS', 'rq:followups:' .. (known[2] or ''), ARGV[1]) then return 'again' end
redis.call('HDEL', job, 'followup', 'followup_deletes')
if known[4] and known[1] == known[3] then
  redis.call('DEL', job, job .. ':dependents', 'rq:job::' .. ARGV[1] .. ':dependencies', 'rq:results:' .. ARGV[1])
end
return 'done'
"""

# A job in the hand of a worker that is gone, or of a horse that died. KEYS: hand, worker.
# ARGV: id, queue if the record does not say, how ('counted', 'free', 'stopped'), what happened as RQ keeps it,
# the holder's name, now as RQ writes it, now, seconds to keep a failure if the record does not say, '1' if the holder
# is another worker, which may have shown life since it was found dead
SETTLE = (
    _FORGET_RUN
    + _FIT
    + """
local hand, worker, id, how = KEYS[1], KEYS[2], ARGV[1], ARGV[3]
local job, results = 'rq:job:' .. id, 'rq:results:' .. id
if ARGV[9] == '1' and redis.call('EXISTS', worker) == 1 and redis.call('HEXISTS', worker, 'death') == 0 then
  return 'alive'
end
if not redis.call('LPOS', hand, id) then return 'gone' end

local execution, began = '', nil
local function forget_if_ours(origin, run)
  local known = redis.call('HMGET', 'rq:execution:' .. id .. ':' .. run, 'worker_name', 'created_at')
  if known[1] and known[1] ~= ARGV[5] then return end
  execution, began = run, tonumber(known[2] or '') or began
  forget_run(worker, origin, id, run)
end
local function forget_runs(origin)
  -- A canceled job is in the second list only.
  for _, member in ipairs(redis.call('ZRANGE', 'rq:wip:' .. origin, 0, -1)) do
    if string.sub(member, 1, #id + 1) == id .. ':' then forget_if_ours(origin, string.sub(member, #id + 2)) end
  end
  for _, run in ipairs(redis.call('ZRANGE', 'rq:executions:' .. id, 0, -1)) do forget_if_ours(origin, run) end
end

if redis.call('TYPE', job).ok ~= 'hash' then  -- and nothing tells which queue it was of
  for _, one in ipairs(redis.call('SMEMBERS', 'rq:queues')) do forget_runs(string.sub(one, 10)) end
  redis.call('LREM', hand, 0, id)
  return 'gone'
end
local found = redis.call('HMGET', job, 'status', 'origin', 'retries_left', 'failure_ttl', 'followup',
  'failure_callback_name', 'stopped_callback_name', 'webhooks', 'rate_limit_key', 'worker_name')
local status, origin, keep = found[1], found[2], tonumber(found[4] or '') or tonumber(ARGV[8])
if not origin or origin == '' then origin = ARGV[2] end
local queue = 'rq:queue:' .. origin
forget_runs(origin)

local function let_go(outcome)
  redis.call('LREM', hand, 0, id)
  return outcome
end

local function follow_up()
  redis.call('RPUSH', 'rq:followups:' .. origin, id)
  return let_go('follow up')
end

local function attempt(kind)
  if keep == 0 and kind == '2' then return end
  local fields = {'type', kind, 'worker_name', ARGV[5], 'exc_string', ARGV[4], 'execution_ended_at', ARGV[7]}
  if execution ~= '' then
    table.insert(fields, 'execution_id')
    table.insert(fields, execution)
  end
  redis.call('XADD', results, 'MAXLEN', 10, '*', unpack(fields))
  fit(results)
  if keep > 0 then redis.call('EXPIRE', results, keep) else redis.call('PERSIST', results) end
  if how ~= 'free' and redis.call('EXISTS', worker) == 1 then
    redis.call('HINCRBY', worker, 'failed_job_count', 1)
    if began then redis.call('HINCRBYFLOAT', worker, 'total_working_time', tonumber(ARGV[7]) - began) end
  end
end

local function to_the_front(outcome)
  redis.call('HSET', job, 'status', 'queued', 'enqueued_at', ARGV[6])
  redis.call('HDEL', job, 'run')
  redis.call('SADD', 'rq:queues', queue)
  redis.call('LPUSH', queue, id)
  return let_go(outcome)
end

if not status then status = 'started' end  -- half a record; it may as well have begun
-- A follow-up of an earlier run may still be due while the job runs again.
if found[5] and execution == '' and not (status == 'started' and found[10] == ARGV[5]) then
  redis.call('HINCRBY', job, 'followup_tries', 1)
  return follow_up()
end
if status == 'finished' or status == 'failed' or status == 'stopped' or status == 'canceled' then
  return let_go('ended')
end
if status == 'rate_limited' then return let_go(status) end  -- queued anew while it ran
if status == 'queued' then
  if redis.call('LPOS', queue, id) then return let_go('queued') end
  return to_the_front('put back')
end
if redis.call('ZSCORE', 'rq:' .. status .. ':' .. origin, id) then return let_go(status) end

local left = tonumber(found[3] or '') or 0
if how == 'free' or (how == 'counted' and left > 0) then
  attempt('4')
  if how == 'counted' then redis.call('HSET', job, 'retries_left', left - 1) end
  return to_the_front('put back')
end
local name, callback = 'failed', found[6]
if how == 'stopped' then name, callback = 'stopped', found[7] end
attempt('2')
redis.call('HSET', job, 'status', name, 'ended_at', ARGV[6])
redis.call('HDEL', job, 'run')
redis.call('HINCRBY', 'rq:totals', origin .. ':failed', 1)
local score = keep
if keep > 0 then score = tonumber(ARGV[7]) + keep end
if keep ~= 0 then redis.call('ZADD', 'rq:failed:' .. origin, score, id) end
if keep > 0 then
  for _, key in ipairs({job, job .. ':dependents', 'rq:job::' .. id .. ':dependencies'}) do
    redis.call('EXPIRE', key, keep)
  end
end
local called = callback and callback ~= ''
if called or (found[8] and found[8] ~= '') or (found[9] and found[9] ~= '')
    or redis.call('EXISTS', job .. ':dependents') == 1 then
  redis.call('HSET', job, 'followup', name)
  if called then redis.call('HSET', job, 'followup_callback', '1') end
  if keep == 0 then redis.call('HSET', job, 'followup_deletes', '1') end
  follow_up()
  return name
end
if keep == 0 then redis.call('DEL', job, results) end
return let_go(name)
"""
)

# A worker's sign of life, and that of the job it runs; then the names of those with a hand and without a life.
# While Redis or a network stood still nobody could show life, and then everybody looks dead: so all workers together
# keep ``rq:steady``, which says since when signs of life have come without a gap, and nobody is dead before that has
# been a life long. All by the clock of Redis. KEYS: worker, hand.
# ARGV: now as RQ writes it, now, seconds a registration lives, id of the running job or '', its execution,
# seconds an execution lives, the worker's name, milliseconds that make a gap. Answers: {registered?, dead takers...}
BEAT = """
local worker, now, ttl = KEYS[1], tonumber(ARGV[2]), tonumber(ARGV[6])
if redis.call('HEXISTS', worker, 'birth') == 0 or redis.call('SISMEMBER', 'rq:workers', worker) == 0 then return {0} end
redis.call('HSET', worker, 'last_heartbeat', ARGV[1])
redis.call('EXPIRE', worker, ARGV[3])
local id, execution = ARGV[4], ARGV[5]
local job, member = 'rq:job:' .. id, id .. ':' .. execution
if id ~= '' and redis.call('TYPE', job).ok == 'hash' and redis.call('HGET', job, 'run') == execution
    and redis.call('LPOS', KEYS[2], id) then
  local origin = redis.call('HGET', job, 'origin')
  local run, wip = 'rq:execution:' .. member, 'rq:wip:' .. (origin or '')
  local here, listed = redis.call('EXISTS', run) == 1, redis.call('ZSCORE', wip, member)
  -- Anew if it ran out while Redis was away. But RQ deletes a job in many steps, of which rq:wip is the first and
  -- rq:executions one of the last: a run that has begun to go must not come back, as nothing would name it.
  local goes = not here and not listed and redis.call('ZSCORE', 'rq:executions:' .. id, execution)
  if not goes then
    if not here then
      redis.call('HSET', run, 'id', execution, 'job_id', id, 'created_at', now, 'worker_name', ARGV[7])
      redis.call('SADD', worker .. ':executions', member)
    end
    redis.call('HSET', run, 'last_heartbeat', ARGV[2])
    redis.call('EXPIRE', run, ttl)
    redis.call('ZADD', 'rq:executions:' .. id, now + ttl + 60, execution)
    redis.call('EXPIRE', 'rq:executions:' .. id, ttl + 60)
    redis.call('EXPIRE', worker .. ':executions', ttl + 60)
    if origin and (listed or not here) then redis.call('ZADD', wip, now + ttl, member) end
  end
  redis.call('HSET', job, 'last_heartbeat', ARGV[1])
end
local answer, clock = {1}, tonumber(redis.call('TIME')[1])
local steady = tonumber(redis.call('GET', 'rq:steady') or '')
if not steady then redis.call('SET', 'rq:steady', clock) end
redis.call('PEXPIRE', 'rq:steady', ARGV[8])
if steady and clock - steady >= tonumber(ARGV[3]) then
  for _, name in ipairs(redis.call('SMEMBERS', 'rq:takers')) do
    local other = 'rq:worker:' .. name
    if other ~= worker and (redis.call('EXISTS', other) == 0 or redis.call('HEXISTS', other, 'death') == 1) then
      table.insert(answer, name)
    end
  end
end
return answer
"""

# Runs whose time is up by RQ's reckoning, but whose worker lives or is still to be buried, get more of it: RQ reckons
# by the clock of whoever cleans up, and knows nothing of hands. KEYS: rq:wip of a queue. ARGV: up to when, until when
PROLONG = """
for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], 0, ARGV[1])) do
  local id = string.match(member, '^(.*):[^:]*$') or member
  local job = 'rq:job:' .. id
  local name = redis.call('TYPE', job).ok == 'hash' and redis.call('HGET', job, 'worker_name')
  if name and (redis.call('EXISTS', 'rq:worker:' .. name) == 1 or redis.call('LPOS', 'rq:taken:' .. name, id)) then
    redis.call('ZADD', KEYS[1], 'XX', ARGV[2], member)
  end
end
"""

# What no script can settle is set aside, so that it stands in nobody's way. KEYS: hand, rq:unsettled. ARGV: id
SET_ASIDE = "if redis.call('LREM', KEYS[1], 0, ARGV[1]) > 0 then redis.call('RPUSH', KEYS[2], ARGV[1]) end"

# A taker whose hand is empty is none any more. KEYS: takers, hand. ARGV: name
FORGET_TAKER = "if redis.call('EXISTS', KEYS[2]) == 0 then redis.call('SREM', KEYS[1], ARGV[1]) end"


def taken_key(worker_name: str) -> str:
    """Return the key of a worker's hand."""
    return f"rq:taken:{worker_name}"


def worker_key(worker_name: str) -> str:
    """Return the key of a worker's registration."""
    return f"rq:worker:{worker_name}"
