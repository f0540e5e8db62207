import { type Script, script } from "./script.ts";

/** KEYS: document, names. ARGV: name, expected or empty, "1" to keep history, entry. Gives the version, or minus the newest and 1. */
export const put: Script = script(`
local last, newest = unpack(redis.call('HMGET', KEYS[1], 'last', 'newest'))
last, newest = tonumber(last or '0'), tonumber(newest or '0')
if ARGV[2] ~= '' and tonumber(ARGV[2]) ~= newest then return -newest - 1 end
local version = last + 1
if ARGV[3] ~= '1' or newest == 0 then
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'first', version)
end
redis.call('HSET', KEYS[1], 'last', version, 'newest', version, version, ARGV[4])
redis.call('ZADD', KEYS[2], 0, ARGV[1])
return version
`);

/** KEYS: document. ARGV: version, or empty for the newest. Gives version and entry. */
export const get: Script = script(`
local version = ARGV[1]
if version == '' then version = redis.call('HGET', KEYS[1], 'newest') or '0' end
return { version, redis.call('HGET', KEYS[1], version) or '' }
`);

/** KEYS: document. ARGV: before which version, how many. Gives version and entry in turn, newest first. */
export const versions: Script = script(`
local first, newest = unpack(redis.call('HMGET', KEYS[1], 'first', 'newest'))
local found = {}
for version = math.min(tonumber(newest or '0'), tonumber(ARGV[1]) - 1), tonumber(first or '1'), -1 do
  local entry = redis.call('HGET', KEYS[1], exact(version))
  if entry then
    found[#found + 1] = exact(version)
    found[#found + 1] = entry
  end
  if #found >= 2 * ARGV[2] then break end
end
return found
`);

/** KEYS: document, names. ARGV: name. */
export const remove: Script = script(`
local last = redis.call('HGET', KEYS[1], 'last')
if not last then return 0 end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'last', last, 'newest', 0)
redis.call('ZREM', KEYS[2], ARGV[1])
return 1
`);
