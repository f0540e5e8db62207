import { ContainerModule } from "inversify";
import { type ConsoleHandlerOptions, consoleHandler } from "../console/console-handler.ts";
import { InMemoryTraceStore } from "../in-memory/index.ts";
import { PriceTable, type PriceTableOptions } from "../price-table.ts";
import { PatternRedactor, type PatternRedactorOptions } from "../redaction/pattern-redactor.ts";
import { SqliteTraceStore } from "../sqlite/index.ts";
import { storeExporter } from "../telemetry/exporters.ts";
import { type ObservabilityOptions, startObservability } from "../telemetry/start-observability.ts";
import { optional, refuseRebind } from "./binding.ts";
import {
  CLOCK,
  CONSOLE,
  OBSERVABILITY,
  PERMISSIONS,
  PRICING,
  REDACTOR,
  SESSION_CONTROL,
  SESSION_READER,
  TRACE_DATABASE,
  TRACE_STORE,
} from "./tokens.ts";

export const inMemoryTraceStoreModule = (): ContainerModule =>
  new ContainerModule((options) => {
    refuseRebind(options, TRACE_STORE);
    options
      .bind(TRACE_STORE)
      .toResolvedValue(() => new InMemoryTraceStore())
      .inSingletonScope()
      .onDeactivation((store) => store.close());
  });

/** Needs `TRACE_DATABASE`, which its owner closes after this module is unloaded. */
export const sqliteTraceStoreModule = (): ContainerModule =>
  new ContainerModule((options) => {
    refuseRebind(options, TRACE_STORE);
    options
      .bind(TRACE_STORE)
      .toResolvedValue((database) => new SqliteTraceStore({ database }), [TRACE_DATABASE])
      .inSingletonScope()
      .onDeactivation((store) => store.close());
  });

/** Spans go to the bound `TRACE_STORE`, if there is one, and to the given exporters. Telemetry starts when `OBSERVABILITY` is first got; unload this module last but for the store's. */
export const observabilityModule = ({
  exporters = [],
  defaultTenant,
  ...options
}: Omit<ObservabilityOptions, "exporters"> & {
  readonly exporters?: ObservabilityOptions["exporters"];
  readonly defaultTenant?: string;
}): ContainerModule =>
  new ContainerModule((load) => {
    refuseRebind(load, OBSERVABILITY);
    load
      .bind(OBSERVABILITY)
      .toResolvedValue(
        (store, redactor) =>
          startObservability({
            ...(redactor === undefined ? {} : { redact: redactor }),
            ...options,
            exporters: [
              ...(store === undefined
                ? []
                : [storeExporter({ store, ...(defaultTenant === undefined ? {} : { defaultTenant }) })]),
              ...exporters,
            ],
          }),
        [optional(TRACE_STORE), optional(REDACTOR)],
      )
      .inSingletonScope()
      .onDeactivation((observability) => observability.close());
  });

export const pricingModule = (options: PriceTableOptions): ContainerModule =>
  new ContainerModule((load) => {
    refuseRebind(load, PRICING);
    load
      .bind(PRICING)
      .toResolvedValue(() => new PriceTable(options))
      .inSingletonScope();
  });

export const redactionModule = (options: PatternRedactorOptions = {}): ContainerModule =>
  new ContainerModule((load) => {
    refuseRebind(load, REDACTOR);
    load
      .bind(REDACTOR)
      .toResolvedValue(() => new PatternRedactor(options))
      .inSingletonScope();
  });

/** Needs `SESSION_READER`. Acts when `SESSION_CONTROL` and `PERMISSIONS` are bound; shows spans and cost when the store and the prices are. */
export const consoleModule = (
  options: Pick<ConsoleHandlerOptions, "authenticate" | "evaluations" | "path" | "liveEveryMs">,
): ContainerModule =>
  new ContainerModule((load) => {
    refuseRebind(load, CONSOLE);
    load
      .bind(CONSOLE)
      .toResolvedValue(
        (reader, control, permissions, traces, pricing, clock) =>
          consoleHandler({
            ...options,
            reader,
            ...(control === undefined ? {} : { control }),
            ...(permissions === undefined ? {} : { permissions }),
            ...(traces === undefined ? {} : { traces }),
            ...(pricing === undefined ? {} : { pricing }),
            ...(clock === undefined ? {} : { clock }),
          }),
        [
          SESSION_READER,
          optional(SESSION_CONTROL),
          optional(PERMISSIONS),
          optional(TRACE_STORE),
          optional(PRICING),
          optional(CLOCK),
        ],
      )
      .inSingletonScope();
  });
