import { join } from "node:path";
import { startPostgres } from "../../../test/support/postgres.ts";
import { startRedis } from "../../../test/support/redis.ts";
import type { Place, Profile } from "./engine.ts";

export interface Server {
  readonly place: Place;
  /** Kills the server as it stands and starts it again on what it has kept; absent where there is none. */
  readonly crash?: () => Promise<void>;
  stop(): Promise<void>;
}

/** A private server for the profile, by default set up so that it forgets nothing when its process dies. */
export async function startServer(profile: Profile, folder: string, appendfsync = "always"): Promise<Server> {
  if (profile === "redis") {
    const redis = await startRedis("--appendonly", "yes", "--appendfsync", appendfsync);
    return {
      place: { profile, at: redis.path, durability: "primary" },
      crash: redis.restart,
      stop: redis.stop,
    };
  }
  if (profile === "postgres") {
    const postgres = await startPostgres("fsync=on", "max_connections=200");
    await (await postgres.pool("campaign")).end();
    return {
      place: { profile, host: postgres.host, user: postgres.user },
      crash: postgres.restart,
      stop: postgres.stop,
    };
  }
  return { place: { profile, path: join(folder, "runtime.db") }, stop: async () => {} };
}
