import { createHash } from "node:crypto";

export interface Script {
  readonly source: string;
  readonly sha1: string;
}

const script = (source: string): Script => ({ source, sha1: createHash("sha1").update(source).digest("hex") });

/** KEYS: values, counters, then one per term. ARGV: how many keys, the keys, the counters. */
export const read: Script = script(`
local values, counters, postings = {}, {}, {}
local wanted = tonumber(ARGV[1])
for i = 2, wanted + 1 do values[#values + 1] = redis.call('HGET', KEYS[1], ARGV[i]) end
for i = wanted + 2, #ARGV do counters[#counters + 1] = redis.call('HGET', KEYS[2], ARGV[i]) end
for i = 3, #KEYS do postings[#postings + 1] = redis.call('HGETALL', KEYS[i]) end
return { values, counters, postings }
`);

/** KEYS: values, keys. ARGV: from, to, limit, "1" for reverse. */
export const scan: Script = script(`
local keys
if ARGV[4] == '1' then
  keys = redis.call('ZREVRANGEBYLEX', KEYS[2], '(' .. ARGV[2], '[' .. ARGV[1], 'LIMIT', 0, ARGV[3])
else
  keys = redis.call('ZRANGEBYLEX', KEYS[2], '[' .. ARGV[1], '(' .. ARGV[2], 'LIMIT', 0, ARGV[3])
end
local found = {}
for _, key in ipairs(keys) do
  found[#found + 1] = key
  found[#found + 1] = redis.call('HGET', KEYS[1], key)
end
return found
`);

/**
 * KEYS: values, keys, counters, version, terms, then one per unposted and posted term.
 * ARGV: six counts, then the parts in the order of `Batch`. Every argument was checked before: no command here can fail.
 */
export const commit: Script = script(`
local at, term = 6, 5
local function take() at = at + 1; return ARGV[at] end
local function count(part) return tonumber(ARGV[part]) end
for _ = 1, count(1) do
  local key, expected = take(), take()
  local value = redis.call('HGET', KEYS[1], key)
  if value then value = '=' .. value else value = '' end
  if value ~= expected then return 0 end
end
for _ = 1, count(2) do
  local key = take()
  redis.call('HDEL', KEYS[1], key)
  redis.call('ZREM', KEYS[2], key)
end
for _ = 1, count(3) do
  local key = take()
  redis.call('HSET', KEYS[1], key, take())
  redis.call('ZADD', KEYS[2], 0, key)
end
for _ = 1, count(4) do
  local counter = take()
  redis.call('HINCRBY', KEYS[3], counter, take())
end
for _ = 1, count(5) do
  term = term + 1
  local name = take()
  redis.call('HDEL', KEYS[term], take())
  if redis.call('EXISTS', KEYS[term]) == 0 then redis.call('SREM', KEYS[5], name) end
end
for _ = 1, count(6) do
  term = term + 1
  redis.call('SADD', KEYS[5], take())
  local document = take()
  redis.call('HSET', KEYS[term], document, take())
end
redis.call('INCR', KEYS[4])
return 1
`);

/** KEYS: values, keys, counters, version, terms, then one per term. */
export const drop: Script = script(`
for i = 1, #KEYS do
  if i ~= 4 then redis.call('UNLINK', KEYS[i]) end
end
if redis.call('EXISTS', KEYS[4]) == 1 then redis.call('INCR', KEYS[4]) end
return 1
`);
