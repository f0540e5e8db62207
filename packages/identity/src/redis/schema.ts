import type { RecordKind } from "../identity-store.ts";

/** All keys of a tenant share a hash slot: the tenant, escaped, is the tag. */
const tag = (prefix: string, tenant: string): string => `${prefix}{${encodeURIComponent(tenant)}}`;

export const recordKey = (prefix: string, tenant: string, kind: RecordKind, id: string): string =>
  `${tag(prefix, tenant)}:${kind}:${id}`;

/** Ids of a kind, in a sorted set whose scores are all 0: read in order of the ids. */
export const indexKey = (prefix: string, tenant: string, kind: RecordKind): string =>
  `${tag(prefix, tenant)}:ids:${kind}`;

export const auditKey = (prefix: string, tenant: string): string => `${tag(prefix, tenant)}:audit`;

export const tenantsKey = (prefix: string, kind: RecordKind): string => `${prefix}tenants:${kind}`;

/** KEYS: record, index. ARGV: expected version, new record, id, now, milliseconds to keep ("" for ever). */
export const PUT = `
local found = redis.call("GET", KEYS[1])
local version = 0
if found then
  local record = cjson.decode(found)
  if not record.e or record.e > tonumber(ARGV[4]) then version = record.v end
end
if version ~= tonumber(ARGV[1]) then return 0 end
if ARGV[5] == "" then redis.call("SET", KEYS[1], ARGV[2])
else redis.call("SET", KEYS[1], ARGV[2], "PX", ARGV[5]) end
redis.call("ZADD", KEYS[2], 0, ARGV[3])
return 1`;

/** KEYS: record, index. ARGV: id. */
export const TAKE = `
local found = redis.call("GET", KEYS[1])
redis.call("DEL", KEYS[1])
redis.call("ZREM", KEYS[2], ARGV[1])
return found`;

/** KEYS: list. ARGV: seq, row. */
export const APPEND = `
if redis.call("LLEN", KEYS[1]) + 1 ~= tonumber(ARGV[1]) then return 0 end
redis.call("RPUSH", KEYS[1], ARGV[2])
return 1`;
