import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { JsonTraceSerializer, ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer";
import {
  BatchSpanProcessor,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import { describe, expect, test } from "vitest";
import { hostile } from "../../../../test/support/hostile.ts";
import { InMemoryTraceStore } from "../in-memory/index.ts";
import { otlpExporter } from "../telemetry/exporters.ts";
import { startObservability } from "../telemetry/start-observability.ts";
import { toSpanRecord } from "../telemetry/to-span-record.ts";
import { otlpReceiver } from "./otlp-receiver.ts";

const acme = { principal: { tenant: "acme" } };
const url = "http://collector.test/v1/traces";

function someSpans() {
  const exporter = new InMemorySpanExporter();
  const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] });
  const span = provider.getTracer("other.language").startSpan("invoke_agent x", {
    kind: 2,
    attributes: {
      "gen_ai.conversation.id": "ses_9",
      n: 7,
      f: 0.5,
      yes: true,
      list: ["a", "b"],
      "ashlar.tenant": "globex",
    },
  });
  span.addEvent("retry", { n: 1 });
  span.setStatus({ code: 2, message: "no" });
  span.end();
  return exporter.getFinishedSpans();
}

function setUp(options = {}) {
  const store = new InMemoryTraceStore();
  const receive = otlpReceiver({
    store,
    authenticate: async (r) => (r.headers.get("authorization") === "Bearer t" ? acme.principal : undefined),
    ...options,
  });
  const send = (body: Uint8Array, headers: Record<string, string> = {}) =>
    receive(
      new Request(url, {
        method: "POST",
        body: new Uint8Array(body),
        headers: { authorization: "Bearer t", "content-type": "application/x-protobuf", ...headers },
      }),
    );
  return { store, receive, send };
}

describe.each([
  ["protobuf", ProtobufTraceSerializer, "application/x-protobuf"],
  ["JSON", JsonTraceSerializer, "application/json"],
] as const)("%s as OpenTelemetry's own package writes it", (_, serializer, type) => {
  test.each([false, true])("lands in the store of whoever sent it (gzip: %s)", async (gzip) => {
    const { store, send } = setUp();
    const spans = someSpans();
    const body = serializer.serializeRequest(spans) as Uint8Array;
    const response = await send(gzip ? gzipSync(body) : body, {
      "content-type": type,
      ...(gzip ? { "content-encoding": "gzip" } : {}),
    });
    expect(response.status).toBe(200);
    expect(serializer.deserializeResponse(new Uint8Array(await response.arrayBuffer()))).toEqual({});
    const [expected] = spans.map(toSpanRecord);
    const [stored] = await store.trace(acme, expected?.traceId ?? "");
    expect(stored).toEqual({
      ...expected,
      service: stored?.service,
      startAt: expect.closeTo(expected?.startAt ?? 0, 2),
      endAt: expect.closeTo(expected?.endAt ?? 0, 2),
      events: [{ name: "retry", at: expect.any(Number), attributes: { n: 1 } }],
    });
    expect((await store.list({ principal: { tenant: "globex" } })).items).toEqual([]);
  });
});

test("spans without ids are left out, counted, and the rest kept", async () => {
  const { store, send } = setUp();
  const good = {
    traceId: "1".repeat(32),
    spanId: "1".repeat(16),
    name: "x",
    startTimeUnixNano: "5000000",
    endTimeUnixNano: "1",
  };
  const body = { resourceSpans: [{ scopeSpans: [{ spans: [good, { ...good, spanId: "0".repeat(16) }, 5] }] }] };
  const response = await send(Buffer.from(JSON.stringify(body)), { "content-type": "application/json" });
  expect(await response.json()).toMatchObject({ partialSuccess: { rejectedSpans: "2" } });
  expect(await store.trace(acme, good.traceId)).toMatchObject([{ startAt: 5, endAt: 5 }]);
});

test("refuses strangers, other types, other paths, and bytes that are no request", async () => {
  const { receive, send } = setUp();
  expect((await send(new Uint8Array(), { authorization: "no" })).status).toBe(401);
  expect((await send(new Uint8Array(), { "content-type": "text/plain" })).status).toBe(415);
  expect((await receive(new Request("http://collector.test/v1/logs", { method: "POST" }))).status).toBe(404);
  expect((await send(Buffer.from([0x0a, 0xff, 0xff, 0x03]))).status).toBe(400);
  expect((await send(Buffer.from("{"), { "content-type": "application/json" })).status).toBe(400);
});

test("our own exporter is accepted over a real connection, and redacted again on arrival", async () => {
  const { store, receive } = setUp();
  const server = createServer(async (request, response) => {
    const answer = await receive(
      new Request(`http://collector.test${request.url}`, {
        method: "POST",
        headers: request.headers as Record<string, string>,
        body: ReadableStream.from(request),
        duplex: "half",
      } as RequestInit),
    );
    response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(Buffer.from(await answer.arrayBuffer()));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const exporter = otlpExporter({ endpoint, headers: { authorization: "Bearer t" }, metricsEveryMs: false });
  const sender = startObservability({ serviceName: "sender", exporters: [exporter], redact: false, global: false });
  sender.tracer("t").startSpan("mail a@example.com").end();
  await sender.close();
  server.close();
  expect(sender.status()).toMatchObject([{ name: "otlp", exported: 1, dropped: 0 }]);
  expect((await store.list(acme)).items).toMatchObject([{ name: "mail [redacted:email]", service: "sender" }]);
});

hostile("a collector that is down", {
  control: "a queue without a bound holds every span",
  unguarded() {
    const held = Array.from({ length: 5000 }, (_, span) => ({ span }));
    expect(held).toHaveLength(5000);
  },
  async guarded() {
    const exporter = otlpExporter({
      endpoint: "http://127.0.0.1:9",
      metricsEveryMs: false,
      timeoutMs: 200,
      queue: { maxQueue: 100 },
    });
    const observability = startObservability({ serviceName: "s", exporters: [exporter], global: false });
    for (let span = 0; span < 5000; span++) observability.tracer("t").startSpan("x").end();
    expect(observability.status()).toMatchObject([{ queued: 100, dropped: 4900 }]);
    await observability.close();
    expect(observability.status()).toMatchObject([
      { queued: 0, dropped: 5000, exported: 0, lastError: expect.any(String) },
    ]);
  },
});

test("what the exporter sends is, byte for byte, what OpenTelemetry's own package writes of the same spans", async () => {
  const bodies: Buffer[] = [];
  const collector = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    bodies.push(Buffer.concat(chunks));
    response.writeHead(200, { "content-type": "application/x-protobuf" }).end();
  }).listen(0, "127.0.0.1");
  await once(collector, "listening");
  const endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
  const kept: ReadableSpan[] = [];
  const observability = startObservability({
    serviceName: "sender",
    global: false,
    exporters: [
      otlpExporter({ endpoint, metricsEveryMs: false }),
      { spans: { name: "kept", export: async (spans) => void kept.push(...spans), close: async () => {} } },
    ],
  });
  const span = observability
    .tracer("t")
    .startSpan("chat m", { attributes: { "gen_ai.usage.input_tokens": 7, k: ["a"] } });
  span.addEvent("retry", { mail: "ann@example.com" });
  span.end();
  await observability.close();
  collector.close();
  expect(bodies).toEqual([Buffer.from(ProtobufTraceSerializer.serializeRequest(kept) ?? [])]);
  expect(bodies[0]?.includes("ann@example.com")).toBe(false);
});

hostile("a collector that is slow", {
  control: "the plain SDK's queue loses spans and has nothing that says how many",
  unguarded() {
    const stuck = { export: () => {}, shutdown: async () => {} };
    const processor = new BatchSpanProcessor({ exporter: stuck, maxQueueSize: 100, maxExportBatchSize: 50 });
    const tracer = new TracerProvider({ spanProcessors: [processor] }).getTracer("t");
    for (let span = 0; span < 5000; span++) tracer.startSpan("x").end();
    expect("status" in processor || "dropped" in processor).toBe(false);
  },
  async guarded() {
    const collector = createServer(() => {}).listen(0, "127.0.0.1");
    await once(collector, "listening");
    const exporter = otlpExporter({
      endpoint: `http://127.0.0.1:${(collector.address() as AddressInfo).port}`,
      metricsEveryMs: false,
      timeoutMs: 200,
      queue: { maxQueue: 100, maxBatch: 50 },
    });
    const observability = startObservability({ serviceName: "s", exporters: [exporter], global: false });
    for (let span = 0; span < 5000; span++) observability.tracer("t").startSpan("x").end();
    expect(observability.status()).toMatchObject([{ queued: 100, dropped: 4900 }]);
    await observability.close();
    expect(observability.status()).toMatchObject([{ queued: 0, exported: 0, dropped: 5000 }]);
    collector.closeAllConnections();
    collector.close();
  },
});

hostile("a small compressed body that grows beyond the limit", {
  control: "decompressed without a limit it is a thousand times larger",
  unguarded: () => expect(gzipSync(Buffer.alloc(50 * 2 ** 20)).length).toBeLessThan(60_000),
  guarded: async () =>
    expect((await setUp().send(gzipSync(Buffer.alloc(50 * 2 ** 20)), { "content-encoding": "gzip" })).status).toBe(413),
});

hostile("a request that claims another tenant", {
  control: "the span's own attribute names the victim",
  unguarded: () => expect(someSpans()[0]?.attributes["ashlar.tenant"]).toBe("globex"),
  async guarded() {
    const { store, send } = setUp();
    await send(ProtobufTraceSerializer.serializeRequest(someSpans()) as Uint8Array);
    expect((await store.list({ principal: { tenant: "globex" } })).items).toEqual([]);
    expect((await store.list(acme)).items).toHaveLength(1);
  },
});
