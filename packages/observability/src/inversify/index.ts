export {
  inMemoryTraceStoreModule,
  observabilityModule,
  pricingModule,
  redactionModule,
  sqliteTraceStoreModule,
} from "./modules.ts";
export {
  CLOCK,
  IDS,
  OBSERVABILITY,
  PRICING,
  REDACTOR,
  SESSION_CONTROL,
  SESSION_READER,
  TRACE_DATABASE,
  TRACE_STORE,
} from "./tokens.ts";
