import { ExportResultCode } from "@opentelemetry/core";
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-proto";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { type IMetricReader, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import type { ReadableSpan } from "@opentelemetry/sdk-trace";
import { printTraces } from "../printing/print-traces.ts";
import type { SpanRecord } from "../span-record.ts";
import type { TraceStore } from "../trace-store.ts";
import type { BoundedQueueOptions } from "./bounded-queue.ts";
import type { SpanSink } from "./span-sink.ts";
import { toSpanRecord } from "./to-span-record.ts";

/** One destination of telemetry: what `startObservability` takes in `exporters`. */
export interface TelemetryExporter {
  readonly spans?: SpanSink;
  readonly metrics?: IMetricReader;
  readonly queue?: BoundedQueueOptions;
}

export interface OtlpExporterOptions {
  /** Base address of an OTLP/HTTP receiver; `/v1/traces` and `/v1/metrics` are added. `http://127.0.0.1:4318` for example. */
  readonly endpoint: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** For one request with its retries. 10,000 when absent. */
  readonly timeoutMs?: number;
  /** Between two exports of metrics; `false` sends none. 60,000 when absent. */
  readonly metricsEveryMs?: number | false;
  readonly queue?: BoundedQueueOptions;
}

/** Protobuf over HTTP, by OpenTelemetry's own exporters. Use it with any collector. */
export function otlpExporter({
  endpoint,
  headers = {},
  timeoutMs = 10_000,
  metricsEveryMs = 60_000,
  queue,
}: OtlpExporterOptions): TelemetryExporter {
  const base = endpoint.replace(/\/+$/, "");
  const common = { headers: { ...headers }, timeoutMillis: timeoutMs };
  const exporter = new OTLPTraceExporter({ ...common, url: `${base}/v1/traces` });
  return {
    spans: {
      name: "otlp",
      export: (spans) =>
        new Promise((resolve, reject) => {
          exporter.export([...spans], ({ code, error }) => {
            if (code === ExportResultCode.SUCCESS) return resolve();
            const status = (error as { code?: unknown } | undefined)?.code;
            const refused = typeof status === "number" && status >= 400 && status < 500 && status !== 429;
            reject(Object.assign(new Error(error?.message ?? "the collector took nothing"), { retryable: !refused }));
          });
        }),
      close: () => exporter.shutdown(),
    },
    ...(metricsEveryMs === false
      ? {}
      : {
          metrics: new PeriodicExportingMetricReader({
            exporter: new OTLPMetricExporter({ ...common, url: `${base}/v1/metrics` }),
            exportIntervalMillis: metricsEveryMs,
            exportTimeoutMillis: Math.min(timeoutMs, metricsEveryMs),
          }),
        }),
    ...(queue === undefined ? {} : { queue }),
  };
}

export interface StoreExporterOptions {
  readonly store: TraceStore;
  /** For spans that carry no `ashlar.tenant`, nor any parent in this process that does. `default` when absent. */
  readonly defaultTenant?: string;
  /** `delayMs` is 20 when absent: what a process that is killed loses. */
  readonly queue?: BoundedQueueOptions;
}

/** Into a `TraceStore` of this process, spans that are still open too. The store is the caller's and stays open. */
export function storeExporter({ store, defaultTenant = "default", queue }: StoreExporterOptions): TelemetryExporter {
  return {
    spans: {
      name: "store",
      takesOpen: true,
      async export(spans) {
        for (const [tenant, records] of byTenant(spans, defaultTenant))
          await store.append({ principal: { tenant } }, records);
      },
      async close() {},
    },
    queue: { delayMs: 20, ...queue },
  };
}

function byTenant(spans: readonly ReadableSpan[], defaultTenant: string): Map<string, SpanRecord[]> {
  const tenants = new Map<string, SpanRecord[]>();
  for (const span of spans) {
    const named = span.attributes["ashlar.tenant"];
    const tenant = typeof named === "string" && named !== "" ? named : defaultTenant;
    const records = tenants.get(tenant);
    if (records === undefined) tenants.set(tenant, [toSpanRecord(span)]);
    else records.push(toSpanRecord(span));
  }
  return tenants;
}

export interface ConsoleExporterOptions {
  /** Receives whole lines, `(text) => process.stderr.write(text)` for example. */
  write(text: string): unknown;
  readonly colour?: boolean;
  readonly queue?: BoundedQueueOptions;
}

/** For people who watch a terminal: each batch of spans as trees. */
export function consoleExporter({ write, colour = false, queue }: ConsoleExporterOptions): TelemetryExporter {
  return {
    spans: {
      name: "console",
      async export(spans) {
        write(`${printTraces(spans.map(toSpanRecord), { colour })}\n`);
      },
      async close() {},
    },
    ...(queue === undefined ? {} : { queue }),
  };
}
