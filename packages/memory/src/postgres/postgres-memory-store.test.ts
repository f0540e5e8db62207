import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { inspect } from "node:util";
import type { Pool } from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { hostile } from "../../../../test/support/hostile.ts";
import { type PrivatePostgres, startPostgres } from "../../../../test/support/postgres.ts";
import { describeWith, parts } from "../../../../test/support/system-part.ts";
import { Memory } from "../memory.ts";
import { memoryStoreConformance } from "../testing/index.ts";
import { PostgresMemoryStore } from "./index.ts";

const context = { principal: { tenant: "acme" } };
const said = (text: string) => ({ actor: "ada", session: "s", role: "user" as const, text });

describeWith([parts.postgres], "postgres", () => {
  let server: PrivatePostgres;
  const pools: Pool[] = [];
  const fresh = async () => {
    const pool = await server.pool(`m${pools.length}`, { max: 4 });
    pools.push(pool);
    return pool;
  };
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(async () => {
    await Promise.all(pools.map((pool) => pool.end().catch(() => {})));
    await server.stop();
  });

  memoryStoreConformance({ test, createStore: async () => new PostgresMemoryStore({ pool: await fresh() }) });

  test("two stores that start at once on an empty schema make one set of tables", async () => {
    const pool = await fresh();
    const memories = [1, 2, 3].map(() => new Memory({ store: new PostgresMemoryStore({ pool }) }));
    await Promise.all(memories.map((memory) => memory.events.append(context, "m", said("heron"))));
    expect(await memories[0]?.search(context, "m", { text: "heron" })).toHaveLength(3);
  });

  test("newer tables are refused, with what to do", async () => {
    const pool = await fresh();
    await new PostgresMemoryStore({ pool }).version({ tenant: "t", memory: "m" });
    await pool.query("UPDATE ashlar_schema SET version = 99 WHERE store = 'memory'");
    await expect(new PostgresMemoryStore({ pool }).version({ tenant: "t", memory: "m" })).rejects.toMatchObject({
      code: "MEMORY_SCHEMA_NEWER",
      message: expect.stringContaining("Upgrade"),
    });
  });

  hostile("a deleted text is looked for in the bytes of the tables", {
    backend: "postgres",
    control: "a DELETE leaves the row in the table's file",
    async unguarded() {
      const pool = await fresh();
      await pool.query("CREATE TABLE t (v text); INSERT INTO t VALUES ('xylophone-quokka control'); DELETE FROM t");
      await pool.query("CHECKPOINT");
      expect(inTables(server.host, "xylophone-quokka control")).toBe(true);
    },
    async guarded() {
      const pool = await fresh();
      const store = new PostgresMemoryStore({ pool });
      const memory = new Memory({ store });
      const { id } = await memory.events.append(context, "m", said("a wombat zither"));
      await pool.query("CHECKPOINT");
      expect(inTables(server.host, "wombat")).toBe(true);
      await memory.events.delete(context, "m", id);
      await store.compact();
      await pool.query("CHECKPOINT");
      for (const word of ["wombat", "zither"]) expect(inTables(server.host, word)).toBe(false);
    },
  });

  hostile("the server is killed in the middle of batches", {
    backend: "postgres",
    control: "a row and its index sent as statements of their own: the kill falls between them",
    async unguarded() {
      const own = await startPostgres();
      try {
        const pool = await own.pool("control");
        await pool.query("CREATE TABLE rows (v text); CREATE TABLE terms (v text)");
        await pool.query("INSERT INTO rows VALUES ('one two')");
        own.process.kill("SIGKILL");
        await expect(pool.query("INSERT INTO terms VALUES ('one'); SELECT pg_sleep(5)")).rejects.toThrow();
        await pool.end().catch(() => {});
        await own.restart();
        const after = await own.pool("control");
        const { rows } = await after.query(
          "SELECT (SELECT count(*) FROM rows) AS r, (SELECT count(*) FROM terms) AS t",
        );
        expect(rows[0]).toEqual({ r: "1", t: "0" });
        await after.end();
      } finally {
        await own.stop();
      }
    },
    async guarded() {
      const own = await startPostgres();
      try {
        const pool = await own.pool("kept", { max: 4 });
        const memory = new Memory({ store: new PostgresMemoryStore({ pool }) });
        const answered: string[] = [];
        const writers = Array.from({ length: 3 }, async (_, writer) => {
          for (let batch = 0; batch < 200; batch++) {
            const name = `batch${writer}x${batch}`;
            const records = Array.from({ length: 10 }, (_, index) => ({ text: `heron ${name} part${index}` }));
            await memory.records.createMany(context, `m${writer}`, records);
            if (answered.push(name) === 12) own.process.kill("SIGKILL");
          }
        });
        const ends = await Promise.allSettled(writers);
        for (const end of ends) {
          expect(end).toMatchObject({ reason: { code: "MEMORY_BACKEND_FAILED", retryable: true } });
          expect(inspect(end, { depth: 10, showHidden: true })).not.toContain("heron");
        }
        await pool.end().catch(() => {});
        await own.restart();
        const after = await own.pool("kept", { max: 4 });
        const again = new Memory({ store: new PostgresMemoryStore({ pool: after }) });
        for (let writer = 0; writer < 3; writer++) {
          const { items } = await again.records.list(context, `m${writer}`, { limit: 1_000 });
          expect(items.length % 10).toBe(0);
          expect(await again.search(context, `m${writer}`, { text: "heron", topK: 1_000 })).toHaveLength(items.length);
          for (const name of answered.filter((each) => each.startsWith(`batch${writer}x`)))
            expect(await again.search(context, `m${writer}`, { text: name, topK: 100 })).toHaveLength(10);
        }
        await after.end();
      } finally {
        await own.stop();
      }
    },
  });
});

/** Whether the files of the tables hold a text; the write-ahead log is the operator's. */
const inTables = (host: string, text: string): boolean =>
  readdirSync(join(host, "data", "base"), { recursive: true, withFileTypes: true }).some(
    (file) => file.isFile() && readFileSync(join(file.parentPath, file.name)).includes(text),
  );
