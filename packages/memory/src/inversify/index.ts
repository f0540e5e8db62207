export {
  inMemoryMemoryModule,
  memoryModule,
  postgresMemoryModule,
  redisMemoryModule,
  sqliteMemoryModule,
} from "./modules.ts";
export {
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
