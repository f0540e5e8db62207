import type { ServiceIdentifier } from "inversify";
import type { Redactor } from "../dialect.ts";
import type { SqliteDatabase } from "../internal/sqlite.ts";
import type { Permissions } from "../permissions.ts";
import type { Pricing } from "../pricing.ts";
import type { SessionControl } from "../session-control.ts";
import type { SessionReader } from "../session-reader.ts";
import type { Observability } from "../telemetry/start-observability.ts";
import type { TraceStore } from "../trace-store.ts";
import { token } from "./binding.ts";

export { CLOCK, IDS } from "./binding.ts";

export const TRACE_STORE: ServiceIdentifier<TraceStore> = token("@ashlar/observability:TraceStore");
export const TRACE_DATABASE: ServiceIdentifier<SqliteDatabase> = token("@ashlar/observability:TraceDatabase");
export const OBSERVABILITY: ServiceIdentifier<Observability> = token("@ashlar/observability:Observability");
export const PRICING: ServiceIdentifier<Pricing> = token("@ashlar/observability:Pricing");
export const REDACTOR: ServiceIdentifier<Redactor> = token("@ashlar/observability:Redactor");
export const SESSION_READER: ServiceIdentifier<SessionReader> = token("@ashlar/observability:SessionReader");
export const SESSION_CONTROL: ServiceIdentifier<SessionControl> = token("@ashlar/observability:SessionControl");
export const PERMISSIONS: ServiceIdentifier<Permissions> = token("@ashlar/observability:Permissions");
/** The console as a fetch handler. */
export const CONSOLE: ServiceIdentifier<(request: Request) => Promise<Response>> = token(
  "@ashlar/observability:Console",
);
