import Database from "better-sqlite3";
import { test } from "vitest";
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
