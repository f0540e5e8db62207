import { RuntimeError } from "../errors.ts";
import type { RedisClient } from "./redis-client.ts";

const OLDEST = [6, 2] as const;

let warned = false;

/** Refuses a server on which sessions cannot live, and warns once of one that forgets more than it says. */
export async function checkRedis(client: Pick<RedisClient, "info">): Promise<void> {
  const info = await client.info();
  const value = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, "m").exec(info)?.[1] ?? "";
  const version = value("redis_version");
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
    throw refused(`is version ${version}. Sessions need ${OLDEST.join(".")} or later: upgrade it.`);
  }
  if (value("role") === "slave") {
    throw refused("is a read-only replica. Connect to the primary, or through Sentinel or Cluster.");
  }
  const policy = value("maxmemory_policy");
  if (policy.startsWith("allkeys") && Number(value("maxmemory")) > 0) {
    throw refused(`evicts any key when its memory is full (maxmemory-policy ${policy}). Set it to noeviction.`);
  }
  if (value("aof_enabled") === "1" || warned) return;
  warned = true;
  process.emitWarning(
    "Redis keeps no append-only file: a server that dies forgets every session since its last snapshot. Set appendonly yes.",
    { code: "ASHLAR_WEAK_REDIS" },
  );
}

const refused = (what: string): RuntimeError => new RuntimeError("RUNTIME_INVALID", `This Redis ${what}`);
