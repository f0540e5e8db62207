/**
 * A span with eight attributes through `startObservability` against the plain SDK with its batch processor, both into a
 * sink that only counts; and the redaction of 2 KB of ordinary text.
 */
import { createRequire } from "node:module";
import { type Observability, PatternRedactor, startObservability } from "@ashlar/observability";
import { interleaved, report, round } from "../support/measure.ts";

/** The very SDK that the package runs on. */
const { BatchSpanProcessor, TracerProvider } = createRequire(import.meta.resolve("@ashlar/observability/package.json"))(
  "@opentelemetry/sdk-trace",
);
type Tracer = ReturnType<Observability["tracer"]>;

const SPANS = 20_000;
const ROUNDS = 25;

let counted = 0;
const exporter = {
  export(spans: readonly unknown[], done: (result: { code: number }) => void) {
    counted += spans.length;
    done({ code: 0 });
  },
  shutdown: async () => {},
};
const plain = new TracerProvider({
  spanProcessors: [
    new BatchSpanProcessor({ exporter, maxQueueSize: 2 * SPANS, maxExportBatchSize: 256, scheduledDelayMillis: 500 }),
  ],
});
let taken = 0;
const observability = startObservability({
  serviceName: "benchmark",
  global: false,
  exporters: [
    {
      spans: {
        name: "counting",
        async export(spans) {
          taken += spans.length;
        },
        async close() {},
      },
      queue: { maxQueue: 2 * SPANS },
    },
  ],
});

function spans(tracer: Tracer): void {
  for (let index = 0; index < SPANS; index++) {
    tracer
      .startSpan("ticket lookup", {
        attributes: {
          "http.request.method": "POST",
          "server.address": "tickets.internal",
          "server.port": 8443,
          "url.path": "/mcp",
          "ashlar.session.turn": index % 50,
          "ashlar.step": "lookup",
          "session.id": "ses_0197f3aa0000700080000000000000aa",
          "http.response.status_code": 200,
        },
      })
      .end();
  }
}

/** Microseconds a span, its way to the sink included. */
async function timed(tracer: Tracer, flush: () => Promise<void>): Promise<number> {
  const start = performance.now();
  spans(tracer);
  await flush();
  return ((performance.now() - start) * 1000) / SPANS;
}

const text =
  "The customer reports a duplicate charge on ticket T-9421: 2 x 49.00 EUR, see https://tickets.example/T-9421?page=1 - please refund one. "
    .repeat(20)
    .slice(0, 2048);
const redactor = new PatternRedactor();
const REDACTIONS = 2000;

const own = observability.tracer("benchmark");
const theirs = plain.getTracer("benchmark");
for (let warm = 0; warm < 5; warm++) {
  await timed(theirs, () => plain.forceFlush());
  await timed(own, () => observability.flush());
}
const results = await interleaved(ROUNDS, {
  sdk: () => timed(theirs, () => plain.forceFlush()),
  ashlar: () => timed(own, () => observability.flush()),
  redact: async () => {
    const start = performance.now();
    for (let index = 0; index < REDACTIONS; index++) redactor.redact(`${text}${index}`);
    return ((performance.now() - start) * 1000) / REDACTIONS;
  },
});
await observability.close();
await plain.shutdown();
if (counted !== SPANS * (ROUNDS + 5) || taken !== counted)
  throw new Error(`spans were lost: sdk ${counted}, ashlar ${taken}`);

report(
  "observability",
  Object.entries(results).map(([name, { p50, min, p99 }]) => ({
    name,
    "p50 µs": round(p50),
    "min µs": round(min),
    "p99 µs": round(p99),
  })),
  {
    ratioToSdk: round(results.ashlar.p50 / results.sdk.p50),
    redactUs: round(results.redact.p50),
    sdkUs: round(results.sdk.p50),
    ashlarUs: round(results.ashlar.p50),
    spansLost: 0,
  },
);
