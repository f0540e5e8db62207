export { InMemoryAuditStore } from "./in-memory-audit-store.ts";
export { InMemoryIdentityStore, type InMemoryIdentityStoreDeps } from "./in-memory-identity-store.ts";
