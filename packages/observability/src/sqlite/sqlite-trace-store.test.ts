import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { spanFixture } from "../testing/span-fixture.ts";
import { traceStoreConformance } from "../testing/trace-store-conformance.ts";
import { SqliteTraceStore } from "./sqlite-trace-store.ts";

traceStoreConformance({ test, createStore: () => new SqliteTraceStore({ database: new Database(":memory:") }) });

test("refuses a file that a later release wrote, and says so", () => {
  const database = new Database(":memory:");
  new SqliteTraceStore({ database });
  database.exec("UPDATE ashlar_schema SET version = 99");
  expect(() => new SqliteTraceStore({ database })).toThrow(/version 99; this release knows versions up to 1/);
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
