import type { LiveBus, SessionLog, WorkQueue } from "@ashlar/runtime";
import { PostgresLiveBus, PostgresSessionLog, PostgresWorkQueue } from "@ashlar/runtime/postgres";
import { type RedisDurability, RedisLiveBus, RedisSessionLog, RedisWorkQueue } from "@ashlar/runtime/redis";
import { SqliteSessionLog, SqliteWorkQueue } from "@ashlar/runtime/sqlite";
import Database from "better-sqlite3";
import { Redis } from "ioredis";
import { Pool } from "pg";

export type Profile = "sqlite" | "redis" | "postgres";

/** Where the sessions lie, as JSON for the workers. */
export type Place =
  | { readonly profile: "sqlite"; readonly path: string }
  | {
      readonly profile: "redis";
      /** A unix socket, or an address. */
      readonly at: string;
      readonly durability: RedisDurability;
    }
  | { readonly profile: "postgres"; readonly host: string; readonly user: string };

export interface Engine {
  readonly log: SessionLog;
  readonly queue: WorkQueue;
  readonly live?: LiveBus;
  close(): Promise<void>;
}

export function openEngine(place: Place): Engine {
  if (place.profile === "sqlite") {
    const database = new Database(place.path);
    const close = async () => void database.close();
    return { log: new SqliteSessionLog({ database }), queue: new SqliteWorkQueue({ database }), close };
  }
  if (place.profile === "redis") {
    const client = new Redis(place.at, {
      maxRetriesPerRequest: 3,
      commandTimeout: 1_500,
      retryStrategy: () => 100,
      reconnectOnError: (error) => error.message.startsWith("READONLY"),
    });
    const subscriber = client.duplicate();
    for (const each of [client, subscriber]) each.on("error", () => {});
    const { durability } = place;
    return {
      log: new RedisSessionLog({ client, durability }),
      queue: new RedisWorkQueue({ client, subscriber }),
      live: new RedisLiveBus({ client, subscriber }),
      async close() {
        for (const each of [client, subscriber]) each.disconnect();
      },
    };
  }
  const { host, user } = place;
  const pool = new Pool({ host, user, options: "-c search_path=campaign", connectionTimeoutMillis: 2_000 });
  const queue = new PostgresWorkQueue({ pool });
  const live = new PostgresLiveBus({ pool });
  return {
    log: new PostgresSessionLog({ pool }),
    queue,
    live,
    async close() {
      // One connection listens: a pool waits for it for ever.
      await Promise.all([queue.close(), live.close()]);
      await pool.end();
    },
  };
}
