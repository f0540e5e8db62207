import "reflect-metadata";
import Database from "better-sqlite3";
import { Container } from "inversify";
import { Redis } from "ioredis";
import { Pool } from "pg";
import { expect, test } from "vitest";
import { PostgresBlobStore, PostgresCatalog } from "../postgres/index.ts";
import { RedisCatalog } from "../redis/index.ts";
import { SqliteCatalog } from "../sqlite/index.ts";
import * as runtime from "./index.ts";

test("every engine's module gives its catalog, and PostgreSQL its blobs when asked; nothing connects before it is used", async () => {
  await using stack = new AsyncDisposableStack();
  const database = stack.adopt(new Database(":memory:"), (each) => void each.close());
  const client = stack.adopt(new Redis({ lazyConnect: true }), (each) => each.disconnect());
  const pool = stack.adopt(new Pool(), (each) => each.end());
  const loaded = async (...modules: Parameters<Container["load"]>) => {
    const container = new Container();
    container.bind(runtime.RUNTIME_DATABASE).toConstantValue(database);
    container.bind(runtime.RUNTIME_REDIS).toConstantValue(client);
    container.bind(runtime.RUNTIME_POSTGRES).toConstantValue(pool);
    await container.load(...modules);
    return container;
  };
  const sqlite = await loaded(runtime.sqliteRuntimeModule());
  expect(sqlite.get(runtime.CATALOG)).toBeInstanceOf(SqliteCatalog);
  const redis = await loaded(runtime.redisRuntimeModule());
  expect(redis.get(runtime.CATALOG)).toBeInstanceOf(RedisCatalog);
  const plain = await loaded(runtime.postgresRuntimeModule());
  expect(plain.get(runtime.CATALOG)).toBeInstanceOf(PostgresCatalog);
  expect(plain.isBound(runtime.BLOB_STORE)).toBe(false);
  const postgres = await loaded(runtime.postgresRuntimeModule({ blobs: true }));
  expect(postgres.get(runtime.BLOB_STORE)).toBeInstanceOf(PostgresBlobStore);
});
