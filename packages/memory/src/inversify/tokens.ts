import type { ServiceIdentifier } from "inversify";
import type { Embedder } from "../embedder.ts";
import type { Strategy } from "../extractor.ts";
import type { SqliteDatabase } from "../internal/sqlite.ts";
import type { Memory } from "../memory.ts";
import type { MemoryStore } from "../memory-store.ts";
import type { PostgresPool } from "../postgres/index.ts";
import type { Ranking } from "../ranking.ts";
import type { RedisClient } from "../redis/index.ts";
import type { Reflector } from "../reflector.ts";
import { token } from "./binding.ts";

export { CLOCK, IDS } from "./binding.ts";

export const MEMORY: ServiceIdentifier<Memory> = token("@ashlar/memory:Memory");
export const MEMORY_STORE: ServiceIdentifier<MemoryStore> = token("@ashlar/memory:MemoryStore");
/** Optional: parts of the ranking to change. */
export const MEMORY_RANKING: ServiceIdentifier<Partial<Ranking>> = token("@ashlar/memory:Ranking");
/** Optional: how records are drawn from events. */
export const MEMORY_STRATEGIES: ServiceIdentifier<readonly Strategy[]> = token("@ashlar/memory:Strategies");
/** Optional: finds what reflections propose. */
export const MEMORY_REFLECTOR: ServiceIdentifier<Reflector> = token("@ashlar/memory:Reflector");
/** Optional: takes part in the ranking by vectors. */
export const MEMORY_EMBEDDER: ServiceIdentifier<Embedder> = token("@ashlar/memory:Embedder");
/** A better-sqlite3 `Database`, bound by the root, which also closes it. */
export const MEMORY_DATABASE: ServiceIdentifier<SqliteDatabase> = token("@ashlar/memory:Database");
/** An ioredis `Redis` or `Cluster`, bound by the root, which also closes it. */
export const MEMORY_REDIS: ServiceIdentifier<RedisClient> = token("@ashlar/memory:Redis");
/** A `Pool` of pg, bound by the root, which also closes it. */
export const MEMORY_POSTGRES: ServiceIdentifier<PostgresPool> = token("@ashlar/memory:Postgres");
