export { SqliteMemoryStore, type SqliteMemoryStoreDeps } from "./sqlite-memory-store.ts";
