import { trace } from "@opentelemetry/api";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { InMemoryTraceStore } from "../in-memory/index.ts";
import { SqliteTraceStore } from "../sqlite/index.ts";
import type { TraceStore } from "../trace-store.ts";
import { consoleExporter, storeExporter } from "./exporters.ts";
import { startObservability } from "./start-observability.ts";

const acme = { principal: { tenant: "acme" } };

async function recorded(store: TraceStore) {
  const { items } = await store.list(acme);
  return (await Promise.all(items.map(({ traceId }) => store.trace(acme, traceId)))).flat();
}

test("a burst of 10,000 spans arrives whole in the local store", async () => {
  const store = new SqliteTraceStore({ database: new Database(":memory:") });
  const observability = startObservability({
    serviceName: "burst",
    exporters: [storeExporter({ store, defaultTenant: "acme" })],
    global: false,
  });
  const tracer = observability.tracer("test");
  for (let span = 0; span < 10_000; span++) tracer.startSpan(`span ${span}`).end();
  await observability.close();
  expect(observability.status()).toMatchObject([{ exported: 10_000, dropped: 0, refused: 0, queued: 0 }]);
  const { items } = await store.list(acme, { limit: 1000 });
  expect(items).toHaveLength(1000);
  expect((await store.sweep({ endedBefore: Number.MAX_SAFE_INTEGER, limit: 100_000 })).removed).toBe(10_000);
});

test("children inherit tenant, session and agent in the process", async () => {
  const store = new InMemoryTraceStore();
  await using observability = startObservability({ serviceName: "s", exporters: [storeExporter({ store })] });
  const tracer = trace.getTracer("test");
  const attributes = { "ashlar.tenant": "acme", "gen_ai.conversation.id": "ses_1", "gen_ai.agent.name": "resolver" };
  tracer.startActiveSpan("turn", { attributes }, (turn) => {
    tracer.startSpan("chat m").end();
    turn.end();
  });
  await observability.flush();
  expect((await recorded(store)).find(({ name }) => name === "chat m")?.attributes).toMatchObject(attributes);
});

test("a local store never holds a span without its parent, and holds what still runs", async () => {
  const store = new InMemoryTraceStore();
  await using observability = startObservability({
    serviceName: "s",
    exporters: [storeExporter({ store, defaultTenant: "acme", queue: { maxBatch: 1 } })],
  });
  const tracer = observability.tracer("test");
  tracer.startActiveSpan("turn sk-ant-abcdefghijklmnop1234567890", (turn) => {
    tracer.startSpan("child").end();
    turn.end();
  });
  const running = tracer.startSpan("running");
  const order: string[] = [];
  const append = store.append.bind(store);
  store.append = async (context, spans) => {
    order.push(...spans.map(({ name }) => name));
    return append(context, spans);
  };
  await observability.flush();
  const redacted = "turn [redacted:api-key]";
  expect(order).toEqual(["running", redacted, "child", redacted]);
  const open = (await recorded(store)).filter((span) => span.open).map(({ name }) => name);
  expect(open).toEqual(["running"]);
  running.end();
  await observability.flush();
  expect((await recorded(store)).some((span) => span.open)).toBe(false);
});

test("secrets are gone from names, values, status, events and links before any exporter sees them; content is off", async () => {
  const store = new InMemoryTraceStore();
  let shown = "";
  const observability = startObservability({
    serviceName: "s",
    global: false,
    exporters: [
      storeExporter({ store, defaultTenant: "acme" }),
      consoleExporter({
        write: (text) => {
          shown += text;
        },
      }),
    ],
  });
  const secret = "sk-ant-abcdefghijklmnop1234567890";
  const span = observability.tracer("test").startSpan(`call ${secret}`, {
    attributes: {
      [`header ${secret}`]: "x",
      url: `https://h/?k=${secret}`,
      "gen_ai.input.messages": "hello",
      list: ["a", secret],
    },
    links: [
      {
        context: { traceId: `${"0".repeat(31)}1`, spanId: `${"0".repeat(15)}1`, traceFlags: 1 },
        attributes: { secret },
      },
    ],
  });
  span.addEvent(`e ${secret}`, { k: secret });
  span.setStatus({ code: 2, message: `failed with ${secret}` });
  span.end();
  await observability.close();
  const spans = await recorded(store);
  expect(spans).toHaveLength(1);
  expect(JSON.stringify(spans) + shown).not.toContain("abcdefghijklmnop");
  expect(JSON.stringify(spans)).toContain("[redacted:api-key]");
  expect(JSON.stringify(spans)).not.toContain("hello");
});

test("sampling exports that share of traces, whole", async () => {
  const store = new InMemoryTraceStore();
  const observability = startObservability({
    serviceName: "s",
    global: false,
    sample: 0,
    exporters: [storeExporter({ store, defaultTenant: "acme" })],
  });
  observability.tracer("test").startSpan("x").end();
  await observability.close();
  expect(await recorded(store)).toEqual([]);
});

test("a second global set-up is refused, and a share that is none", () => {
  const first = startObservability({ serviceName: "s", exporters: [] });
  expect(() => startObservability({ serviceName: "t", exporters: [] })).toThrow(/telemetry already/);
  expect(() => startObservability({ serviceName: "t", exporters: [], sample: 2 })).toThrow(/share/);
  void first.close();
});
