export type { SqliteDatabase, SqliteStatement, SqliteTransaction } from "../internal/sqlite.ts";
export type { Durability } from "./connection.ts";
export { SqliteCatalog, type SqliteCatalogDeps } from "./sqlite-catalog.ts";
export { SqliteSessionLog, type SqliteSessionLogDeps } from "./sqlite-session-log.ts";
export { SqliteWorkQueue, type SqliteWorkQueueDeps } from "./sqlite-work-queue.ts";
