import {
  context,
  type Meter,
  type MeterProvider as MeterProviderApi,
  metrics,
  propagation,
  type Tracer,
  type TracerProvider as TracerProviderApi,
  trace,
} from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { type IMetricReader, MeterProvider } from "@opentelemetry/sdk-metrics";
import {
  createAlwaysRecordSampler,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import type { Metadata, Redactor } from "../dialect.ts";
import { ObservabilityError } from "../errors.ts";
import { PatternRedactor } from "../redaction/pattern-redactor.ts";
import { BoundedQueue } from "./bounded-queue.ts";
import type { TelemetryExporter } from "./exporters.ts";
import { genAiMetricsFromSpans } from "./gen-ai-metrics.ts";
import { observeQueues } from "./queue-metrics.ts";
import { RecordingProcessor } from "./recording-processor.ts";
import type { SinkStatus } from "./span-sink.ts";

export interface ObservabilityOptions {
  /** `service.name`: which program this is. */
  readonly serviceName: string;
  readonly serviceVersion?: string;
  /** More attributes of the resource, `deployment.environment.name` for example. */
  readonly resource?: Metadata;
  readonly exporters: readonly TelemetryExporter[];
  /** Runs over every span before any exporter. A `PatternRedactor` when absent; `false` for none. */
  readonly redact?: Redactor | false;
  /** Whether prompts, answers, tool arguments and results are recorded. Off when absent. */
  readonly content?: boolean;
  /** Also writes the names that were current before (`gen_ai.system`, `gen_ai.usage.prompt_tokens`, …). Off when absent. */
  readonly olderNames?: boolean;
  /** The share of new traces that is exported, 0 to 1; traces that come from outside keep their caller's decision. 1 when absent. */
  readonly sample?: number;
  /** Makes this the process's own telemetry, which every package finds through `@opentelemetry/api`. On when absent. */
  readonly global?: boolean;
}

/** Running telemetry. Close it last: what others say while they close is then still recorded. */
export interface Observability {
  readonly tracerProvider: TracerProviderApi;
  readonly meterProvider: MeterProviderApi;
  tracer(name: string): Tracer;
  meter(name: string): Meter;
  /** What each exporter took, holds, and lost. */
  status(): readonly SinkStatus[];
  flush(): Promise<void>;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Sets telemetry up in one call. Errors: `OBSERVABILITY_INVALID` for a share outside 0 to 1, or when the process has telemetry already. */
export function startObservability(options: ObservabilityOptions): Observability {
  const {
    serviceName,
    serviceVersion,
    exporters,
    redact,
    content = false,
    olderNames = false,
    sample = 1,
    global = true,
  } = options;
  if (!(sample >= 0 && sample <= 1)) {
    throw new ObservabilityError("OBSERVABILITY_INVALID", `sample is a share from 0 to 1; this one is ${sample}.`);
  }
  const resource = resourceFromAttributes({
    ...options.resource,
    "service.name": serviceName,
    ...(serviceVersion === undefined ? {} : { "service.version": serviceVersion }),
  });
  const queues = exporters.flatMap(({ spans, queue }) => (spans === undefined ? [] : [new BoundedQueue(spans, queue)]));
  const readers = exporters.flatMap(({ metrics: reader }): IMetricReader[] => (reader === undefined ? [] : [reader]));
  const meterProvider = new MeterProvider({ resource, readers });
  const processor = new RecordingProcessor({
    queues,
    redactor: redact === false ? undefined : (redact ?? new PatternRedactor()),
    content,
    olderNames,
    onSpan: genAiMetricsFromSpans(meterProvider),
  });
  observeQueues(meterProvider, queues);
  const tracerProvider = new TracerProvider({
    resource,
    sampler: createAlwaysRecordSampler(new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(sample) })),
    spanProcessors: [processor],
  });
  const unregister = global ? register(tracerProvider, meterProvider) : () => {};
  const flush = async (): Promise<void> => {
    await Promise.all([tracerProvider.forceFlush(), meterProvider.forceFlush()]);
  };
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= (async () => {
      unregister();
      await Promise.allSettled([tracerProvider.shutdown(), meterProvider.shutdown()]);
    })();
    return closing;
  };
  return {
    tracerProvider,
    meterProvider,
    tracer: (name) => tracerProvider.getTracer(name),
    meter: (name) => meterProvider.getMeter(name),
    status: () => queues.map((queue) => queue.status()),
    flush,
    close,
    [Symbol.asyncDispose]: close,
  };
}

function register(tracerProvider: TracerProvider, meterProvider: MeterProvider): () => void {
  if (!trace.setGlobalTracerProvider(tracerProvider)) {
    throw new ObservabilityError(
      "OBSERVABILITY_INVALID",
      "This process has telemetry already: close it first, or pass global: false and use the providers yourself.",
    );
  }
  metrics.setGlobalMeterProvider(meterProvider);
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  return () => {
    trace.disable();
    metrics.disable();
    context.disable();
    propagation.disable();
  };
}
