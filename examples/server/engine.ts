import { join } from "node:path";
import type { BlobStore, Catalog } from "@ashlar/runtime";
import { DiskBlobStore } from "@ashlar/runtime/disk";
import * as runtime from "@ashlar/runtime/inversify";
import { PostgresBlobStore, PostgresCatalog } from "@ashlar/runtime/postgres";
import { RedisCatalog } from "@ashlar/runtime/redis";
import { SqliteCatalog } from "@ashlar/runtime/sqlite";
import Database from "better-sqlite3";
import type { Container, ContainerModule } from "inversify";
import { Redis } from "ioredis";
import { Pool } from "pg";
import { type Options, UsageError } from "./options.ts";

export interface Engine {
  readonly module: ContainerModule;
  readonly catalog: Catalog;
  readonly blobs: BlobStore;
  close(): Promise<unknown>;
}

/** Where sessions, agents' versions and files are kept. Past one machine it is another module and an address. */
export async function bindEngine(
  container: Container,
  { profile, data }: Options,
  environment: NodeJS.ProcessEnv,
): Promise<Engine> {
  const disk = new DiskBlobStore({ folder: join(data, "blobs") });
  if (profile === "redis") {
    const client = new Redis(addressOf("REDIS_URL", environment), { lazyConnect: true });
    const subscriber = client.duplicate();
    for (const each of [client, subscriber]) each.on("error", () => {}); // the calls that fail say it
    await Promise.all([client.connect(), subscriber.connect()]).catch((error) => {
      for (const each of [client, subscriber]) each.disconnect();
      throw unreachable("REDIS_URL", error);
    });
    container.bind(runtime.RUNTIME_REDIS).toConstantValue(client);
    container.bind(runtime.RUNTIME_REDIS_SUBSCRIBER).toConstantValue(subscriber);
    const close = async () => {
      for (const each of [client, subscriber]) each.disconnect();
    };
    return { module: runtime.redisRuntimeModule(), catalog: new RedisCatalog({ client }), blobs: disk, close };
  }
  if (profile === "postgres") {
    const pool = new Pool({ connectionString: addressOf("POSTGRES_URL", environment) });
    pool.on("error", () => {}); // the calls that fail say it
    await pool.query("SELECT 1").catch(async (error) => {
      await pool.end();
      throw unreachable("POSTGRES_URL", error);
    });
    container.bind(runtime.RUNTIME_POSTGRES).toConstantValue(pool);
    const blobs = new PostgresBlobStore({ pool });
    return {
      module: runtime.postgresRuntimeModule(),
      catalog: new PostgresCatalog({ pool }),
      blobs,
      close: () => pool.end(),
    };
  }
  const database = new Database(join(data, "sessions.db"));
  container.bind(runtime.RUNTIME_DATABASE).toConstantValue(database);
  return {
    module: runtime.sqliteRuntimeModule(),
    catalog: new SqliteCatalog({ database }),
    blobs: disk,
    close: async () => database.close(),
  };
}

function addressOf(name: string, environment: NodeJS.ProcessEnv): string {
  const address = environment[name];
  if (address) return address;
  throw new UsageError(`This profile needs a server that is there when this one is not: name it in ${name}.`);
}

const unreachable = (name: string, error: NodeJS.ErrnoException): UsageError =>
  new UsageError(`The server that ${name} names cannot be reached (${error.code ?? error.message}): start it first.`);
