import Database from "better-sqlite3";
import { Container } from "inversify";
import { expect, test } from "vitest";
import { InMemoryMemoryStore } from "../in-memory/index.ts";
import { SqliteMemoryStore } from "../sqlite/index.ts";
import {
  inMemoryMemoryModule,
  MEMORY,
  MEMORY_DATABASE,
  MEMORY_STORE,
  memoryModule,
  sqliteMemoryModule,
} from "./index.ts";

test("one module swaps the store", async () => {
  const container = new Container();
  container.bind(MEMORY_DATABASE).toConstantValue(new Database(":memory:"));
  await container.load(memoryModule(), sqliteMemoryModule());
  expect(container.get(MEMORY_STORE)).toBeInstanceOf(SqliteMemoryStore);
  expect(container.get(MEMORY)).toBe(container.get(MEMORY));
  const other = new Container();
  await other.load(memoryModule(), inMemoryMemoryModule());
  expect(other.get(MEMORY_STORE)).toBeInstanceOf(InMemoryMemoryStore);
  const store = other.get(MEMORY_STORE);
  await other.unbindAsync(MEMORY_STORE);
  await expect(store.version({ tenant: "t", memory: "m" })).rejects.toMatchObject({ code: "MEMORY_STORE_CLOSED" });
});

test("a second store is refused at load", async () => {
  const container = new Container();
  await container.load(inMemoryMemoryModule());
  await expect((async () => container.load(sqliteMemoryModule()))()).rejects.toMatchObject({
    code: "ASHLAR_TOKEN_BOUND",
  });
});
