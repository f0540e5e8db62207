import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { acme, sqliteVault } from "../fixtures/sqlite-vault.ts";
import { SqliteAuditStore, SqliteIdentityStore } from "./index.ts";

const newFile = async () => join(await mkdtemp(join(tmpdir(), "ashlar-identity-")), "identity.db");

test("a use is on record, for whoever else opens the file, when the request is handed out", async () => {
  const path = await newFile();
  const { vault, injector, request, bearer } = await sqliteVault({ database: new Database(path) });
  await vault.add(acme, bearer);
  await injector.inject(acme, "tickets", request);
  const theirs = new SqliteAuditStore({ database: new Database(path) });
  expect((await theirs.head("acme"))?.entry).toMatchObject({ action: "credential.inject", decision: "allow" });
});

test("a use that cannot be recorded does not happen", async () => {
  const path = await newFile();
  const ours = new Database(path);
  const { vault, injector, request, bearer } = await sqliteVault({ database: ours });
  await vault.add(acme, bearer);
  ours.pragma("busy_timeout = 1");
  const other = new Database(path);
  other.exec("BEGIN IMMEDIATE");
  await expect(injector.inject(acme, "tickets", request)).rejects.toMatchObject({ code: "IDENTITY_BACKEND_FAILED" });
  other.exec("COMMIT");
  await expect(injector.inject(acme, "tickets", request)).resolves.toBeDefined();
});

test("two processes that each remember the chain's end write one whole chain", async () => {
  const path = await newFile();
  const first = await sqliteVault({ database: new Database(path) });
  const second = await sqliteVault({ database: new Database(path), file: first.file });
  const entry = { action: "credential.inject", decision: "allow" } as const;
  const logs = [first.audit, second.audit];
  for (let turn = 0; turn < 6; turn++) await logs[turn % 2]?.record(acme, entry);
  await Promise.all(Array.from({ length: 40 }, (_, at) => logs[at % 2]?.record(acme, entry)));
  for (const log of logs) expect(await log.verify(acme)).toMatchObject({ intact: true, rows: 46 });
});

test.each([
  ["normal", undefined, 1],
  ["full", "full", 2],
] as const)("with durability %s each store brings its connection to it", async (_, durability, synchronous) => {
  for (const Store of [SqliteIdentityStore, SqliteAuditStore]) {
    const database = new Database(await newFile());
    new Store({ database, ...(durability && { durability }) });
    expect(database.pragma("journal_mode", { simple: true })).toBe("wal");
    expect(database.pragma("synchronous", { simple: true })).toBe(synchronous);
  }
});
