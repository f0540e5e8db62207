import type { MeterProvider } from "@opentelemetry/api";
import type { BoundedQueue } from "./bounded-queue.ts";

/** The SDK's own names for what a span processor holds and drops, for each exporter's queue. */
export function observeQueues(provider: MeterProvider, queues: readonly BoundedQueue[]): void {
  const meter = provider.getMeter("ashlar.observability");
  const size = meter.createObservableUpDownCounter("otel.sdk.processor.span.queue.size", { unit: "{span}" });
  const processed = meter.createObservableCounter("otel.sdk.processor.span.processed", { unit: "{span}" });
  meter.addBatchObservableCallback(
    (result) => {
      for (const queue of queues) {
        const { name, queued, exported, dropped, refused } = queue.status();
        const attributes = { "otel.component.name": name };
        result.observe(size, queued, attributes);
        result.observe(processed, exported, attributes);
        result.observe(processed, dropped, { ...attributes, "error.type": "queue_full" });
        result.observe(processed, refused, { ...attributes, "error.type": "rejected" });
      }
    },
    [size, processed],
  );
}
