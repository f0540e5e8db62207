import assert from "node:assert/strict";
import type { CallContext } from "../dialect.ts";
import type { SpanRecord } from "../span-record.ts";
import type { TraceStore } from "../trace-store.ts";
import { spanFixture, spanIdOf, traceIdOf } from "./span-fixture.ts";
import type { TestFunction } from "./suite.ts";

export interface TraceStoreConformanceOptions {
  readonly test: TestFunction;
  /** An empty store. The suite closes it. */
  createStore(): TraceStore | Promise<TraceStore>;
}

const context: CallContext = { principal: { tenant: "acme" } };
const stranger: CallContext = { principal: { tenant: "globex" } };
const start = Date.UTC(2026, 0, 1);

const chat = (number: number, parts: Partial<SpanRecord> = {}): SpanRecord =>
  spanFixture({
    spanId: spanIdOf(number),
    startAt: start + number,
    endAt: start + number + 10,
    ...parts,
    attributes: {
      "gen_ai.operation.name": "chat",
      "gen_ai.request.model": "m1",
      "gen_ai.conversation.id": "ses_1",
      "gen_ai.agent.name": "resolver",
      "gen_ai.usage.input_tokens": 100,
      "gen_ai.usage.output_tokens": 10,
      "gen_ai.usage.cache_read.input_tokens": 40,
      ...parts.attributes,
    },
  });

/** The law of `TraceStore`: every adapter passes it. */
export function traceStoreConformance({ test, createStore }: TraceStoreConformanceOptions): void {
  const law = (name: string, body: (store: TraceStore) => Promise<void>): void => {
    test(`TraceStore: ${name}`, async () => {
      await using store = await createStore();
      await body(store);
    });
  };

  law("gives a span back as it was put in", async (store) => {
    const span = spanFixture({
      parentSpanId: spanIdOf(9),
      startAt: start + 0.125,
      status: "error",
      statusMessage: "no such ticket",
      attributes: { "a.text": "ä\u0000'\"", "a.list": ["x", "y"], "a.flag": false, "a.number": 1.5 },
      events: [{ name: "retry", at: start + 1, attributes: { n: 1 } }],
      links: [{ traceId: traceIdOf(7), spanId: spanIdOf(7) }],
    });
    await store.append(context, [span]);
    assert.deepEqual(await store.trace(context, span.traceId), [span]);
  });

  law("orders a trace by start and keeps to the limit", async (store) => {
    await store.append(context, [chat(3), chat(1), chat(2)]);
    const ids = async (limit?: number) =>
      (await store.trace(context, spanFixture().traceId, limit === undefined ? {} : { limit })).map(
        ({ spanId }) => spanId,
      );
    assert.deepEqual(await ids(), [1, 2, 3].map(spanIdOf));
    assert.deepEqual(await ids(2), [1, 2].map(spanIdOf));
  });

  law("changes nothing when a span comes again", async (store) => {
    await store.append(context, [chat(1)]);
    await store.append(context, [chat(1, { name: "another" }), chat(2)]);
    const [first] = await store.trace(context, spanFixture().traceId);
    assert.equal(first?.name, "chat example-model");
    assert.equal((await store.list(context)).items[0]?.spans, 2);
    assert.equal((await store.usage(context, { by: "model" }))[0]?.calls, 2);
  });

  law("lets a finished span take the place of an open one, and never the other way round", async (store) => {
    const open = (number: number) => chat(number, { endAt: start + number, open: true });
    await store.append(context, [open(1), open(2)]);
    assert.deepEqual(await store.usage(context, { by: "model" }), []);
    await store.append(context, [chat(1, { status: "error" })]);
    await store.append(context, [open(1)]);
    const [finished, running] = await store.trace(context, spanFixture().traceId);
    assert.deepEqual(finished, chat(1, { status: "error" }));
    assert.deepEqual(running, open(2));
    const [{ spans, errors, endAt } = { spans: 0, errors: 0, endAt: 0 }] = (await store.list(context)).items;
    assert.deepEqual([spans, errors, endAt], [2, 1, start + 11]);
    assert.equal((await store.usage(context, { by: "model" }))[0]?.calls, 1);
  });

  law("keeps tenants apart", async (store) => {
    await store.append(context, [chat(1)]);
    await store.append(stranger, [chat(1, { name: "theirs" })]);
    assert.equal((await store.trace(stranger, spanFixture().traceId))[0]?.name, "theirs");
    assert.equal((await store.list(context)).items.length, 1);
    assert.equal((await store.usage(context, { by: "session" }))[0]?.calls, 1);
    const nobody: CallContext = { principal: { tenant: "initech" } };
    assert.deepEqual(await store.trace(nobody, spanFixture().traceId), []);
    assert.deepEqual((await store.list(nobody)).items, []);
    assert.deepEqual(await store.usage(nobody, { by: "model" }), []);
  });

  law("sums up each trace, also when spans arrive child first and in several calls", async (store) => {
    await store.append(context, [
      chat(5, { parentSpanId: spanIdOf(1), name: "child", status: "error", endAt: start + 500 }),
    ]);
    assert.equal((await store.list(context)).items[0]?.name, "child");
    await store.append(context, [chat(1, { name: "root", service: "gateway" })]);
    assert.deepEqual((await store.list(context)).items, [
      {
        traceId: spanFixture().traceId,
        name: "root",
        service: "gateway",
        startAt: start + 1,
        endAt: start + 500,
        spans: 2,
        errors: 1,
      },
    ]);
  });

  law("lists newest first, page by page, each trace once", async (store) => {
    for (let number = 1; number <= 7; number++) {
      await store.append(context, [chat(1, { traceId: traceIdOf(number), startAt: start + Math.floor(number / 2) })]);
    }
    const seen: string[] = [];
    for (let cursor: string | undefined; ; ) {
      const page = await store.list(context, { limit: 2, ...(cursor === undefined ? {} : { cursor }) });
      seen.push(...page.items.map(({ traceId }) => traceId));
      cursor = page.cursor;
      if (cursor === undefined) break;
    }
    assert.deepEqual(seen, [7, 6, 5, 4, 3, 2, 1].map(traceIdOf));
  });

  law("filters by session, errors and time", async (store) => {
    await store.append(context, [chat(1, { traceId: traceIdOf(1) })]);
    await store.append(context, [
      chat(100, { traceId: traceIdOf(2), status: "error", attributes: { "gen_ai.conversation.id": "ses_2" } }),
    ]);
    const ids = async (query: Parameters<TraceStore["list"]>[1]) =>
      (await store.list(context, query)).items.map(({ traceId }) => traceId);
    assert.deepEqual(await ids({ session: "ses_2" }), [traceIdOf(2)]);
    assert.deepEqual(await ids({ session: "ses_3" }), []);
    assert.deepEqual(await ids({ errorsOnly: true }), [traceIdOf(2)]);
    assert.deepEqual(await ids({ from: start + 100 }), [traceIdOf(2)]);
    assert.deepEqual(await ids({ until: start + 100 }), [traceIdOf(1)]);
  });

  law("counts inference by session, agent and model, and tools by name", async (store) => {
    const tool = { "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "refund" };
    await store.append(context, [
      chat(1),
      chat(2, { status: "error", attributes: { "gen_ai.response.model": "m2" } }),
      chat(3, { attributes: { "gen_ai.conversation.id": "ses_2" } }),
      chat(4, { attributes: { "gen_ai.operation.name": "invoke_agent" } }),
      chat(5, { attributes: tool }),
    ]);
    const sums = { inputTokens: 100, outputTokens: 10, cachedTokens: 40, durationMs: 10, calls: 1, errors: 0 };
    assert.deepEqual(await store.usage(context, { by: "session" }), [
      { key: "ses_1", model: "m1", ...sums },
      { key: "ses_1", model: "m2", ...sums, errors: 1 },
      { key: "ses_2", model: "m1", ...sums },
    ]);
    const doubled = { inputTokens: 200, outputTokens: 20, cachedTokens: 80, durationMs: 20, calls: 2, errors: 0 };
    assert.deepEqual((await store.usage(context, { by: "agent" }))[0], { key: "resolver", model: "m1", ...doubled });
    assert.deepEqual(
      (await store.usage(context, { by: "model", session: "ses_1" })).map(({ key, calls }) => [key, calls]),
      [
        ["m1", 1],
        ["m2", 1],
      ],
    );
    assert.deepEqual(
      (await store.usage(context, { by: "model", from: start + 3, until: start + 4 })).map(({ calls }) => calls),
      [1],
    );
    assert.deepEqual(await store.usage(context, { by: "tool" }), [
      { key: "refund", calls: 1, errors: 0, inputTokens: 0, outputTokens: 0, cachedTokens: 0, durationMs: 10 },
    ]);
  });

  law("sweeps what ended before an instant, in portions, and nothing else", async (store) => {
    for (let number = 1; number <= 4; number++) {
      await store.append(context, [
        chat(1, { traceId: traceIdOf(number), endAt: start + 100 * number }),
        chat(2, { traceId: traceIdOf(number), endAt: start + 100 * number }),
      ]);
    }
    await store.append(stranger, [chat(1)]);
    const endedBefore = start + 301;
    assert.deepEqual(await store.sweep({ endedBefore, tenant: "acme", limit: 4 }), { removed: 4, more: true });
    assert.deepEqual(await store.sweep({ endedBefore, tenant: "acme", limit: 4 }), { removed: 2, more: false });
    assert.deepEqual(
      (await store.list(context)).items.map(({ traceId }) => traceId),
      [traceIdOf(4)],
    );
    assert.equal((await store.list(stranger)).items.length, 1);
    assert.deepEqual(await store.sweep({ endedBefore }), { removed: 1, more: false });
    assert.deepEqual(await store.usage(stranger, { by: "model" }), []);
  });

  law("refuses a cursor, a limit and a call after close that make no sense", async (store) => {
    const code = (expected: string) => (error: unknown) => (error as { code?: unknown }).code === expected;
    await assert.rejects(store.list(context, { cursor: "bm9uZQ" }), code("OBSERVABILITY_INVALID"));
    await assert.rejects(store.list(context, { limit: 0 }), code("OBSERVABILITY_INVALID"));
    await store.close();
    await store.close();
    await assert.rejects(store.append(context, [chat(1)]), code("OBSERVABILITY_STORE_CLOSED"));
    await assert.rejects(store.list(context), code("OBSERVABILITY_STORE_CLOSED"));
  });
}
