import type { ServiceIdentifier } from "inversify";
import type { Agent } from "../agent.ts";
import type { AgentSource } from "../agent-source.ts";
import type { BlobStore } from "../blob-store.ts";
import type { Catalog } from "../catalog.ts";
import type { Redactor } from "../dialect.ts";
import type { SqliteDatabase } from "../internal/sqlite.ts";
import type { LiveBus } from "../live-bus.ts";
import type { OutsideWork } from "../outside-work.ts";
import type { PostgresPool } from "../postgres/index.ts";
import type { RedisClient, RedisSubscriber } from "../redis/index.ts";
import type { Runtime } from "../runtime.ts";
import type { SessionLog } from "../session-log.ts";
import type { SessionRecords } from "../session-records.ts";
import type { Sessions } from "../sessions.ts";
import type { WorkQueue } from "../work-queue.ts";
import { token } from "./binding.ts";

export { CLOCK, IDS } from "./binding.ts";

export const RUNTIME: ServiceIdentifier<Runtime> = token("@ashlar/runtime:Runtime");
export const SESSIONS: ServiceIdentifier<Sessions> = token("@ashlar/runtime:Sessions");
export const SESSION_RECORDS: ServiceIdentifier<SessionRecords> = token("@ashlar/runtime:SessionRecords");
export const SESSION_LOG: ServiceIdentifier<SessionLog> = token("@ashlar/runtime:SessionLog");
export const WORK_QUEUE: ServiceIdentifier<WorkQueue> = token("@ashlar/runtime:WorkQueue");
/** Optional: within this process when unbound. */
export const LIVE_BUS: ServiceIdentifier<LiveBus> = token("@ashlar/runtime:LiveBus");
/** Optional: runs over every event before it is appended. */
export const REDACTOR: ServiceIdentifier<Redactor> = token("@ashlar/runtime:Redactor");
/** Optional: agents that can be changed while this runs, an `AgentCatalog`. */
export const AGENT_SOURCE: ServiceIdentifier<AgentSource> = token("@ashlar/runtime:AgentSource");
/** For outside workers: the runtime's `work`. */
export const OUTSIDE_WORK: ServiceIdentifier<OutsideWork> = token("@ashlar/runtime:OutsideWork");
/** Optional: large bodies lie here instead of in the log. */
export const BLOB_STORE: ServiceIdentifier<BlobStore> = token("@ashlar/runtime:BlobStore");
/** Of every engine: versioned documents, for an `AgentCatalog`. */
export const CATALOG: ServiceIdentifier<Catalog> = token("@ashlar/runtime:Catalog");
/** Optional: the agents that this process runs; more can be defined later. */
export const AGENTS: ServiceIdentifier<readonly Agent[]> = token("@ashlar/runtime:Agents");
/** A better-sqlite3 `Database`, bound by the root, which also closes it. */
export const RUNTIME_DATABASE: ServiceIdentifier<SqliteDatabase> = token("@ashlar/runtime:Database");
/** A `Pool` of pg, bound by the root, which also ends it. */
export const RUNTIME_POSTGRES: ServiceIdentifier<PostgresPool> = token("@ashlar/runtime:Postgres");
/** An ioredis `Redis` or `Cluster`, bound by the root, which also disconnects it. */
export const RUNTIME_REDIS: ServiceIdentifier<RedisClient> = token("@ashlar/runtime:Redis");
/** A second connection of the same, which only listens: `client.duplicate()`. */
export const RUNTIME_REDIS_SUBSCRIBER: ServiceIdentifier<RedisSubscriber> = token("@ashlar/runtime:RedisSubscriber");
