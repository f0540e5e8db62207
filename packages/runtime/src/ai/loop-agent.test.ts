import { afterEach, expect, test } from "vitest";
import { scripted } from "../fixtures/scripted-model.ts";
import { InMemorySessionLog, InMemoryWorkQueue } from "../in-memory/index.ts";
import { Runtime } from "../runtime.ts";
import type { SessionEvent } from "../session-event.ts";
import type { ToolSource } from "../tool-source.ts";
import { type LoopAgentOptions, loopAgent } from "./loop-agent.ts";

const context = { principal: { tenant: "acme", user: "ann" } };
const runtimes: Runtime[] = [];
afterEach(() => Promise.all(runtimes.splice(0).map((runtime) => runtime.close())));

function counting(): ToolSource & { readonly calls: (readonly [string, string | undefined])[] } {
  const calls: [string, string | undefined][] = [];
  return {
    calls,
    list: async () => [{ name: "pay", inputSchema: { type: "object", properties: { cents: { type: "number" } } } }],
    async call({ idempotencyKey }, name) {
      calls.push([name, idempotencyKey]);
      return { content: [{ type: "text", text: "paid" }] };
    },
  };
}

async function run(options: Omit<LoopAgentOptions, "name" | "system">) {
  const agents = [loopAgent({ name: "loop", system: "You pay.", ...options })];
  const runtime = new Runtime({ log: new InMemorySessionLog(), queue: new InMemoryWorkQueue(), agents, sweepMs: 20 });
  runtimes.push(runtime);
  await runtime.start();
  const { id } = await runtime.sessions.open(context, { agent: "loop" });
  const ask = () => runtime.sessions.send(context, id, { type: "user.message", body: { text: "Pay the bill." } });
  const until = async (type: string, after = 0): Promise<SessionEvent> => {
    for await (const event of runtime.sessions.events(context, id, { after })) {
      if (event.type === type && event.seq !== undefined) return event;
    }
    throw new Error(`The session ended without ${type}.`);
  };
  await ask();
  return { sessions: runtime.sessions, records: runtime.records, id, ask, until };
}

const pay = { call: "pay", input: { cents: 5 } };
const requestOf = ({ body }: SessionEvent): string => (body as { request: string }).request;

test("a tool is called under its step's key, and the model reads the result", async () => {
  const source = counting();
  const model = scripted(pay, { say: "Done." });
  const { until, id } = await run({ model, tools: [source] });
  expect((await until("agent.message")).body).toEqual({ text: "Done." });
  expect(source.calls).toEqual([["pay", `${id}:1:tool:pay`]]);
  expect(JSON.stringify(model.doStreamCalls[1]?.prompt)).toContain("paid");
});

test("always_ask waits for a person; a no reaches the model instead of the tool", async () => {
  const source = counting();
  const model = scripted(pay, { say: "Not paid." });
  const { until, sessions, id } = await run({ model, tools: [source], policies: { pay: "always_ask" } });
  const asked = await until("approval.requested");
  await until("session.status_waiting");
  await sessions.answer(context, id, requestOf(asked), { allow: false, message: "too dear" });
  await until("agent.message");
  expect(source.calls).toEqual([]);
  expect(JSON.stringify(model.doStreamCalls[1]?.prompt)).toContain("too dear");
});

test("a reached budget asks once, a yes allows as much again, also in the next turn", async () => {
  const { until, sessions, id, ask, records } = await run({
    model: scripted({ say: "Hello." }),
    budget: { tokens: 110 },
  });
  const { seq } = await until("session.status_idle");
  await ask();
  const asked = await until("approval.requested", seq);
  await until("session.status_waiting", seq);
  await sessions.answer(context, id, requestOf(asked), { allow: true });
  const { seq: second } = await until("session.status_idle", asked.seq);
  await ask();
  expect(requestOf(await until("approval.requested", second))).toContain("budget:tokens:2");
  const { items } = await records.events(context, id);
  expect(items.filter(({ type }) => type === "budget.extended")).toHaveLength(1);
});

test("two sources that offer one name are refused, and the error stands in the log", async () => {
  const { until } = await run({ model: scripted({ say: "" }), tools: [counting(), counting()] });
  expect((await until("session.error")).body).toMatchObject({ code: "RUNTIME_INVALID" });
});
