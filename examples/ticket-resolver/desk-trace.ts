import { join } from "node:path";
import { startObservability, storeExporter } from "@ashlar/observability";
import { SqliteTraceStore } from "@ashlar/observability/sqlite";
import Database from "better-sqlite3";
import { TENANT, type WorkerConfig } from "./config.ts";

/** The desk traces what it asks for, so that the ticket reads as one story from there to the sandbox. */
export async function tracedByDesk<T>({ data }: WorkerConfig, ticket: string, body: () => Promise<T>): Promise<T> {
  const database = new Database(join(data, "traces.db"));
  const store = new SqliteTraceStore({ database });
  const telemetry = startObservability({
    serviceName: "support-desk",
    exporters: [storeExporter({ store, defaultTenant: TENANT })],
  });
  try {
    return await telemetry.tracer("support-desk").startActiveSpan(`ticket ${ticket}`, async (span) => {
      try {
        return await body();
      } finally {
        span.end();
      }
    });
  } finally {
    await telemetry.close();
    database.close();
  }
}
