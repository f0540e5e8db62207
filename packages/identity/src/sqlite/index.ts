export type { SqliteDatabase } from "../internal/sqlite.ts";
export type { Durability } from "./connection.ts";
export { SqliteAuditStore, type SqliteAuditStoreDeps } from "./sqlite-audit-store.ts";
export { SqliteIdentityStore, type SqliteIdentityStoreDeps } from "./sqlite-identity-store.ts";
