import { MemoryError } from "../errors.ts";
import type { PostgresClient, PostgresPool } from "./postgres-client.ts";
import type { PostgresSchema } from "./schema.ts";

/** Any number that no one else's advisory locks use: "ashl". */
const LOCK = 0x6173_686c;
const VERSION = "SELECT version FROM ashlar_schema WHERE store = $1";

/** Brings the tables to the newest schema in one transaction; refuses newer ones. Stores may share a database. */
export async function migrate(pool: PostgresPool, { store, steps }: PostgresSchema): Promise<void> {
  await inTransaction(pool, async (client) => {
    await client.query({ text: "SELECT pg_advisory_xact_lock($1)", values: [LOCK] });
    await client.query({
      text: "CREATE TABLE IF NOT EXISTS ashlar_schema (store text PRIMARY KEY, version int NOT NULL)",
    });
    const { rows } = await client.query({ text: VERSION, values: [store] });
    const found = (rows[0] as { version: number } | undefined)?.version ?? 0;
    if (found > steps.length) {
      throw new MemoryError(
        "MEMORY_SCHEMA_NEWER",
        `The ${store} tables of this database have schema version ${found}; this release knows versions up to ${steps.length}. Upgrade the package, or use the database of the older release.`,
      );
    }
    for (const step of steps.slice(found)) await client.query({ text: step });
    await client.query({
      text: "INSERT INTO ashlar_schema VALUES ($1, $2) ON CONFLICT (store) DO UPDATE SET version = excluded.version",
      values: [store, steps.length],
    });
  });
}

async function inTransaction(pool: PostgresPool, body: (client: PostgresClient) => Promise<void>): Promise<void> {
  const client = await pool.connect();
  let broken = false;
  try {
    await client.query({ text: "BEGIN" });
    await body(client);
    await client.query({ text: "COMMIT" });
  } catch (error) {
    await client.query({ text: "ROLLBACK" }).catch(() => {
      broken = true;
    });
    throw error;
  } finally {
    client.release(broken);
  }
}
