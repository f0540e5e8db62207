export { PostgresBlobStore, type PostgresBlobStoreDeps } from "./postgres-blob-store.ts";
export { PostgresCatalog, type PostgresCatalogDeps } from "./postgres-catalog.ts";
export type {
  PostgresClient,
  PostgresNotification,
  PostgresPool,
  PostgresQuery,
  PostgresResult,
} from "./postgres-client.ts";
export { PostgresLiveBus, type PostgresLiveBusDeps } from "./postgres-live-bus.ts";
export { PostgresSessionLog, type PostgresSessionLogDeps } from "./postgres-session-log.ts";
export { PostgresWorkQueue, type PostgresWorkQueueDeps } from "./postgres-work-queue.ts";
export { checkPostgres } from "./server-check.ts";
