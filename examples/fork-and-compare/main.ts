/**
 * A resolved ticket is played again from just before the refund, with another prompt. What the first run did outside
 * is taken from its record: the ticket system hears nothing. A prompt that would do something new is refused.
 * The model is scripted (it reads its instructions and the conversation, and follows them).
 */
import assert from "node:assert/strict";
import { subscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { compareSessions, printSideBySide, readSession } from "@ashlar/observability";
import { InMemorySessionLog, InMemoryWorkQueue, type Json, Runtime, type ToolSource } from "@ashlar/runtime";
import { loopAgent } from "@ashlar/runtime/ai";
import { MockLanguageModelV4, simulateReadableStream } from "ai/test";

const context = { principal: { tenant: "acme", user: "ann" } };

// The company's ticket system: charges that can be read and refunded over HTTP.
const charges = [
  { id: "ch_1", cents: 4900, at: "2026-01-05T03:00:00Z" },
  { id: "ch_2", cents: 4900, at: "2026-01-05T03:00:11Z" },
];
const refunded: string[] = [];
const ticketSystem = createServer((request, response) => {
  const charge = request.url?.split("/").at(-1) ?? "";
  if (request.method === "POST") refunded.push(charge);
  response.end(JSON.stringify(request.method === "POST" ? { refunded: charge } : charges));
}).listen(0, "127.0.0.1");
await once(ticketSystem, "listening");
const address = `http://127.0.0.1:${(ticketSystem.address() as AddressInfo).port}`;

// Every connection that this process opens, whoever opens it.
let connections = 0;
subscribe("net.client.socket", () => {
  connections += 1;
});

const tickets: ToolSource = {
  list: async () => [
    { name: "list_charges", inputSchema: { type: "object" } },
    { name: "refund_charge", inputSchema: { type: "object", properties: { charge: { type: "string" } } } },
  ],
  async call(_context, name, args) {
    const { charge = "" } = args as { readonly charge?: string };
    const answer = await fetch(`${address}/charges/${charge}`, {
      method: name === "refund_charge" ? "POST" : "GET",
      headers: { connection: "close" },
    });
    return { content: [{ type: "text", text: await answer.text() }] };
  },
};

type Reply = { readonly call: string; readonly input: Json } | { readonly text: string };

function scripted(system: string, results: number): Reply {
  if (results === 0) return { call: "list_charges", input: {} };
  const wanted = system.includes("whole month") ? ["ch_1", "ch_2"] : ["ch_2"];
  const next = wanted[results - 1];
  if (next !== undefined) return { call: "refund_charge", input: { charge: next } };
  const kind = system.includes("Apologise");
  return { text: kind ? "We are sorry: you were charged twice. 49.00 EUR are on their way." : "Refunded ch_2." };
}

const model = new MockLanguageModelV4({
  modelId: "scripted",
  async doStream({ prompt }) {
    const system = prompt.flatMap(({ role, content }) => (role === "system" ? [content] : [])).join("\n");
    const reply = scripted(system, prompt.filter(({ role }) => role === "tool").length);
    const called = "call" in reply;
    return {
      stream: simulateReadableStream({
        chunks: [
          { type: "stream-start" as const, warnings: [] },
          ...(called
            ? [
                {
                  type: "tool-call" as const,
                  toolCallId: `call_${prompt.length}`,
                  toolName: reply.call,
                  input: JSON.stringify(reply.input),
                },
              ]
            : [
                { type: "text-start" as const, id: "1" },
                { type: "text-delta" as const, id: "1", delta: reply.text },
                { type: "text-end" as const, id: "1" },
              ]),
          {
            type: "finish" as const,
            finishReason: { unified: called ? ("tool-calls" as const) : ("stop" as const), raw: undefined },
            usage: {
              inputTokens: { total: 400, noCache: 400, cacheRead: 0, cacheWrite: 0 },
              outputTokens: { total: 20, text: 20, reasoning: 0 },
            },
          },
        ],
      }),
    };
  },
});

const prompts = {
  "1": "Resolve the ticket. Refund what was taken twice.",
  "2": "Resolve the ticket. Refund what was taken twice. Apologise, and say when the money comes.",
  "3": "Resolve the ticket. Refund the whole month.",
};
const pricing = {
  price: (_model: string, { inputTokens, outputTokens }: { inputTokens: number; outputTokens: number }) => ({
    micros: inputTokens * 3 + outputTokens * 15,
    currency: "EUR",
  }),
};
const runtime = new Runtime({
  log: new InMemorySessionLog(),
  queue: new InMemoryWorkQueue(),
  agents: Object.entries(prompts).map(([version, system]) =>
    loopAgent({ name: "resolver", version, system, model, pricing, tools: [tickets] }),
  ),
});
await runtime.start();

async function finished(id: string): Promise<Awaited<ReturnType<typeof readSession>>> {
  for await (const { type } of runtime.sessions.events(context, id)) if (type === "session.status_idle") break;
  return readSession(context, runtime.records, id);
}

const { id } = await runtime.sessions.open(context, { agent: "resolver", qualifier: "1" });
await runtime.sessions.send(context, id, { type: "user.message", body: { text: "T-9421: I was charged twice." } });
const first = await finished(id);
const before = connections;
assert.ok(before >= 2, "the count of connections sees those of the first run");
assert.deepEqual(refunded, ["ch_2"]);

// Before the model's second reply, the one that decides on the refund.
const decision = first.find(({ type, step }) => type === "step.started" && step === "model#2");
assert.ok(decision);
const afterSeq = decision.seq - 1;
const fork = async (agentVersion: string) => {
  const made = await runtime.sessions.fork(context, id, { afterSeq, effects: "recorded", agentVersion });
  return finished(made.id);
};
const kinder = await fork("2");
const generous = await fork("3");
await runtime.close();
ticketSystem.close();

console.log(printSideBySide(first, kinder, { titles: ["version 1, as recorded", "version 2, another prompt"] }));
console.log();
console.log(printSideBySide(first, generous, { titles: ["version 1, as recorded", "version 3, refunds more"] }));

const judged = compareSessions(first, kinder);
assert.equal(judged.shared, afterSeq);
assert.deepEqual(judged.left.recorded, {});
assert.deepEqual(judged.right.recorded, { "tool:refund_charge": 1 });
assert.deepEqual(judged.right.executed, { model: 2 });
const answer = (events: typeof first) =>
  (events.find(({ type }) => type === "agent.message")?.body as { readonly text?: string } | undefined)?.text;
assert.equal(answer(first), "Refunded ch_2.");
assert.match(answer(kinder) ?? "", /sorry/);
const refused = generous.find(({ type }) => type === "session.error")?.body as { readonly code?: string } | undefined;
assert.equal(refused?.code, "RUNTIME_DENIED", "a refund that was never recorded is refused, not made");
assert.deepEqual(refunded, ["ch_2"]);
const outbound = connections - before;
assert.equal(outbound, 0);
console.log(
  `\noutbound calls: ${before} in the recorded run, ${outbound} in both forks; refunds made: ${refunded.length}`,
);
