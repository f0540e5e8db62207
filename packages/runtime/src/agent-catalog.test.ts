import { expect, test } from "vitest";
import { AgentCatalog } from "./agent-catalog.ts";
import { loopAgents } from "./ai/index.ts";
import { scripted } from "./fixtures/scripted-model.ts";
import { ask, context, field, start, until } from "./fixtures/stage.ts";
import { InMemoryCatalog, InMemorySessionLog, InMemoryWorkQueue } from "./in-memory/index.ts";

const stranger = { principal: { tenant: "globex", user: "eve" } };
const catalogOf = (catalog = new InMemoryCatalog()) =>
  new AgentCatalog({
    catalog,
    factory: loopAgents({ models: { one: scripted({ say: "one" }), two: scripted({ say: "two" }) }, tools: {} }),
  });
const definition = (model: string) => ({ model, system: "You answer.", description: `Answers ${model}.` });

test("agents are versioned documents that a worker runs; endpoints move, sessions keep their version", async () => {
  const documents = new InMemoryCatalog();
  const agents = catalogOf(documents);
  expect(await agents.put(context, "answers", definition("one"))).toMatchObject({ version: 1 });
  await agents.point(context, "answers", "live", 1);
  const stores = { log: new InMemorySessionLog(), queue: new InMemoryWorkQueue() };
  const desk = await start([], { ...stores, agentSource: agents });
  const { id } = await desk.sessions.open(context, { agent: "answers", qualifier: "live" });
  expect(await agents.put(context, "answers", definition("two"), { expected: 1 })).toMatchObject({ version: 2 });
  await agents.point(context, "answers", "live", 2);
  const say = async (session: string) => {
    const { seq } = await desk.sessions.send(context, session, { type: "user.message", body: "?" });
    return field(await until(desk, session, "agent.message", seq), "text");
  };
  expect(await say(id)).toBe("one");
  const next = await desk.sessions.open(context, { agent: "answers", qualifier: "live" });
  expect([await say(next.id), await agents.endpoints(context, "answers")]).toEqual(["two", { live: 2 }]);
  expect((await desk.sessions.get(context, next.id)).agentVersion).toBe("2");

  await desk.close();
  const restarted = await start([], { ...stores, agentSource: catalogOf(documents) });
  const { seq } = await restarted.sessions.send(context, id, { type: "user.message", body: "?" });
  expect(field(await until(restarted, id, "agent.message", seq), "text")).toBe("one");
});

test("agents of code come first and are everyone's; those of the catalog are their tenant's", async () => {
  const agents = catalogOf();
  await agents.put(context, "answers", definition("one"));
  const runtime = await start([{ name: "coded", run: async () => {} }], { agentSource: agents });
  expect((await runtime.sessions.agents(context)).items).toEqual([
    { name: "coded", version: "1" },
    { name: "answers", version: "1", description: "Answers one." },
  ]);
  expect((await runtime.sessions.agents(stranger)).items).toEqual([{ name: "coded", version: "1" }]);
  const foreign = runtime.sessions.open(stranger, { agent: "answers" });
  await expect(foreign).rejects.toMatchObject({ code: "RUNTIME_NOT_FOUND" });
});

test("an archived agent opens no sessions and its sessions go on; a new version brings it back", async () => {
  const agents = catalogOf();
  await agents.put(context, "answers", definition("one"));
  const runtime = await start([], { agentSource: agents });
  const id = await ask(runtime, "answers");
  const { seq } = await until(runtime, id, "session.status_idle");
  await agents.archive(context, "answers", 1);
  expect((await agents.list(context)).items).toEqual([]);
  await expect(runtime.sessions.open(context, { agent: "answers" })).rejects.toMatchObject({ kind: "not_found" });
  await runtime.sessions.send(context, id, { type: "user.message", body: "?" });
  expect(field(await until(runtime, id, "agent.message", seq), "text")).toBe("one");
  await agents.put(context, "answers", definition("two"));
  expect(await runtime.sessions.open(context, { agent: "answers" })).toMatchObject({ status: "idle" });
});

test("bad input: definitions that do not parse or name what is not here, names, endpoints, stale versions", async () => {
  const agents = catalogOf();
  const bad = [
    null,
    { system: "no model" },
    { ...definition("three") },
    { ...definition("one"), tools: ["constructor"] },
    { ...definition("one"), policies: { pay: "sometimes" } },
    { ...definition("one"), polices: {} },
  ];
  for (const each of bad) {
    await expect(agents.put(context, "answers", each)).rejects.toMatchObject({ code: "RUNTIME_INVALID" });
  }
  await expect(agents.put(context, "not a name", definition("one"))).rejects.toMatchObject({ kind: "invalid" });
  expect(await agents.get(context, "answers")).toBeUndefined();
  await agents.put(context, "answers", definition("one"));
  await expect(agents.put(context, "answers", definition("one"), { expected: 0 })).rejects.toMatchObject({
    code: "RUNTIME_CONFLICT",
  });
  await expect(agents.point(context, "answers", "7", 1)).rejects.toMatchObject({ kind: "invalid" });
  await expect(agents.point(context, "answers", "live", 7)).rejects.toMatchObject({ kind: "not_found" });
});
