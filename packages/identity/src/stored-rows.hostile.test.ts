import { createHmac } from "node:crypto";
import type BetterSqlite3 from "better-sqlite3";
import { expect, vi } from "vitest";
import { hostile } from "../../../test/support/hostile.ts";
import { AuditLog } from "./audit-log.ts";
import type { AuditRow } from "./audit-store.ts";
import { acme, HOST, sqliteVault, TOKEN } from "./fixtures/sqlite-vault.ts";
import { InMemoryAuditStore } from "./in-memory/index.ts";
import { additionalData } from "./internal/envelope.ts";
import { Keyring } from "./keyring.ts";
import { SqliteAuditStore } from "./sqlite/index.ts";

/** The real additional data, until a control takes it out. */
vi.mock("./internal/envelope.ts", { spy: true });

type Database = InstanceType<typeof BetterSqlite3>;
const OTHER = "the-other-canary-token";
const refused = { code: "IDENTITY_CIPHERTEXT_REFUSED" };

/** What the injector sends after somebody wrote in the database: `tickets`, rotated or not, and `second` are there. */
async function after(attack: (database: Database) => void, url: string, rotated: boolean): Promise<string> {
  const { vault, injector, request, bearer, database } = await sqliteVault();
  await vault.add(acme, bearer);
  const other = { kind: "bearer", token: OTHER } as const;
  await vault.add(acme, { ...bearer, reference: "second", secret: other });
  if (rotated) await vault.rotate(acme, "tickets", other, { graceMs: 1000 });
  await injector.inject(acme, "tickets", request);
  attack(database);
  const sent = await injector.inject(acme, "tickets", { ...request, url });
  return `${sent.request.headers.authorization} to ${new URL(sent.request.url).host}`;
}

for (const { name, control, attack, url = `https://${HOST}/`, rotated = false, gained } of [
  {
    name: "a ciphertext is moved to another row, in the database",
    control: "sealed without additional data, it opens in the other row",
    attack: (database: Database) =>
      database.exec(
        `UPDATE identity_records SET body = (
           SELECT replace(body, 'second', 'tickets') FROM identity_records WHERE id LIKE '%second'
         ) WHERE id LIKE '%tickets'`,
      ),
    gained: `Bearer ${OTHER} to ${HOST}`,
  },
  {
    name: "an older version's ciphertext is put back in place of the newest",
    control: "sealed without additional data, the old value is served again",
    attack: (database: Database) =>
      database.exec(
        `UPDATE identity_records
         SET body = json_set(body, '$.versions[1].sealed', json_extract(body, '$.versions[0].sealed'))
         WHERE id LIKE '%tickets'`,
      ),
    rotated: true,
    gained: `Bearer ${TOKEN} to ${HOST}`,
  },
  {
    name: "the hosts of a row are changed in the database",
    control: "sealed without additional data, the secret goes to the host that was written there",
    attack: (database: Database) =>
      database.exec(
        `UPDATE identity_records SET body = replace(body, '${HOST}', 'evil.example') WHERE id LIKE '%tickets'`,
      ),
    url: "https://evil.example/",
    gained: `Bearer ${TOKEN} to evil.example`,
  },
] as const satisfies readonly {
  readonly name: string;
  readonly control: string;
  readonly attack: (database: Database) => unknown;
  readonly url?: string;
  readonly rotated?: boolean;
  readonly gained: string;
}[]) {
  hostile(name, {
    control,
    async unguarded() {
      vi.mocked(additionalData).mockImplementation(() => Buffer.alloc(0));
      expect(await after(attack, url, rotated).finally(() => vi.mocked(additionalData).mockReset())).toBe(gained);
    },
    guarded: () => expect(after(attack, url, rotated)).rejects.toMatchObject(refused),
  });
}

/** The hash that whoever writes the table can compute: of a key that everybody has. */
const keyless = async () => (data: string) => createHmac("sha256", "").update(data).digest();

/** Puts other rows in place of a tenant's chain, numbered and hashed as the log itself would without its key. */
async function forge(database: Database, change: (rows: readonly AuditRow[]) => readonly AuditRow[]): Promise<void> {
  let at = 0;
  const clock = { now: () => at, sleep: async () => {} };
  const store = new InMemoryAuditStore();
  const forged = new AuditLog({ store, keyring: { mac: keyless } as unknown as Keyring, clock });
  for (const row of change(await new SqliteAuditStore({ database }).read("acme"))) {
    at = row.at;
    await forged.record({ principal: { tenant: "acme" } }, row.entry);
  }
  database.exec("DELETE FROM identity_audit");
  for (const row of await store.read("acme")) await new SqliteAuditStore({ database }).append(row);
}

async function recorded() {
  const { vault, bearer, injector, request, audit, database } = await sqliteVault();
  await vault.add(acme, bearer);
  await injector.inject(acme, "tickets", { ...request, url: "https://evil.example/" }).catch(() => {});
  await injector.inject(acme, "tickets", request);
  const whole = await audit.verify(acme);
  expect(whole).toMatchObject({ intact: true, rows: 3 });
  return { audit, database, anchor: whole.intact ? whole.head : undefined };
}

const allowed = (row: AuditRow): AuditRow => ({ ...row, entry: { ...row.entry, decision: "allow" } });

for (const [name, change, rows] of [
  ["is changed", (all: readonly AuditRow[]) => all.map(allowed), 3],
  ["is dropped from the middle", (all: readonly AuditRow[]) => all.toSpliced(1, 1), 2],
] as const) {
  hostile(`an audit row ${name}`, {
    control: "a chain without a key is computed anew by whoever writes the table, and verifies",
    async unguarded() {
      const mac = vi.spyOn(Keyring.prototype, "mac").mockImplementation(keyless);
      const { audit, database } = await recorded();
      await forge(database, change);
      const [entries, verdict] = [await audit.read(acme), await audit.verify(acme)];
      mac.mockRestore();
      expect(entries.map(({ entry }) => entry.decision)).not.toContain("deny");
      expect(verdict).toMatchObject({ intact: true, rows });
    },
    async guarded() {
      const { audit, database } = await recorded();
      await forge(database, change);
      expect(await audit.verify(acme)).toMatchObject({ intact: false, seq: 1 });
      const untouched = await recorded();
      const id = "tenant = 'acme' AND seq = 2";
      untouched.database.exec(
        name === "is changed"
          ? `UPDATE identity_audit SET entry = replace(entry, 'deny', 'allow') WHERE ${id}`
          : `DELETE FROM identity_audit WHERE ${id}`,
      );
      expect(await untouched.audit.verify(acme)).toMatchObject({ intact: false, seq: 2 });
    },
  });
}

hostile("an audit row is cut off the end", {
  control: "without an anchor that was kept elsewhere, the shorter chain verifies",
  async unguarded() {
    const { audit, database } = await recorded();
    database.exec("DELETE FROM identity_audit WHERE seq = 3");
    expect(await audit.verify(acme)).toMatchObject({ intact: true, rows: 2 });
  },
  async guarded() {
    const { audit, database, anchor } = await recorded();
    database.exec("DELETE FROM identity_audit WHERE seq = 3");
    expect(await audit.verify(acme, anchor && { anchor })).toMatchObject({ intact: false, seq: 3 });
  },
});
