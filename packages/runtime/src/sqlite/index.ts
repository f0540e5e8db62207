export type { Durability, SqliteDatabase, SqliteStatement, SqliteTransaction } from "./schema.ts";
export { SqliteCatalog, type SqliteCatalogDeps } from "./sqlite-catalog.ts";
export { SqliteSessionLog, type SqliteSessionLogDeps } from "./sqlite-session-log.ts";
export { SqliteWorkQueue, type SqliteWorkQueueDeps } from "./sqlite-work-queue.ts";
