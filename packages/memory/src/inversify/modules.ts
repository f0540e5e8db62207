import { ContainerModule } from "inversify";
import { InMemoryMemoryStore } from "../in-memory/index.ts";
import { Memory } from "../memory.ts";
import type { MemoryStore } from "../memory-store.ts";
import { PostgresMemoryStore } from "../postgres/index.ts";
import { RedisMemoryStore } from "../redis/index.ts";
import { SqliteMemoryStore } from "../sqlite/index.ts";
import { optional, refuseRebind } from "./binding.ts";
import {
  CLOCK,
  IDS,
  MEMORY,
  MEMORY_DATABASE,
  MEMORY_EMBEDDER,
  MEMORY_POSTGRES,
  MEMORY_RANKING,
  MEMORY_REDIS,
  MEMORY_REFLECTOR,
  MEMORY_STORE,
  MEMORY_STRATEGIES,
} from "./tokens.ts";

const close = (store: MemoryStore): Promise<void> => store.close();

/** The service. Load one of the stores beside it. */
export const memoryModule = (): ContainerModule =>
  new ContainerModule((options) => {
    refuseRebind(options, MEMORY);
    options
      .bind(MEMORY)
      .toResolvedValue(
        (store, clock, ids, ranking, strategies, embedder, reflector) =>
          new Memory({
            store,
            ...(clock === undefined ? {} : { clock }),
            ...(ids === undefined ? {} : { ids }),
            ...(ranking === undefined ? {} : { ranking }),
            ...(strategies === undefined ? {} : { strategies }),
            ...(embedder === undefined ? {} : { embedder }),
            ...(reflector === undefined ? {} : { reflector }),
          }),
        [
          MEMORY_STORE,
          optional(CLOCK),
          optional(IDS),
          optional(MEMORY_RANKING),
          optional(MEMORY_STRATEGIES),
          optional(MEMORY_EMBEDDER),
          optional(MEMORY_REFLECTOR),
        ],
      )
      .inSingletonScope();
  });

/** Forgets everything when the process ends. */
export const inMemoryMemoryModule = (): ContainerModule =>
  new ContainerModule((options) => {
    refuseRebind(options, MEMORY_STORE);
    options
      .bind(MEMORY_STORE)
      .toResolvedValue(() => new InMemoryMemoryStore(), [])
      .inSingletonScope()
      .onDeactivation(close);
  });

/** Needs `MEMORY_DATABASE`. */
export const sqliteMemoryModule = (): ContainerModule =>
  new ContainerModule((options) => {
    refuseRebind(options, MEMORY_STORE);
    options
      .bind(MEMORY_STORE)
      .toResolvedValue((database) => new SqliteMemoryStore({ database }), [MEMORY_DATABASE])
      .inSingletonScope()
      .onDeactivation(close);
  });

/** Needs `MEMORY_REDIS`. */
export const redisMemoryModule = (): ContainerModule =>
  new ContainerModule((options) => {
    refuseRebind(options, MEMORY_STORE);
    options
      .bind(MEMORY_STORE)
      .toResolvedValue((client) => new RedisMemoryStore({ client }), [MEMORY_REDIS])
      .inSingletonScope()
      .onDeactivation(close);
  });

/** Needs `MEMORY_POSTGRES`. */
export const postgresMemoryModule = (): ContainerModule =>
  new ContainerModule((options) => {
    refuseRebind(options, MEMORY_STORE);
    options
      .bind(MEMORY_STORE)
      .toResolvedValue((pool) => new PostgresMemoryStore({ pool }), [MEMORY_POSTGRES])
      .inSingletonScope()
      .onDeactivation(close);
  });
