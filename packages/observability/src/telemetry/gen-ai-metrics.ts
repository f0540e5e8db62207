import {
  type Attributes,
  type Histogram,
  type HrTime,
  type MeterProvider,
  SpanKind,
  SpanStatusCode,
} from "@opentelemetry/api";
import type { ReadableSpan } from "@opentelemetry/sdk-trace";
import { GEN_AI_SCHEMA_URL } from "../conventions/gen-ai-model.ts";
import { type DerivedMetric, derivedMetrics } from "../conventions/metrics-model.ts";
import { isInference } from "../internal/span-facts.ts";

/** Bucket boundaries that the conventions ask for. */
const durations = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
const tokens = Array.from({ length: 14 }, (_, power) => 4 ** power);

const common = [
  "gen_ai.operation.name",
  "gen_ai.provider.name",
  "gen_ai.request.model",
  "gen_ai.response.model",
  "server.address",
  "server.port",
];

/** Records the GenAI metrics of every finished span, exported or sampled out, so that a package need only make spans. */
export function genAiMetricsFromSpans(provider: MeterProvider): (span: ReadableSpan) => void {
  const meter = provider.getMeter("ashlar.observability", undefined, { schemaUrl: GEN_AI_SCHEMA_URL });
  const histogram = (name: DerivedMetric, explicitBucketBoundaries: number[]): Histogram =>
    meter.createHistogram(name, { unit: derivedMetrics[name].unit, advice: { explicitBucketBoundaries } });
  const usage = histogram("gen_ai.client.token.usage", tokens);
  const call = histogram("gen_ai.client.operation.duration", durations);
  const agent = histogram("gen_ai.invoke_agent.duration", durations);
  const tool = histogram("gen_ai.execute_tool.duration", durations);
  const asked = histogram("mcp.client.operation.duration", durations);
  const served = histogram("mcp.server.operation.duration", durations);
  const cached = meter.createCounter("ashlar.client.cache_read.tokens", { unit: "{token}" });
  return (span) => {
    const seconds = toSeconds(span.duration);
    const method = span.attributes["mcp.method.name"];
    if (typeof method === "string")
      (span.kind === SpanKind.SERVER ? served : asked).record(
        seconds,
        pick(span, ["mcp.method.name", "gen_ai.tool.name", "error.type"]),
      );
    const operation = span.attributes["gen_ai.operation.name"];
    if (typeof operation !== "string") return;
    if (isInference(operation)) {
      call.record(seconds, pick(span, [...common, "error.type"]));
      const labels = pick(span, common);
      // The convention requires a provider on token counts: without one they would not add up by provider.
      labels["gen_ai.provider.name"] ??= "_OTHER";
      for (const type of ["input", "output"] as const) {
        const count = span.attributes[`gen_ai.usage.${type}_tokens`];
        if (typeof count === "number") usage.record(count, { ...labels, "gen_ai.token.type": type });
      }
      const read = span.attributes["gen_ai.usage.cache_read.input_tokens"];
      if (typeof read === "number" && read > 0) cached.add(read, labels);
    } else if (operation === "invoke_agent" || operation === "invoke_workflow")
      agent.record(seconds, pick(span, ["gen_ai.operation.name", "gen_ai.agent.name", "error.type"]));
    else if (operation === "execute_tool")
      tool.record(seconds, pick(span, ["gen_ai.tool.name", "gen_ai.tool.type", "error.type"]));
  };
}

function pick({ attributes, status }: ReadableSpan, names: readonly string[]): Attributes {
  const picked: Attributes = {};
  for (const name of names) if (attributes[name] !== undefined) picked[name] = attributes[name];
  if (names.includes("error.type") && status.code === SpanStatusCode.ERROR) picked["error.type"] ??= "_OTHER";
  return picked;
}

const toSeconds = ([seconds, nanoseconds]: HrTime): number => seconds + nanoseconds / 1e9;
