import { type Script, script } from "./script.ts";

/**
 * A shard's keys, all made from its tag: `lanes` (when each lane's first job is available), `lane:…` (its sessions by
 * time), `waiting` (session to lane), `working` (session to what was taken), `leases` (owners by their end), `owned:…`
 * (an owner's sessions), `held:…` (sessions that count against a key), `rates` (theoretical arrival by key).
 */
const SHARD = `
local tag, channel = KEYS[1], ARGV[1]
local now = now_of(ARGV[2])
local lanes, waiting, working, leases = tag .. 'lanes', tag .. 'waiting', tag .. 'working', tag .. 'leases'

local changed = {}
local function settle()
  for lane in pairs(changed) do
    local first = redis.call('ZRANGE', tag .. 'lane:' .. lane, 0, 0, 'WITHSCORES')
    if first[1] then redis.call('ZADD', lanes, first[2], lane) else redis.call('ZREM', lanes, lane) end
  end
  changed = {}
end

local function leave(session, lane)
  redis.call('HDEL', waiting, session)
  redis.call('ZREM', tag .. 'lane:' .. lane, session)
  changed[lane] = true
end

local function wait(session, lane, at)
  local old = redis.call('HGET', waiting, session)
  if old then
    local known = redis.call('ZSCORE', tag .. 'lane:' .. old, session)
    if tonumber(known) < tonumber(at) then at = known end
    if old ~= lane then leave(session, old) end
  end
  redis.call('HSET', waiting, session, lane)
  redis.call('ZADD', tag .. 'lane:' .. lane, at, session)
  changed[lane] = true
end

local function earlier(a, b)
  if not a or a == '' then return b end
  if not b or b == '' then return a end
  if tonumber(b) < tonumber(a) then return b end
  return a
end

local function read_working(session)
  local text = redis.call('HGET', working, session)
  return text and cjson.decode(text)
end

local function free(session, job)
  redis.call('HDEL', working, session)
  redis.call('SREM', tag .. 'owned:' .. job.owner, session)
  for _, key in ipairs(job.keys) do redis.call('SREM', tag .. 'held:' .. key, session) end
end

local function reclaim_owner(owner)
  for _, session in ipairs(redis.call('SMEMBERS', tag .. 'owned:' .. owner)) do
    local job = read_working(session)
    if job and job.owner == owner then
      free(session, job)
      wait(session, job.again_lane or job.lane, earlier(job.at, job.again_at))
    end
  end
  redis.call('DEL', tag .. 'owned:' .. owner)
  redis.call('ZREM', leases, owner)
end

for _, owner in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', exact(now))) do reclaim_owner(owner) end
settle()

local function announce()
  settle()
  if redis.call('ZCARD', lanes) > 0 then redis.call('PUBLISH', channel, '') end
end
`;

const on = (body: string): Script => script(SHARD, body);

/** ARGV from the third: session, lane, availableAt of each job. */
export const put: Script = on(`
for i = 3, #ARGV, 3 do
  local session, lane, at = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local job = read_working(session)
  if job then
    job.again_lane, job.again_at = lane, earlier(job.again_at, at)
    redis.call('HSET', working, session, cjson.encode(job))
  else
    wait(session, lane, at)
  end
end
announce()
return 1
`);

/** ARGV from the third: session. */
export const remove: Script = on(`
local lane = redis.call('HGET', waiting, ARGV[3])
if lane then leave(ARGV[3], lane) end
local job = read_working(ARGV[3])
if job then
  job.again_lane, job.again_at = nil, nil
  redis.call('HSET', working, ARGV[3], cjson.encode(job))
end
settle()
return 1
`);

/** Gives lane and time in turn. */
export const lanes: Script = on(`return redis.call('ZRANGE', lanes, 0, -1, 'WITHSCORES')`);

/**
 * ARGV from the third: lane, owner, how many concurrency keys, how many rates, key and limit of each of the former, key,
 * limit and span of each of the latter, then a token for each job wanted. Gives the sessions with their times, then the
 * key that was in the way, then until when.
 */
export const take: Script = on(`
local lane, owner, keys, rates = ARGV[3], ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
local rate_at, token_at = 7 + 2 * keys, 7 + 2 * keys + 3 * rates
local jobs = {}
if not redis.call('ZSCORE', leases, owner) then return { jobs, '', '' } end
local ready = redis.call('ZRANGEBYSCORE', tag .. 'lane:' .. lane, '-inf', exact(now), 'WITHSCORES', 'LIMIT', 0, #ARGV - token_at + 1)
local held = {}
for i = 7, rate_at - 1, 2 do held[#held + 1] = ARGV[i] end
if #held == 0 then held = cjson.decode('[]') end
for at = 1, #ready, 2 do
  local session = ready[at]
  for i = 7, rate_at - 1, 2 do
    if redis.call('SCARD', tag .. 'held:' .. ARGV[i]) >= tonumber(ARGV[i + 1]) then
      settle()
      return { jobs, ARGV[i], '' }
    end
  end
  for i = rate_at, token_at - 1, 3 do
    local limit, span = tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
    local free_at = tonumber(redis.call('HGET', tag .. 'rates', ARGV[i]) or '0') - span + span / limit
    if free_at > now then
      settle()
      return { jobs, ARGV[i], exact(math.ceil(free_at)) }
    end
  end
  for i = rate_at, token_at - 1, 3 do
    local arrival = tonumber(redis.call('HGET', tag .. 'rates', ARGV[i]) or '0')
    if arrival < now then arrival = now end
    redis.call('HSET', tag .. 'rates', ARGV[i], exact(arrival + tonumber(ARGV[i + 2]) / tonumber(ARGV[i + 1])))
  end
  local token = ARGV[token_at + (at - 1) / 2]
  leave(session, lane)
  redis.call('HSET', working, session, cjson.encode({ lane = lane, at = ready[at + 1], token = token, owner = owner, keys = held }))
  redis.call('SADD', tag .. 'owned:' .. owner, session)
  for _, key in ipairs(held) do redis.call('SADD', tag .. 'held:' .. key, session) end
  jobs[#jobs + 1] = session
  jobs[#jobs + 1] = ready[at + 1]
  jobs[#jobs + 1] = token
end
settle()
return { jobs, '', '' }
`);

/** ARGV from the third: session, token, and availableAt or empty when the job is done, of each. */
export const giveBack: Script = on(`
-- Who has a free place has taken what he may: only a job that waits again, or a limit that is free again, is news.
local news = false
for i = 3, #ARGV, 3 do
  local session = ARGV[i]
  local job = read_working(session)
  if job and job.token == ARGV[i + 1] then
    free(session, job)
    local at = earlier(ARGV[i + 2], job.again_at)
    local again = at and at ~= ''
    if again then wait(session, job.again_lane or job.lane, at) end
    news = news or again or #job.keys > 0
  end
end
settle()
if news then announce() end
return 1
`);

/** ARGV from the third: owner, for how long. */
export const renew: Script = on(`redis.call('ZADD', leases, exact(now + ARGV[4]), ARGV[3]) return 1`);

/** ARGV from the third: owner. */
export const expire: Script = on(`
reclaim_owner(ARGV[3])
announce()
return 1
`);

/** Gives lane, how many wait, and since when in turn; then the lanes of what is in work. */
export const depth: Script = on(`
local found, busy = {}, {}
for _, lane in ipairs(redis.call('ZRANGE', lanes, 0, -1)) do
  found[#found + 1] = lane
  found[#found + 1] = tostring(redis.call('ZCARD', tag .. 'lane:' .. lane))
  found[#found + 1] = redis.call('ZSCORE', lanes, lane)
end
for _, text in ipairs(redis.call('HVALS', working)) do busy[#busy + 1] = cjson.decode(text).lane end
return { found, busy }
`);
