import { existsSync } from "node:fs";
import type { Catalog, LiveBus, SessionLog, WorkQueue } from "../index.ts";

/** Where the sessions are: one of a file and two addresses. */
export interface Place {
  readonly data?: string | undefined;
  readonly redis?: string | undefined;
  readonly postgres?: string | undefined;
}

export interface Engine {
  readonly log: SessionLog;
  readonly queue: WorkQueue;
  readonly live?: LiveBus;
  readonly catalog: Catalog;
  close(): Promise<void>;
}

const GIVE = "Give one of --data FILE, --redis URL and --postgres URL";

/** What was given; else what the environment says, in this order. */
export function placeOf(
  { data, redis, postgres }: Place,
  environment: Readonly<Record<string, string | undefined>>,
): Place {
  const given = [data, redis, postgres].filter((each) => each !== undefined);
  if (given.length > 1) throw new Error(`Which one? ${GIVE}.`);
  if (given.length === 1) return { data, redis, postgres };
  const { ASHLAR_RUNTIME_FILE, REDIS_URL, POSTGRES_URL } = environment;
  if (ASHLAR_RUNTIME_FILE) return { data: ASHLAR_RUNTIME_FILE };
  if (REDIS_URL) return { redis: REDIS_URL };
  if (POSTGRES_URL) return { postgres: POSTGRES_URL };
  throw new Error(`Which sessions? ${GIVE}.`);
}

/** Engines and drivers are loaded when they are asked for: each needs its own. */
export async function openEngine({ data, redis, postgres }: Place): Promise<Engine> {
  if (redis !== undefined) return openRedis(redis);
  if (postgres !== undefined) return openPostgres(postgres);
  return openSqlite(data ?? "");
}

async function openSqlite(file: string): Promise<Engine> {
  if (!existsSync(file)) throw new Error(`There is no file ${file}.`);
  const { default: Database } = await driver("better-sqlite3", import("better-sqlite3"));
  const { SqliteCatalog, SqliteSessionLog, SqliteWorkQueue } = await import("../sqlite/index.ts");
  const database = new Database(file);
  return {
    log: new SqliteSessionLog({ database }),
    queue: new SqliteWorkQueue({ database }),
    catalog: new SqliteCatalog({ database }),
    async close() {
      database.close();
    },
  };
}

async function openRedis(address: string): Promise<Engine> {
  const { Redis } = await driver("ioredis", import("ioredis"));
  const { RedisCatalog, RedisLiveBus, RedisSessionLog, RedisWorkQueue } = await import("../redis/index.ts");
  const client = new Redis(address, { lazyConnect: true, maxRetriesPerRequest: 1 });
  const subscriber = client.duplicate({ maxRetriesPerRequest: null });
  for (const each of [client, subscriber]) each.on("error", () => {});
  const close = async () => {
    for (const each of [client, subscriber]) each.disconnect();
  };
  await client.connect().catch(() => unreachable("Redis", close));
  return {
    log: new RedisSessionLog({ client }),
    queue: new RedisWorkQueue({ client }),
    live: new RedisLiveBus({ client, subscriber }),
    catalog: new RedisCatalog({ client }),
    close,
  };
}

async function openPostgres(connectionString: string): Promise<Engine> {
  const { default: pg } = await driver("pg", import("pg"));
  const stores = await import("../postgres/index.ts");
  const pool = new pg.Pool({ connectionString, max: 3 });
  await pool.query("SELECT 1").catch(() => unreachable("PostgreSQL", () => pool.end()));
  const live = new stores.PostgresLiveBus({ pool });
  return {
    log: new stores.PostgresSessionLog({ pool }),
    queue: new stores.PostgresWorkQueue({ pool }),
    live,
    catalog: new stores.PostgresCatalog({ pool }),
    async close() {
      await live.close();
      await pool.end();
    },
  };
}

const driver = <T>(name: string, module: Promise<T>): Promise<T> =>
  module.catch(() => {
    throw new Error(`These sessions need ${name}: npm install ${name}`);
  });

/** Without the address, which may hold a password. */
async function unreachable(what: string, close: () => Promise<unknown>): Promise<never> {
  await close();
  throw new Error(`${what} does not answer: is the address right, and does the server run?`);
}
