export {
  consoleModule,
  inMemoryTraceStoreModule,
  observabilityModule,
  pricingModule,
  redactionModule,
  sqliteTraceStoreModule,
} from "./modules.ts";
export {
  CLOCK,
  CONSOLE,
  IDS,
  OBSERVABILITY,
  PERMISSIONS,
  PRICING,
  REDACTOR,
  SESSION_CONTROL,
  SESSION_READER,
  TRACE_DATABASE,
  TRACE_STORE,
} from "./tokens.ts";
