import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { SqliteAuditStore, SqliteIdentityStore } from "./index.ts";

/** What the first release wrote, word for word: never to be changed with the schema. */
const VERSION_1 = `
  CREATE TABLE ashlar_schema (store TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT;
  INSERT INTO ashlar_schema VALUES ('identity records', 1), ('identity audit', 1);
  CREATE TABLE identity_records (
    tenant TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, body TEXT NOT NULL,
    expires_at INTEGER, PRIMARY KEY (tenant, kind, id)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE identity_audit (
    tenant TEXT NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL, entry TEXT NOT NULL, hash TEXT NOT NULL,
    PRIMARY KEY (tenant, seq)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO identity_records VALUES ('acme', 'policy', 'p', 3, '{"a":1}', NULL);
  INSERT INTO identity_audit VALUES ('acme', 1, 5, '{"action":"x","decision":"allow"}', 'h');`;

test("a file of version 1 opens with what it holds", async () => {
  const database = new Database(":memory:");
  database.exec(VERSION_1);
  const store = new SqliteIdentityStore({ database });
  expect(await store.get("acme", "policy", "p")).toEqual({ id: "p", version: 3, body: { a: 1 } });
  expect(await store.put("acme", "policy", "p", { body: null, expected: 3 })).toMatchObject({ version: 4 });
  const audit = new SqliteAuditStore({ database });
  const entry = { action: "x", decision: "allow" } as const;
  expect(await audit.head("acme")).toEqual({ tenant: "acme", seq: 1, at: 5, entry, hash: "h" });
});

test("a file of a later version is refused and left as it was", () => {
  const database = new Database(":memory:");
  database.exec(VERSION_1);
  database.exec("UPDATE ashlar_schema SET version = 99");
  const before = database.serialize();
  for (const Store of [SqliteIdentityStore, SqliteAuditStore]) {
    expect(() => new Store({ database })).toThrow(/schema version 99/);
  }
  expect(database.serialize().equals(before)).toBe(true);
});
