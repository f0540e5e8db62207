import { type Script, script } from "./script.ts";

/** Results of a call that was refused. */
export const ABSENT = -1;
export const FENCED = -2;
export const ENDED = -3;

const EVENTS = `
local function entry(events, seq)
  local found = redis.call('XRANGE', events, seq .. '-0', seq .. '-0')[1]
  if not found then return '', '' end
  return found[2][2], found[2][4]
end
local function place(events, keys, seq, fence, key, event)
  redis.call('XADD', events, seq .. '-0', 'f', fence, 'e', event)
  if key ~= '' then redis.call('HSET', keys, key, seq) end
end
`;

const INDEX = `
local function change_status(record, index, id, before, after)
  if before == after then return end
  redis.call('HSET', record, 'status', after)
  redis.call('ZREM', index, 's:' .. before .. '|' .. id)
  redis.call('ZADD', index, 0, 's:' .. after .. '|' .. id)
end
`;

const RELEASE = `
local function give_up(record, list, claims, index, id, owner, status, unseen, at, given)
  redis.call('HDEL', record, 'owner')
  unclaim(claims, owner)
  local woken = status ~= 'ended' and unseen
  if status == 'ended' then at = '' elseif woken then at = exact(now_of(given)) end
  if at == '' then
    redis.call('HDEL', record, 'wakeAt')
    redis.call('ZREM', list, id)
  else
    wake(record, list, id, at)
  end
  if woken and status == 'idle' then change_status(record, index, id, status, 'queued') end
  return woken and 1 or 0
end
`;

const LEASES = `
local function live(leases, owner, now)
  return owner and tonumber(redis.call('HGET', leases, owner) or '0') > now
end
local function unclaim(claims, owner)
  if owner and redis.call('HINCRBY', claims, owner, -1) <= 0 then redis.call('HDEL', claims, owner) end
end
local function wake(record, list, id, at)
  redis.call('HSET', record, 'wakeAt', at)
  redis.call('ZADD', list, at, id)
end
`;

/**
 * KEYS: record, events, keys, wake, index. ARGV: id, wakeAt or empty, how many fields, fields and values, how many index
 * entries, entries, then key and event of each event. Gives 0 or 1 for "made", then the record.
 */
export const create: Script = script(
  EVENTS,
  `
if redis.call('EXISTS', KEYS[1]) == 1 then return { 0, redis.call('HGETALL', KEYS[1]) } end
local at = 3 + 2 * ARGV[3]
redis.call('HSET', KEYS[1], unpack(ARGV, 4, at))
local entries = tonumber(ARGV[at + 1])
for i = at + 2, at + 1 + entries do redis.call('ZADD', KEYS[5], 0, ARGV[i]) end
local head = 0
for i = at + 2 + entries, #ARGV, 2 do
  local key = ARGV[i]
  if key == '' or not redis.call('HGET', KEYS[3], key) then
    head = head + 1
    place(KEYS[2], KEYS[3], head, '0:created', key, ARGV[i + 1])
  end
end
redis.call('HSET', KEYS[1], 'head', head, 'lastInput', 0)
if ARGV[2] ~= '' then
  redis.call('HSET', KEYS[1], 'wakeAt', ARGV[2])
  redis.call('ZADD', KEYS[4], ARGV[2], ARGV[1])
end
return { 1, redis.call('HGETALL', KEYS[1]) }
`,
);

/** KEYS: record, wake, claims, leases. ARGV: now, id, tenant, owner, nonce, "=" and the fence to take it from or empty. */
export const claim: Script = script(
  LEASES,
  `
local now = now_of(ARGV[1])
local tenant, fence, owner, wakes = unpack(redis.call('HMGET', KEYS[1], 'tenant', 'fence', 'owner', 'wakeAt'))
if tenant ~= ARGV[3] then return ${ABSENT} end
if ARGV[6] ~= '' then
  if not fence or '=' .. fence ~= ARGV[6] then return 0 end
elseif owner and owner ~= ARGV[4] and live(KEYS[4], owner, now) then
  return 0
end
local epoch = tonumber(string.match(fence or '0', '^%d+')) + 1
redis.call('HSET', KEYS[1], 'fence', exact(epoch) .. ':' .. ARGV[5], 'owner', ARGV[4])
unclaim(KEYS[3], owner)
redis.call('HINCRBY', KEYS[3], ARGV[4], 1)
if not wakes then wake(KEYS[1], KEYS[2], ARGV[2], exact(now)) end
return { owner or '', redis.call('HGETALL', KEYS[1]) }
`,
);

/**
 * KEYS: record, events, keys, index, wake, claims. ARGV: now, id, tenant, fence, the head that this owner has seen, how
 * many fields, fields and values to set, status or empty, "1" to set updatedAt, "1" to clear archivedAt, what was seen
 * and wakeAt for a release or empty, then key and event of each event. Gives, for each event, its seq and, when its key was known, the fence and body of the earlier one.
 * A head that lies behind what was acknowledged means that a failover forgot it: the claim ends, and the session starts
 * over from what is there.
 */
export const append: Script = script(
  EVENTS,
  INDEX,
  LEASES,
  RELEASE,
  `
local tenant, fence, owner, head, status, input =
  unpack(redis.call('HMGET', KEYS[1], 'tenant', 'fence', 'owner', 'head', 'status', 'lastInput'))
if tenant ~= ARGV[3] then return ${ABSENT} end
if fence ~= ARGV[4] or not owner then return ${FENCED} end
if tonumber(head) < tonumber(ARGV[5]) then
  redis.call('HDEL', KEYS[1], 'owner')
  unclaim(KEYS[6], owner)
  wake(KEYS[1], KEYS[5], ARGV[2], exact(now_of(ARGV[1])))
  return ${FENCED}
end
local at = 6 + 2 * ARGV[6]
local last, placed = tonumber(head), {}
for i = at + 6, #ARGV, 2 do
  local key = ARGV[i]
  local known = key ~= '' and redis.call('HGET', KEYS[3], key)
  if known then
    local by, event = entry(KEYS[2], known)
    placed[#placed + 1] = { tonumber(known), by, event }
  else
    last = last + 1
    place(KEYS[2], KEYS[3], last, fence, key, ARGV[i + 1])
    placed[#placed + 1] = { last }
  end
end
if ARGV[at + 2] == '1' then
  redis.call('HSET', KEYS[1], 'head', last, 'updatedAt', exact(now_of(ARGV[1])), unpack(ARGV, 7, at))
else
  redis.call('HSET', KEYS[1], 'head', last)
end
if ARGV[at + 1] ~= '' then
  change_status(KEYS[1], KEYS[4], ARGV[2], status, ARGV[at + 1])
  status = ARGV[at + 1]
end
if ARGV[at + 3] == '1' then redis.call('HDEL', KEYS[1], 'archivedAt') end
if ARGV[at + 4] ~= '' then
  local unseen = tonumber(input) > tonumber(ARGV[at + 4])
  give_up(KEYS[1], KEYS[5], KEYS[6], KEYS[4], ARGV[2], owner, status, unseen, ARGV[at + 5], ARGV[1])
end
return placed
`,
);

/**
 * KEYS: record, wake, claims, index. ARGV: now, id, tenant, fence, seen, wakeAt or empty, the head that this owner has
 * seen. Gives 0 or 1 for "woken".
 */
export const release: Script = script(
  LEASES,
  INDEX,
  RELEASE,
  `
local tenant, fence, owner, status, input, head =
  unpack(redis.call('HMGET', KEYS[1], 'tenant', 'fence', 'owner', 'status', 'lastInput', 'head'))
if tenant ~= ARGV[3] then return ${ABSENT} end
if fence ~= ARGV[4] or not owner then return ${FENCED} end
local unseen = tonumber(head) < tonumber(ARGV[7]) or tonumber(input) > tonumber(ARGV[5])
return give_up(KEYS[1], KEYS[2], KEYS[3], KEYS[4], ARGV[2], owner, status, unseen, ARGV[6], ARGV[1])
`,
);

/** KEYS: record, events, keys, wake, index. ARGV: now, id, tenant, key, event, "1" to wake. Gives as one of \`append\`. */
export const deposit: Script = script(
  EVENTS,
  INDEX,
  `
local tenant, head, status, wake = unpack(redis.call('HMGET', KEYS[1], 'tenant', 'head', 'status', 'wakeAt'))
if tenant ~= ARGV[3] then return ${ABSENT} end
local known = ARGV[4] ~= '' and redis.call('HGET', KEYS[3], ARGV[4])
if known then
  local by, event = entry(KEYS[2], known)
  return { tonumber(known), by, event }
end
if status == 'ended' then return ${ENDED} end
local seq = tonumber(head) + 1
place(KEYS[2], KEYS[3], seq, 'input', ARGV[4], ARGV[5])
redis.call('HSET', KEYS[1], 'head', seq, 'lastInput', seq)
if ARGV[6] == '1' then
  local now = now_of(ARGV[1])
  if not wake or tonumber(wake) > now then
    redis.call('HSET', KEYS[1], 'wakeAt', exact(now))
    redis.call('ZADD', KEYS[4], exact(now), ARGV[2])
  end
  if status == 'idle' then change_status(KEYS[1], KEYS[5], ARGV[2], status, 'queued') end
end
return { seq }
`,
);

/** KEYS: record, events, keys, snapshot, wake, claims, leases, index. ARGV: now, id, tenant, then the index entries. */
export const remove: Script = script(
  LEASES,
  `
local tenant, owner, status = unpack(redis.call('HMGET', KEYS[1], 'tenant', 'owner', 'status'))
if tenant ~= ARGV[3] then return ${ABSENT} end
if live(KEYS[7], owner, now_of(ARGV[1])) then return 0 end
unclaim(KEYS[6], owner)
redis.call('ZREM', KEYS[5], ARGV[2])
redis.call('ZREM', KEYS[8], 's:' .. status .. '|' .. ARGV[2], unpack(ARGV, 4))
redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3], KEYS[4])
return 1
`,
);

/** KEYS: record, snapshot. ARGV: tenant, fence, seq, body. */
export const saveSnapshot: Script = script(`
local tenant, fence, owner = unpack(redis.call('HMGET', KEYS[1], 'tenant', 'fence', 'owner'))
if tenant ~= ARGV[1] then return ${ABSENT} end
if fence ~= ARGV[2] or not owner then return ${FENCED} end
redis.call('HSET', KEYS[2], 'seq', ARGV[3], 'body', ARGV[4])
return 1
`);

/** KEYS: record, events. ARGV: tenant, up to which seq the events lie in the archive. */
export const trim: Script = script(`
local tenant, trimmed = unpack(redis.call('HMGET', KEYS[1], 'tenant', 'trimmed'))
if tenant ~= ARGV[1] then return ${ABSENT} end
if tonumber(trimmed or '0') >= tonumber(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], 'trimmed', ARGV[2])
redis.call('XTRIM', KEYS[2], 'MINID', (ARGV[2] + 1) .. '-0')
return 1
`);

/** KEYS: leases, claims. ARGV: now, owner, for how long. Forgets leases that ended an hour ago and hold nothing. */
export const renew: Script = script(`
local now = now_of(ARGV[1])
local leases = redis.call('HGETALL', KEYS[1])
for i = 1, #leases, 2 do
  if tonumber(leases[i + 1]) < now - 3600000 and redis.call('HEXISTS', KEYS[2], leases[i]) == 0 then
    redis.call('HDEL', KEYS[1], leases[i])
  end
end
redis.call('HSET', KEYS[1], ARGV[2], exact(now + ARGV[3]))
return 1
`);

/** KEYS: leases. ARGV: owner. */
export const expire: Script = script(`return redis.call('HDEL', KEYS[1], ARGV[1])`);

/** KEYS: claims, leases. Gives owner and end of lease in turn. */
export const owners: Script = script(`
local found = {}
for _, owner in ipairs(redis.call('HKEYS', KEYS[1])) do
  found[#found + 1] = owner
  found[#found + 1] = redis.call('HGET', KEYS[2], owner) or '0'
end
return found
`);

/**
 * KEYS: wake, leases. ARGV: now, limit, wakeAt and session to start behind or empty, what stands before a session's id in
 * its key. Gives session, tenant, agent, wakeAt and state in turn.
 */
export const due: Script = script(
  LEASES,
  `
local now, limit = now_of(ARGV[1]), tonumber(ARGV[2])
local from, found, offset = ARGV[3], {}, 0
if from == '' then from = '-inf' end
while #found < 5 * limit do
  local page = redis.call('ZRANGEBYSCORE', KEYS[1], from, exact(now), 'WITHSCORES', 'LIMIT', offset, 200)
  for i = 1, #page, 2 do
    local id, wake = page[i], page[i + 1]
    if ARGV[3] == '' or tonumber(wake) > tonumber(ARGV[3]) or id > ARGV[4] then
      local tenant, agent, owner, state, exactly =
        unpack(redis.call('HMGET', ARGV[5] .. id, 'tenant', 'agent', 'owner', 'state', 'wakeAt'))
      if not live(KEYS[2], owner, now) and #found < 5 * limit then
        for _, each in ipairs({ id, tenant, agent, exactly, state }) do found[#found + 1] = each end
      end
    end
  end
  if #page < 400 then break end
  offset = offset + 200
end
return found
`,
);

/** KEYS: an external id's key. ARGV: session. Gives the session that it is bound to. */
export const bind: Script = script(`
if redis.call('SETNX', KEYS[1], ARGV[1]) == 1 then return ARGV[1] end
return redis.call('GET', KEYS[1])
`);

/** KEYS: an external id's key. ARGV: session. */
export const unbind: Script = script(`
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
`);
