import Database from "better-sqlite3";
import { test } from "vitest";
import { sessionLogEquivalence, workQueueEquivalence } from "../testing/fixtures/equivalence.ts";
import { catalogConformance, sessionLogConformance, workQueueConformance } from "../testing/index.ts";
import { SqliteCatalog, SqliteSessionLog, SqliteWorkQueue } from "./index.ts";

sessionLogConformance({
  test,
  createLog: (deps) => new SqliteSessionLog({ database: new Database(":memory:"), ...deps }),
});
workQueueConformance({
  test,
  createQueue: (deps) => new SqliteWorkQueue({ database: new Database(":memory:"), ...deps }),
});
catalogConformance({ test, createCatalog: () => new SqliteCatalog({ database: new Database(":memory:") }) });

test("whatever two owners do to a session log, SQLite answers as the log in memory, and the laws hold", () =>
  sessionLogEquivalence((deps) => new SqliteSessionLog({ database: new Database(":memory:"), ...deps })));

test("whatever two workers do to a work queue, SQLite answers as the queue in memory, and no job is lost", () =>
  workQueueEquivalence((deps) => new SqliteWorkQueue({ database: new Database(":memory:"), ...deps })));
