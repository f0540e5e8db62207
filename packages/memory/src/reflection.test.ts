import { expect, test } from "vitest";
import { InMemoryMemoryStore } from "./in-memory/index.ts";
import { Memory } from "./memory.ts";
import { ManualClock } from "./testing/index.ts";

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
