import { PrometheusSerializer } from "@opentelemetry/exporter-prometheus";
import { MetricReader } from "@opentelemetry/sdk-metrics";
import type { TelemetryExporter } from "./exporters.ts";

export interface PrometheusEndpoint extends TelemetryExporter {
  /** Answers a scrape. Mount it where only Prometheus reaches it: labels name agents, tools and models. */
  readonly handler: (request: Request) => Promise<Response>;
}

class PullReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

/** Metrics in Prometheus' text format, for any server that speaks `Request` and `Response`. */
export function prometheusExporter(): PrometheusEndpoint {
  const reader = new PullReader();
  const serializer = new PrometheusSerializer();
  return {
    metrics: reader,
    async handler({ method }) {
      if (method !== "GET") return new Response("Use GET.", { status: 405, headers: { allow: "GET" } });
      const { resourceMetrics } = await reader.collect();
      return new Response(serializer.serialize(resourceMetrics), {
        headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" },
      });
    },
  };
}
