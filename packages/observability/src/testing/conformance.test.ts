import { describe, expect, test } from "vitest";
import { InMemoryTraceStore } from "../in-memory/index.ts";
import { spanFixture } from "./span-fixture.ts";
import { traceStoreConformance } from "./trace-store-conformance.ts";

async function failing(createStore: () => InMemoryTraceStore): Promise<readonly string[]> {
  const cases: { name: string; body: () => Promise<void> }[] = [];
  traceStoreConformance({ test: (name, body) => cases.push({ name, body }), createStore });
  const failed: string[] = [];
  for (const { name, body } of cases) await body().catch(() => failed.push(name));
  return failed;
}

describe("the suite catches a planted fault", () => {
  test("tenants share their traces", async () => {
    class Shared extends InMemoryTraceStore {
      override append(_: unknown, spans: Parameters<InMemoryTraceStore["append"]>[1]) {
        return super.append({ principal: { tenant: "acme" } }, spans);
      }
    }
    expect(await failing(() => new Shared())).toContain("TraceStore: keeps tenants apart");
  });

  test("a repeated span is counted twice", async () => {
    let copies = 0;
    class Twice extends InMemoryTraceStore {
      override append(...[context, spans]: Parameters<InMemoryTraceStore["append"]>) {
        return super.append(
          context,
          spans.map((span) => ({ ...span, spanId: `${span.spanId.slice(0, 8)}${String(copies++).padStart(8, "0")}` })),
        );
      }
    }
    expect(await failing(() => new Twice())).toContain("TraceStore: changes nothing when a span comes again");
  });

  test("turns are counted beside their calls, and a sweep that takes too much", async () => {
    class Greedy extends InMemoryTraceStore {
      override async sweep() {
        const all = await super.sweep({ endedBefore: Number.MAX_SAFE_INTEGER });
        return { ...all, more: false };
      }
      override async usage() {
        return [
          {
            key: spanFixture().name,
            calls: 1,
            errors: 0,
            inputTokens: 1,
            outputTokens: 1,
            cachedTokens: 0,
            durationMs: 1,
          },
        ];
      }
    }
    const failed = await failing(() => new Greedy());
    expect(failed).toContain("TraceStore: counts inference by session, agent and model, and tools by name");
    expect(failed).toContain("TraceStore: sweeps what ended before an instant, in portions, and nothing else");
  });
});
