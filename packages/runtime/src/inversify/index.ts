export {
  inMemoryRuntimeModule,
  postgresRuntimeModule,
  type RuntimeModuleOptions,
  runtimeModule,
  sqliteRuntimeModule,
} from "./modules.ts";
export {
  AGENTS,
  CLOCK,
  IDS,
  LIVE_BUS,
  REDACTOR,
  RUNTIME,
  RUNTIME_DATABASE,
  RUNTIME_POSTGRES,
  SESSION_LOG,
  SESSION_RECORDS,
  SESSIONS,
  WORK_QUEUE,
} from "./tokens.ts";
