export { inMemoryRuntimeModule, type RuntimeModuleOptions, runtimeModule, sqliteRuntimeModule } from "./modules.ts";
export {
  AGENTS,
  CLOCK,
  IDS,
  LIVE_BUS,
  REDACTOR,
  RUNTIME,
  RUNTIME_DATABASE,
  SESSION_LOG,
  SESSION_RECORDS,
  SESSIONS,
  WORK_QUEUE,
} from "./tokens.ts";
