import { join } from "node:path";
import {
  postgresRuntimeModule,
  RUNTIME_DATABASE,
  RUNTIME_POSTGRES,
  RUNTIME_REDIS,
  RUNTIME_REDIS_SUBSCRIBER,
  redisRuntimeModule,
  sqliteRuntimeModule,
} from "@ashlar/runtime/inversify";
import Database from "better-sqlite3";
import type { Container, ContainerModule } from "inversify";
import { Redis } from "ioredis";
import { Pool } from "pg";
import type { SessionEngine } from "./config.ts";

/** Past one machine it is another module and another address; nothing else changes. */
export async function bindEngine(
  container: Container,
  engine: SessionEngine,
  data: string,
): Promise<{ readonly module: ContainerModule; close(): Promise<void> }> {
  if (engine.kind === "redis") {
    const client = new Redis(engine.url);
    const subscriber = client.duplicate();
    for (const each of [client, subscriber]) each.on("error", () => {}); // the calls that fail say it
    container.bind(RUNTIME_REDIS).toConstantValue(client);
    container.bind(RUNTIME_REDIS_SUBSCRIBER).toConstantValue(subscriber);
    const close = async () => {
      for (const each of [client, subscriber]) each.disconnect();
    };
    return { module: redisRuntimeModule(), close };
  }
  if (engine.kind === "postgres") {
    const pool = new Pool({ connectionString: engine.url });
    container.bind(RUNTIME_POSTGRES).toConstantValue(pool);
    return { module: postgresRuntimeModule(), close: () => pool.end() };
  }
  const database = new Database(join(data, "sessions.db"));
  container.bind(RUNTIME_DATABASE).toConstantValue(database);
  return { module: sqliteRuntimeModule(), close: async () => void database.close() };
}
