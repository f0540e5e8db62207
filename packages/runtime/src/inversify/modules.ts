import { ContainerModule } from "inversify";
import { BlobSessionLog } from "../blobs/index.ts";
import { InMemoryCatalog, InMemorySessionLog, InMemoryWorkQueue } from "../in-memory/index.ts";
import {
  PostgresBlobStore,
  PostgresCatalog,
  PostgresLiveBus,
  PostgresSessionLog,
  PostgresWorkQueue,
} from "../postgres/index.ts";
import {
  RedisCatalog,
  RedisLiveBus,
  RedisSessionLog,
  type RedisSessionLogDeps,
  RedisWorkQueue,
  type RedisWorkQueueDeps,
} from "../redis/index.ts";
import { Runtime, type RuntimeDeps } from "../runtime.ts";
import { SqliteCatalog, SqliteSessionLog, SqliteWorkQueue } from "../sqlite/index.ts";
import { optional, refuseRebind } from "./binding.ts";
import {
  AGENT_SOURCE,
  AGENTS,
  BLOB_STORE,
  CATALOG,
  CLOCK,
  IDS,
  LIVE_BUS,
  OUTSIDE_WORK,
  REDACTOR,
  RUNTIME,
  RUNTIME_DATABASE,
  RUNTIME_POSTGRES,
  RUNTIME_REDIS,
  RUNTIME_REDIS_SUBSCRIBER,
  SESSION_LOG,
  SESSION_RECORDS,
  SESSIONS,
  WORK_QUEUE,
} from "./tokens.ts";

export type RuntimeModuleOptions = Pick<
  RuntimeDeps,
  "labels" | "admission" | "concurrency" | "leaseMs" | "sweepMs" | "maxCrashes" | "onError"
>;

export type RedisRuntimeModuleOptions = Pick<RedisSessionLogDeps, "prefix" | "partitions" | "durability" | "archive"> &
  Pick<RedisWorkQueueDeps, "shards">;

const close = (store: { close(): Promise<void> }): Promise<void> => store.close();

/** The service. Load one of the engines beside it, and unload this module first. */
export const runtimeModule = (options: RuntimeModuleOptions = {}): ContainerModule =>
  new ContainerModule((load) => {
    refuseRebind(load, RUNTIME, SESSIONS, SESSION_RECORDS, OUTSIDE_WORK);
    load
      .bind(RUNTIME)
      .toResolvedValue(
        (log, queue, live, redactor, agents, agentSource, blobs, clock, ids) =>
          new Runtime({
            ...options,
            log: blobs === undefined ? log : new BlobSessionLog({ log, blobs }),
            queue,
            ...(live === undefined ? {} : { live }),
            ...(redactor === undefined ? {} : { redactor }),
            ...(agents === undefined ? {} : { agents }),
            ...(agentSource === undefined ? {} : { agentSource }),
            ...(clock === undefined ? {} : { clock }),
            ...(ids === undefined ? {} : { ids }),
          }),
        [
          SESSION_LOG,
          WORK_QUEUE,
          optional(LIVE_BUS),
          optional(REDACTOR),
          optional(AGENTS),
          optional(AGENT_SOURCE),
          optional(BLOB_STORE),
          optional(CLOCK),
          optional(IDS),
        ],
      )
      .inSingletonScope()
      .onDeactivation(close);
    load.bind(SESSIONS).toResolvedValue((runtime) => runtime.sessions, [RUNTIME]);
    load.bind(OUTSIDE_WORK).toResolvedValue((runtime) => runtime.work, [RUNTIME]);
    load.bind(SESSION_RECORDS).toResolvedValue((runtime) => runtime.records, [RUNTIME]);
  });

/** Forgets everything when the process ends. */
export const inMemoryRuntimeModule = (): ContainerModule =>
  new ContainerModule((options) => {
    refuseRebind(options, SESSION_LOG, WORK_QUEUE, CATALOG);
    options
      .bind(CATALOG)
      .toResolvedValue(() => new InMemoryCatalog())
      .inSingletonScope();
    options
      .bind(SESSION_LOG)
      .toResolvedValue((clock) => new InMemorySessionLog(clock === undefined ? {} : { clock }), [optional(CLOCK)])
      .inSingletonScope()
      .onDeactivation(close);
    options
      .bind(WORK_QUEUE)
      .toResolvedValue((clock) => new InMemoryWorkQueue(clock === undefined ? {} : { clock }), [optional(CLOCK)])
      .inSingletonScope()
      .onDeactivation(close);
  });

/** Needs `RUNTIME_DATABASE`; log and queue share the file. */
export const sqliteRuntimeModule = (): ContainerModule =>
  new ContainerModule((options) => {
    refuseRebind(options, SESSION_LOG, WORK_QUEUE, CATALOG);
    options
      .bind(CATALOG)
      .toResolvedValue((database) => new SqliteCatalog({ database }), [RUNTIME_DATABASE])
      .inSingletonScope();
    options
      .bind(SESSION_LOG)
      .toResolvedValue(
        (database, clock) => new SqliteSessionLog({ database, ...(clock === undefined ? {} : { clock }) }),
        [RUNTIME_DATABASE, optional(CLOCK)],
      )
      .inSingletonScope()
      .onDeactivation(close);
    options
      .bind(WORK_QUEUE)
      .toResolvedValue(
        (database, clock) => new SqliteWorkQueue({ database, ...(clock === undefined ? {} : { clock }) }),
        [RUNTIME_DATABASE, optional(CLOCK)],
      )
      .inSingletonScope()
      .onDeactivation(close);
  });

/**
 * Needs `RUNTIME_POSTGRES`; log, queue, live bus and catalog share the database, which keeps the time. With `blobs`, large
 * bodies lie there too.
 */
export const postgresRuntimeModule = ({ blobs = false }: { readonly blobs?: boolean } = {}): ContainerModule =>
  new ContainerModule((options) => {
    refuseRebind(options, SESSION_LOG, WORK_QUEUE, LIVE_BUS, CATALOG);
    options
      .bind(CATALOG)
      .toResolvedValue((pool) => new PostgresCatalog({ pool }), [RUNTIME_POSTGRES])
      .inSingletonScope();
    if (blobs) {
      refuseRebind(options, BLOB_STORE);
      options
        .bind(BLOB_STORE)
        .toResolvedValue((pool) => new PostgresBlobStore({ pool }), [RUNTIME_POSTGRES])
        .inSingletonScope();
    }
    options
      .bind(SESSION_LOG)
      .toResolvedValue((pool) => new PostgresSessionLog({ pool }), [RUNTIME_POSTGRES])
      .inSingletonScope()
      .onDeactivation(close);
    options
      .bind(WORK_QUEUE)
      .toResolvedValue((pool) => new PostgresWorkQueue({ pool }), [RUNTIME_POSTGRES])
      .inSingletonScope()
      .onDeactivation(close);
    options
      .bind(LIVE_BUS)
      .toResolvedValue((pool) => new PostgresLiveBus({ pool }), [RUNTIME_POSTGRES])
      .inSingletonScope()
      .onDeactivation(close);
  });

/** Needs `RUNTIME_REDIS` and `RUNTIME_REDIS_SUBSCRIBER`; log, queue and live bus share the server, which keeps the time. */
export const redisRuntimeModule = (given: RedisRuntimeModuleOptions = {}): ContainerModule =>
  new ContainerModule((options) => {
    refuseRebind(options, SESSION_LOG, WORK_QUEUE, LIVE_BUS, CATALOG);
    options
      .bind(CATALOG)
      .toResolvedValue((client) => new RedisCatalog({ ...given, client }), [RUNTIME_REDIS])
      .inSingletonScope();
    options
      .bind(SESSION_LOG)
      .toResolvedValue((client) => new RedisSessionLog({ ...given, client }), [RUNTIME_REDIS])
      .inSingletonScope()
      .onDeactivation(close);
    const both = [RUNTIME_REDIS, RUNTIME_REDIS_SUBSCRIBER] as const;
    options
      .bind(WORK_QUEUE)
      .toResolvedValue((client, subscriber) => new RedisWorkQueue({ ...given, client, subscriber }), [...both])
      .inSingletonScope()
      .onDeactivation(close);
    options
      .bind(LIVE_BUS)
      .toResolvedValue((client, subscriber) => new RedisLiveBus({ ...given, client, subscriber }), [...both])
      .inSingletonScope()
      .onDeactivation(close);
  });
