import { expect, test } from "vitest";
import { InMemoryMemoryStore } from "./in-memory/index.ts";
import { Memory } from "./memory.ts";
import { ManualClock, SequentialIds } from "./testing/index.ts";

const acme = { principal: { tenant: "acme" } };

test("a reflection changes nothing until it is applied, then everything at once, keeping all evidence", async () => {
  const clock = new ManualClock();
  const memory = new Memory({ store: new InMemoryMemoryStore(), clock });
  const create = (text: string, more: object = {}) => {
    clock.jump(clock.now() + 1_000);
    return memory.records.create(acme, "m", { text, ...more });
  };
  await create("Ada likes herons.", { evidence: ["evt_1"] });
  await create("Ada likes herons", { evidence: ["evt_2"] });
  await create("Ada lives in Rome", { subject: "home", evidence: ["evt_3"] });
  const oslo = await create("Ada lives in Oslo", { subject: "home", evidence: ["evt_4"] });
  clock.jump(clock.now() + 1_000);
  const texts = async () => (await memory.records.list(acme, "m")).items.map(({ text }) => text);
  const proposal = await memory.reflections.propose(acme, "m");
  expect(proposal.revisions.map(({ action }) => action)).toEqual(["merge", "close"]);
  expect(await texts()).toHaveLength(4);
  await memory.reflections.apply(acme, "m", proposal);
  const current = (await memory.records.list(acme, "m")).items;
  expect(current.map(({ text }) => text).sort()).toEqual(["Ada likes herons", "Ada lives in Oslo"]);
  expect(current.find(({ text }) => text === "Ada likes herons")?.evidence.toSorted()).toEqual(["evt_1", "evt_2"]);
  expect(await memory.records.get(acme, "m", oslo.id)).toMatchObject({ version: 1 });
  expect((await memory.records.list(acme, "m", { withSuperseded: true })).items).toHaveLength(5);
  await expect(memory.reflections.apply(acme, "m", proposal)).rejects.toMatchObject({ kind: "conflict" });
  expect(await texts()).toHaveLength(2);
});

test("past sessions teach too: alike tasks in two sessions draft a lesson, with the turns as its evidence", async () => {
  const clock = new ManualClock();
  const memory = new Memory({ store: new InMemoryMemoryStore(), clock });
  const say = (session: string, role: "user" | "assistant" | "tool", text: string) => {
    clock.jump(clock.now() + 1_000);
    return memory.events.append(acme, "m", { actor: "ada", session, role, text });
  };
  const asked = await say("one", "user", "Deploy the billing service to staging");
  await say("one", "tool", "deploy: error, quota exceeded");
  await say("two", "user", "Please deploy the billing service to staging");
  await say("two", "assistant", "I raised the quota first and deployed.");
  await say("two", "user", "That works, thanks!");
  await say("of somebody else", "user", "x");
  expect((await memory.reflections.propose(acme, "m")).revisions).toEqual([]);
  const proposal = await memory.reflections.propose(acme, "m", { namespace: "/lessons", actor: "ada" });
  expect(proposal.revisions).toMatchObject([{ action: "learn", from: [], namespace: "/lessons" }]);
  await memory.reflections.apply(acme, "m", proposal);
  const [lesson] = (await memory.records.list(acme, "m")).items;
  expect(lesson).toMatchObject({ kind: "reflection", namespace: "/lessons" });
  expect(lesson?.text).toMatch(/Worked \(1\): .*raised the quota[\s\S]*Failed \(1\): .*quota exceeded/);
  expect(lesson?.evidence).toContain(asked.id);
  const again = await memory.reflections.propose(acme, "m", { namespace: "/lessons", actor: "ada" });
  expect(again.revisions).toEqual([]);
});

test("a difference reads as lines for the person who reviews it, and survives being sent as JSON", async () => {
  const memory = new Memory({ store: new InMemoryMemoryStore(), clock: new ManualClock(), ids: new SequentialIds() });
  for (const text of ["Ada likes herons.", "Ada likes\nherons"]) await memory.records.create(acme, "m", { text });
  const proposal = JSON.parse(JSON.stringify(await memory.reflections.propose(acme, "m")));
  expect(await memory.reflections.describe(acme, "m", proposal)).toBe(
    [
      "# merge: They say the same in the same words.",
      "- rec_000001 Ada likes herons.",
      "- rec_000002 Ada likes herons",
      "+ Ada likes herons",
    ].join("\n"),
  );
  await memory.reflections.apply(acme, "m", proposal);
  expect((await memory.records.list(acme, "m")).items).toHaveLength(1);
});

test("a reflector that touches what it was not shown, or one record twice, is refused", async () => {
  for (const ids of [["rec_none"], ["twice", "twice"]]) {
    const store = new InMemoryMemoryStore();
    const memory = new Memory({ store, reflector: { reflect: async () => revisions } });
    const one = await memory.records.create(acme, "m", { text: "one" });
    const two = await memory.records.create(acme, "m", { text: "two" });
    const revisions = ids.map((id) => {
      return { action: "close", keep: one.id, close: [id === "twice" ? two.id : id], reason: "x" } as const;
    });
    await expect(memory.reflections.propose(acme, "m")).rejects.toMatchObject({ code: "MEMORY_INVALID" });
    const basis = { [one.id]: 1, [two.id]: 1 };
    await expect(memory.reflections.apply(acme, "m", { namespace: "/", revisions, basis })).rejects.toMatchObject({
      kind: expect.stringMatching(/conflict|not_found|invalid/),
    });
    expect((await memory.records.list(acme, "m")).items).toHaveLength(2);
  }
});
