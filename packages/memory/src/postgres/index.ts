export type { PostgresClient, PostgresPool, PostgresQuery, PostgresResult } from "./postgres-client.ts";
export { PostgresMemoryStore, type PostgresMemoryStoreDeps } from "./postgres-memory-store.ts";
