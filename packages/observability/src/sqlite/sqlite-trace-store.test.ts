import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { hostile } from "../../../../test/support/hostile.ts";
import { migrate } from "../internal/sqlite.ts";
import { spanFixture } from "../testing/span-fixture.ts";
import { traceStoreConformance } from "../testing/trace-store-conformance.ts";
import { traceSchema } from "./schema.ts";
import { toParameters } from "./span-row.ts";
import { SqliteTraceStore } from "./sqlite-trace-store.ts";

traceStoreConformance({ test, createStore: () => new SqliteTraceStore({ database: new Database(":memory:") }) });

hostile("a store from a newer version", {
  control: "the file itself takes writes of whoever does not look at its version",
  unguarded() {
    const database = new Database(":memory:");
    new SqliteTraceStore({ database });
    database.exec("UPDATE ashlar_schema SET version = 99");
    expect(() => database.exec("DELETE FROM ashlar_spans")).not.toThrow();
  },
  guarded() {
    const database = new Database(":memory:");
    new SqliteTraceStore({ database });
    database.exec("UPDATE ashlar_schema SET version = 99");
    expect(() => new SqliteTraceStore({ database })).toThrow(/version 99; this release knows versions up to 2/);
  },
});

test("a store of the first version is brought to this one with what it holds", async () => {
  const database = new Database(":memory:");
  migrate(database, { ...traceSchema, steps: traceSchema.steps.slice(0, 1) });
  const columns = toParameters("acme", spanFixture()).slice(0, 23);
  database.prepare(`INSERT INTO ashlar_spans VALUES (${columns.map(() => "?").join(", ")})`).run(...columns);
  const store = new SqliteTraceStore({ database });
  const { traceId } = spanFixture();
  expect(await store.trace({ principal: { tenant: "acme" } }, traceId)).toEqual([spanFixture()]);
});

test("a driver's error comes with its code and as cause, as retryable", async () => {
  const database = new Database(":memory:");
  const store = new SqliteTraceStore({ database });
  database.close();
  const failed = await store
    .append({ principal: { tenant: "acme" } }, [spanFixture()])
    .catch((error: unknown) => error);
  expect(failed).toMatchObject({ code: "OBSERVABILITY_BACKEND_FAILED", retryable: true });
});
