export type { SqliteDatabase, SqliteStatement, SqliteTransaction } from "../internal/sqlite.ts";
export { SqliteTraceStore, type SqliteTraceStoreDeps } from "./sqlite-trace-store.ts";
