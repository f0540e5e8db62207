import { expect, test } from "vitest";
import { CallbackExtractor } from "./callback-extractor.ts";
import { EpisodeExtractor } from "./episode-extractor.ts";
import type { ExtractionWindow, Strategy } from "./extractor.ts";
import { InMemoryMemoryStore } from "./in-memory/index.ts";
import { Memory } from "./memory.ts";
import { SummaryExtractor } from "./summary-extractor.ts";
import { ManualClock } from "./testing/index.ts";

const acme = { principal: { tenant: "acme" } };
const ada = { actor: "ada" };
function made(strategy: Omit<Strategy, "id">) {
  const clock = new ManualClock();
  const memory = new Memory({ store: new InMemoryMemoryStore(), clock, strategies: [{ id: "own", ...strategy }] });
  const say = async (role: "user" | "assistant" | "tool", text: string, session = "s") => {
    clock.jump(clock.now() + 1_000);
    return memory.events.append(acme, "m", { ...ada, session, role, text });
  };
  const run = () => memory.extraction.run(acme, "m", ada);
  const records = async () => (await memory.records.list(acme, "m")).items;
  return { memory, say, run, records };
}

test("a session has one running summary of its central sentences, and the older ones stay as history", async () => {
  const extractor = new SummaryExtractor({ sentences: 2 });
  const { say, run, records, memory } = made({ extractor, namespace: "/summaries/{actorId}/{sessionId}" });
  const budget = await say("user", "The budget report for the garden project is late. Hi!");
  await say("assistant", "Okay.");
  await say("user", "Please finish the garden budget report before Monday.");
  expect(await run()).toMatchObject({ created: 1 });
  const [first] = await records();
  expect(first).toMatchObject({ kind: "summary", namespace: "/summaries/ada/s" });
  expect(first?.text.split("\n")).toHaveLength(2);
  expect(first?.evidence).toContain(budget.id);
  await say("user", "The garden project budget report is finished and the garden project is approved.");
  expect(await run()).toMatchObject({ superseded: 1 });
  const current = await records();
  expect(current).toHaveLength(1);
  expect(current[0]?.text).toContain("approved");
  expect((await memory.records.list(acme, "m", { withSuperseded: true })).items).toHaveLength(2);
});

test("episodes tell what was asked, done and how it ended; alike ones give a lesson to review", async () => {
  const { memory, say, run, records } = made({ extractor: new EpisodeExtractor() });
  await say("user", "Deploy the billing service to staging");
  await say("tool", "deploy: error, quota exceeded");
  await say("user", "Please deploy the billing service to staging");
  const asked = await say("assistant", "I raised the quota first and deployed.");
  await say("user", "That works, thanks!");
  await run();
  const episodes = await records();
  expect(episodes.map(({ kind, metadata }) => [kind, metadata.outcome])).toEqual([
    ["episode", "failed"],
    ["episode", "succeeded"],
  ]);
  expect(episodes[1]?.evidence).toContain(asked.id);
  const proposal = await memory.reflections.propose(acme, "m");
  expect(proposal.revisions).toMatchObject([{ action: "learn", from: episodes.map(({ id }) => id) }]);
  await memory.reflections.apply(acme, "m", proposal);
  const lesson = (await records()).find(({ kind }) => kind === "reflection");
  expect(lesson?.text).toMatch(/Worked \(1\): .*raised the quota[\s\S]*Failed \(1\): .*quota exceeded/);
  expect(lesson?.evidence).toEqual(expect.arrayContaining(episodes.flatMap(({ evidence }) => evidence)));
  expect((await memory.reflections.propose(acme, "m")).revisions).toEqual([]);
  await expect(memory.reflections.apply(acme, "m", proposal)).rejects.toMatchObject({ kind: "conflict" });
});

test("a callback gets each window once it is full of news, and may keep its records itself", async () => {
  const windows: ExtractionWindow[] = [];
  const extractor = new CallbackExtractor(async (window) => {
    windows.push(window);
    await own.memory.records.create(window.context, window.memory, { text: `${window.events.length} turns` });
    return undefined;
  });
  const own = made({ extractor });
  await own.say("user", "one");
  await own.say("user", "two");
  expect(await own.run()).toMatchObject({ windows: 1, created: 0, failed: 0 });
  expect(await own.run()).toMatchObject({ windows: 0 });
  expect(windows).toMatchObject([{ memory: "m", actor: "ada", session: "s", branch: "main", records: [] }]);
  expect((await own.records()).map(({ text }) => text)).toEqual(["2 turns"]);
});
