import { SpanKind } from "@opentelemetry/api";
import { expect, test } from "vitest";
import { conventionProblems } from "../conventions/check-span.ts";
import { genAiAttributes } from "../conventions/gen-ai-model.ts";
import { derivedMetrics } from "../conventions/metrics-model.ts";
import { InMemoryTraceStore } from "../in-memory/index.ts";
import { storeExporter } from "./exporters.ts";
import { prometheusExporter } from "./prometheus-exporter.ts";
import { startObservability } from "./start-observability.ts";

const chat = {
  "gen_ai.operation.name": "chat",
  "gen_ai.provider.name": "example",
  "gen_ai.request.model": "m",
  "gen_ai.usage.input_tokens": 100,
  "gen_ai.usage.output_tokens": 7,
  "gen_ai.usage.cache_read.input_tokens": 40,
};

test("every metric follows the pinned conventions, counts unsampled spans too, and can be scraped", async () => {
  const prometheus = prometheusExporter();
  await using observability = startObservability({
    serviceName: "s",
    sample: 0,
    global: false,
    exporters: [prometheus, storeExporter({ store: new InMemoryTraceStore() })],
  });
  const tracer = observability.tracer("t");
  tracer.startSpan("chat m", { attributes: chat }).end();
  tracer
    .startSpan("invoke_agent a", { attributes: { "gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "a" } })
    .end();
  const tool = tracer.startSpan("execute_tool refund", {
    attributes: { "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "refund" },
  });
  tool.setStatus({ code: 2 });
  tool.end();
  const call = { attributes: { "mcp.method.name": "tools/call", "gen_ai.tool.name": "refund" } };
  for (const kind of [SpanKind.CLIENT, SpanKind.SERVER]) tracer.startSpan("tools/call refund", { ...call, kind }).end();

  const { resourceMetrics } = (await prometheus.metrics?.collect()) ?? { resourceMetrics: undefined };
  const metrics = resourceMetrics?.scopeMetrics.flatMap((scope) => scope.metrics) ?? [];
  for (const [name, { unit, required }] of Object.entries(derivedMetrics)) {
    const metric = metrics.find(({ descriptor }) => descriptor.name === name);
    expect(metric?.descriptor.unit, name).toBe(unit);
    expect(metric?.dataPoints.length, name).toBeGreaterThan(0);
    for (const { attributes } of metric?.dataPoints ?? []) {
      expect(Object.keys(attributes)).toEqual(expect.arrayContaining([...required]));
      for (const key of Object.keys(attributes))
        expect(key in genAiAttributes || ["error.type", "server.address", "server.port"].includes(key), key).toBe(true);
    }
  }
  const text = await (await prometheus.handler(new Request("http://h/metrics"))).text();
  expect(text).toMatch(/gen_ai_client_token_usage_sum\{[^}]*gen_ai_token_type="input"[^}]*\} 100/);
  expect(text).toMatch(/gen_ai_execute_tool_duration_count\{[^}]*error_type="_OTHER"[^}]*\} 1/);
  expect((await prometheus.handler(new Request("http://h/metrics", { method: "POST" }))).status).toBe(405);
});

test("the check names what is missing, unknown, mistyped, misnamed or deprecated", () => {
  expect(conventionProblems({ name: "chat m", attributes: chat })).toEqual([]);
  const wrong = { ...chat, "gen_ai.provider.name": 5, "gen_ai.system": "x", "gen_ai.made.up": 1 };
  expect(conventionProblems({ name: "call", attributes: wrong })).toEqual([
    "call: gen_ai.provider.name is not of type string",
    "call: gen_ai.system is deprecated, use gen_ai.provider.name",
    "call: gen_ai.made.up is not in the conventions",
    "call: the name should be chat m",
  ]);
  expect(conventionProblems({ name: "execute_tool", attributes: { "gen_ai.operation.name": "execute_tool" } })).toEqual(
    ["execute_tool: execute_tool needs gen_ai.tool.name"],
  );
});

test("older names are written beside the current ones when asked for", async () => {
  const store = new InMemoryTraceStore();
  const observability = startObservability({
    serviceName: "s",
    olderNames: true,
    global: false,
    exporters: [storeExporter({ store, defaultTenant: "acme" })],
  });
  const span = observability.tracer("t").startSpan("chat m", { attributes: chat });
  span.end();
  await observability.close();
  const [kept] = await store.trace({ principal: { tenant: "acme" } }, span.spanContext().traceId);
  expect(kept?.attributes).toMatchObject({ ...chat, "gen_ai.system": "example", "gen_ai.usage.prompt_tokens": 100 });
});
