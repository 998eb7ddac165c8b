-- Deletes our keys: mastowatch:*, and those that RQ keeps for our jobs. One bounded step a call, so that Redis is never
-- held up for long; any step may be repeated, and what is gone is no trouble. Read by `mastowatch forget` and by
-- packaging/forget.sh. It looks through all of the database, so its keys are not named in KEYS: RQ runs on no cluster.
--
-- ARGV: 'ask'                   answers 'layout' and the keys' layout, then a line for each process that lives
-- ARGV: 'count', place [, most] counts what 'delete' would delete
-- ARGV: 'delete', place [, most]
-- place is 'begin', then what the last call answered first, until that is 'end'. After it come kind, number, kind, ...
-- Needs Redis 7: there a script that looks through the database may write as well.
local PREFIX = 'mastowatch:'
local LAYOUT, PROCESSES = 'mastowatch:layout', 'mastowatch:processes'
-- The layout goes last: an older version that starts before the end must not take what is left for its own.
local LAST = {[PROCESSES] = 1, ['mastowatch:layout:next'] = 2, ['mastowatch:layout:unfinished'] = 3, [LAYOUT] = 4}
-- All queues and tasks that any version had: what an old one has left is ours as well. Another application may use
-- queues of the same names, so a job is ours by its id or by the mark in its record.
local QUEUES = {'high', 'default', 'low'}
local TASKS = {
  poll_admin_accounts = true,
  poll_admin_accounts_local = true,
  analyze_and_maybe_report = true,
  judge_again = true,
  read_report_outcomes = true,
  send_alerts = true,
  undo_expired_actions = true,
  process_new_status = true,
  annotate_report = true,
  process_new_statuses = true,
  poll_public_timeline = true,
  record_queue_stats = true,
}
local MARK_FIELD, MARK = 'serializer', 'json'
local REGISTRIES = {'wip', 'finished', 'failed', 'scheduled', 'deferred', 'canceled', 'ready'}
-- Written by our job engine alone.
local ENGINES_OWN = {
  ['rq:totals'] = true, ['rq:steady'] = true, ['rq:maintenance'] = true, ['rq:scheduler:last_tick'] = true,
  ['rq:scheduler:skipped'] = true, ['rq:scheduler:paused'] = true, ['rq:scheduler:orphans'] = true,
  ['rq:scheduler:intervals'] = true, ['rq:paused'] = true, ['rq:paused_all'] = true,
}
local KINDS = {
  claim = 'reports claimed', case = 'cases', cases = 'cases', judged = 'accounts judged', cursor = 'cursors',
  lock = 'locks', budget = 'request budget', tally = 'counters', history = 'history', switch = 'switches',
  switches = 'switches', layout = 'layout', handed_on = 'posts handed on', durations = 'counters', stream = 'stream',
  rules = 'rule stats', idempotency = 'answers',
  recent = 'recent posts', rule = 'rule stats', report = 'reports', reports = 'reports',
  session = 'ended sessions', webhooks = 'webhooks',
}

local deleting, place, most = ARGV[1] == 'delete', ARGV[2], tonumber(ARGV[3] or '500')
local found, looked = {}, 0

local function note(kind, number)
  if number > 0 then found[kind] = (found[kind] or 0) + number end
end

local function kind_of(key)
  return redis.call('TYPE', key).ok
end

local function drop(key, kind)
  if redis.call('EXISTS', key) == 0 then return end
  if deleting then redis.call('UNLINK', key) end
  note(kind, 1)
end

local is_our_queue = {}
for _, name in ipairs(QUEUES) do is_our_queue[name] = true end

-- What is ours ---------------------------------------------------------------------------------------------------

local function is_our_job(id)
  local task, arguments = string.match(id, '^([a-z_]+)(.*)$')
  local by_id = task and TASKS[task] and (arguments == '-now' or string.match(arguments, '^[-0-9]*$'))
  local job = 'rq:job:' .. id
  if kind_of(job) ~= 'hash' then return by_id end
  local known = redis.call('HMGET', job, MARK_FIELD, 'origin')
  if known[2] and not is_our_queue[known[2]] then return false end
  return by_id or known[1] == MARK
end

-- Ours are called HOST-[INSTANCE-]PID-6 HEX DIGITS, see fresh_name; RQ's by a UUID or as their admin likes.
local function is_our_name(name)
  return string.match(name, '%-%d+%-%x%x%x%x%x%x$')
end

local function is_our_worker(name)
  local key = 'rq:worker:' .. name
  return is_our_name(name) or (kind_of(key) == 'hash' and redis.call('HEXISTS', key, 'dry_run') == 1)
end

-- Lists that others may have entries in ---------------------------------------------------------------------------

-- How a part is read, from a place on, and an entry removed. What stays is what the next part begins after.
local READ = {
  list = function(key, at) return redis.call('LRANGE', key, at, at + most - 1) end,
  zset = function(key, at) return redis.call('ZRANGE', key, at, at + most - 1) end,
}
local REMOVE = {
  list = function(key, entry) redis.call('LREM', key, 1, entry) end,
  zset = function(key, entry) redis.call('ZREM', key, entry) end,
}

-- Removes a part of what is ours from a list or sorted set of jobs; answers where the next part begins, or nil.
local function trim(key, kind, at)
  local type = kind_of(key)
  if not READ[type] then return nil end
  local of_runs = string.match(key, '^rq:wip:')  -- there an entry is job:execution
  local entries, stay, ours = READ[type](key, at), 0, 0
  for _, entry in ipairs(entries) do
    if is_our_job(of_runs and string.match(entry, '^(.*):[^:]*$') or entry) then
      ours = ours + 1
      if deleting then REMOVE[type](key, entry) end
    else
      stay = stay + 1
    end
  end
  note(kind, ours)
  looked = looked + #entries
  if #entries < most then return nil end
  return at + (deleting and stay or #entries)
end

local TRIMMED = {{'rq:scheduler:scheduled_jobs', 'recurring jobs'}, {'rq:unsettled', 'jobs in hand'}}
for _, name in ipairs(QUEUES) do
  table.insert(TRIMMED, {'rq:queue:' .. name, 'queued jobs'})
  table.insert(TRIMMED, {'rq:followups:' .. name, 'follow-ups'})
  for _, registry in ipairs(REGISTRIES) do
    table.insert(TRIMMED, {'rq:' .. registry .. ':' .. name, 'entries in registries'})
  end
end

-- Sets of names, too small to count in parts: a worker or a queue an entry -----------------------------------------

local function forget_workers(key)
  if not deleting or kind_of(key) ~= 'set' then return end
  for _, entry in ipairs(redis.call('SMEMBERS', key)) do
    if is_our_worker(string.match(entry, '^rq:worker:(.*)$') or entry) then redis.call('SREM', key, entry) end
  end
end

local function forget_hands()
  if not deleting or kind_of('rq:takers') ~= 'set' then return end
  for _, name in ipairs(redis.call('SMEMBERS', 'rq:takers')) do
    trim('rq:taken:' .. name, 'jobs in hand', 0)
    -- A job of others that ours took stays where it can be found.
    if redis.call('EXISTS', 'rq:taken:' .. name) == 0 then redis.call('SREM', 'rq:takers', name) end
  end
end

local function forget_queues()
  for _, name in ipairs(QUEUES) do
    local left = redis.call('EXISTS', 'rq:queue:' .. name, 'rq:workers:' .. name, 'rq:followups:' .. name)
    for _, registry in ipairs(REGISTRIES) do left = left + redis.call('EXISTS', 'rq:' .. registry .. ':' .. name) end
    if deleting and left == 0 and kind_of('rq:queues') == 'set' then
      redis.call('SREM', 'rq:queues', 'rq:queue:' .. name)
    end
  end
end

-- Single keys ------------------------------------------------------------------------------------------------------

-- All of a job at once, whichever of its keys is met first: that it is ours may stand in its record alone.
local function forget_job(id)
  for _, execution in ipairs(kind_of('rq:executions:' .. id) == 'zset'
      and redis.call('ZRANGE', 'rq:executions:' .. id, 0, -1) or {}) do
    drop('rq:execution:' .. id .. ':' .. execution, 'runs of jobs')
  end
  drop('rq:executions:' .. id, 'runs of jobs')
  drop('rq:results:' .. id, 'results of jobs')
  drop('rq:job:' .. id .. ':dependents', 'job records')
  drop('rq:job::' .. id .. ':dependencies', 'job records')
  drop('rq:job:' .. id, 'job records')
end

-- Whose key it is stands in its name: how to find that, whether it is ours, what to do then. The first match counts.
local function drop_as(kind)
  return function(_, key) drop(key, kind) end
end
local function drop_with_job(kind)
  return function(id, key)
    if deleting then forget_job(id) end
    drop(key, kind)
  end
end
local BY_NAME = {
  {'^rq:job:(.+):dependents$', is_our_job, drop_with_job('job records')},
  {'^rq:job::(.+):dependencies$', is_our_job, drop_with_job('job records')},
  {'^rq:job:(.+)$', is_our_job, drop_with_job('job records')},
  {'^rq:results:(.+)$', is_our_job, drop_with_job('results of jobs')},
  {'^rq:executions:(.+)$', is_our_job, drop_with_job('runs of jobs')},
  {'^rq:execution:(.+):[^:]+$', is_our_job, drop_with_job('runs of jobs')},
  {'^rq:worker:(.+):executions$', is_our_worker, drop_as('workers and schedulers')},
  {'^rq:worker:(.+)$', is_our_worker, drop_as('workers and schedulers')},
  {'^rq:scheduler_instance:(.+)$', is_our_name, drop_as('workers and schedulers')},
  {'^rq:taken:(.+)$', is_our_name, function(_, key) trim(key, 'jobs in hand', 0) end},
}

local function forget_by_name(key)
  for _, rule in ipairs(BY_NAME) do
    local name = string.match(key, rule[1])
    if name then
      if rule[2](name) then rule[3](name, key) end
      return
    end
  end
end

local function forget_key(key)
  if string.sub(key, 1, #PREFIX) == PREFIX then
    if not LAST[key] then drop(key, KINDS[string.match(key, '^[^:]*:([^:]*)')] or 'others') end
  elseif ENGINES_OWN[key] then
    drop(key, 'workers and schedulers')
  elseif key == 'rq:scheduler_lock' then
    if kind_of(key) == 'string' and is_our_name(redis.call('GET', key)) then drop(key, 'workers and schedulers') end
  elseif string.sub(key, 1, 3) == 'rq:' then
    forget_by_name(key)
  end
end

-- The steps --------------------------------------------------------------------------------------------------------

local function ask()
  local now = redis.call('TIME')
  local alive = redis.call('ZRANGEBYSCORE', PROCESSES, '(' .. now[1] .. '.' .. string.format('%06d', now[2]), '+inf')
  table.insert(alive, 1, 'layout ' .. (redis.call('GET', LAYOUT) or ''))
  return alive
end

-- First what tells jobs by their records, then the records.
local function trim_step(index, at)
  while TRIMMED[index] and looked < most do
    local following = trim(TRIMMED[index][1], TRIMMED[index][2], at)
    if following then return 'trim ' .. index .. ' ' .. following end
    index, at = index + 1, 0
  end
  return TRIMMED[index] and 'trim ' .. index .. ' 0' or 'names'
end

local function names_step()
  forget_hands()
  forget_workers('rq:workers')
  for _, name in ipairs(QUEUES) do forget_workers('rq:workers:' .. name) end
  forget_queues()
  return 'keys 0'
end

local function keys_step(cursor)
  local answer = redis.call('SCAN', cursor, 'COUNT', most)
  for _, key in ipairs(answer[2]) do forget_key(key) end
  return answer[1] == '0' and 'layout' or 'keys ' .. answer[1]
end

local function layout_step()
  local keys = {}
  for key, turn in pairs(LAST) do keys[turn] = key end
  for _, key in ipairs(keys) do drop(key, 'layout') end
  return 'end'
end

if ARGV[1] == 'ask' then return ask() end
local step, first, second = string.match(place .. '  ', '^(%a+) (%S*) ?(%S*)')
local following
if step == 'begin' then following = trim_step(1, 0)
elseif step == 'trim' then following = trim_step(tonumber(first), tonumber(second))
elseif step == 'names' then following = names_step()
elseif step == 'keys' then following = keys_step(first)
elseif step == 'layout' then following = layout_step()
else return redis.error_reply('ERR there is no such place: ' .. place) end
local said = {following}
for kind, number in pairs(found) do
  table.insert(said, kind)
  table.insert(said, number)
end
return said
