import { MockLanguageModelV4 } from "ai/test";
import { expect, test } from "vitest";
import { ModelExtractor, summaryInstructions } from "./ai/index.ts";
import type { Extractor } from "./extractor.ts";
import { InMemoryMemoryStore } from "./in-memory/index.ts";
import { Memory } from "./memory.ts";
import { RuleExtractor } from "./rule-extractor.ts";
import { ManualClock } from "./testing/index.ts";

const acme = { principal: { tenant: "acme" } };
const ada = { actor: "ada" };
function made(extractor: Extractor, namespace?: string) {
  const clock = new ManualClock();
  const strategies = [{ id: "facts", extractor, ...(namespace === undefined ? {} : { namespace }) }];
  const memory = new Memory({ store: new InMemoryMemoryStore(), clock, strategies });
  const say = (text: string) => {
    clock.jump(clock.now() + 1_000);
    return memory.events.append(acme, "m", { ...ada, session: "s", role: "user", text });
  };
  return { clock, memory, say };
}

test("a changed fact supersedes the old one, and both keep their evidence", async () => {
  const { memory, say } = made(new RuleExtractor());
  const first = await say("Hello! I live in Rome, near the river.");
  expect(await memory.extraction.run(acme, "m", ada)).toMatchObject({ windows: 1, created: 1 });
  const second = await say("Guess what. I moved to Oslo!");
  expect(await memory.extraction.run(acme, "m", ada)).toMatchObject({ windows: 1, superseded: 1 });
  const all = (await memory.records.list(acme, "m", { withSuperseded: true })).items;
  expect(all.map(({ text, evidence }) => [text, evidence])).toEqual([
    ["ada lives in Rome.", [first.id]],
    ["ada lives in Oslo.", [second.id]],
  ]);
  expect((await memory.records.list(acme, "m", { namespace: "/facts/ada" })).items).toMatchObject([
    { text: "ada lives in Oslo." },
  ]);
});

test("the same fact again, or a window read twice, adds nothing", async () => {
  const { memory, say } = made(new RuleExtractor());
  await say("I live in Rome.");
  await say("As I said, I live in Rome.");
  expect(await memory.extraction.run(acme, "m", ada)).toMatchObject({ created: 1, superseded: 0 });
  expect(await memory.extraction.run(acme, "m", ada)).toMatchObject({ windows: 0 });
});

test("a job that fails three times is kept, leaves appends alone, and works after a redrive", async () => {
  let broken = true;
  const rules = new RuleExtractor();
  const { memory, say } = made({
    extract: (window) => (broken ? Promise.reject(new TypeError("quotes: I live in Rome")) : rules.extract(window)),
  });
  await say("I live in Rome.");
  for (let attempt = 0; attempt < 3; attempt++)
    expect(await memory.extraction.run(acme, "m", ada)).toMatchObject({ failed: 1 });
  expect(await memory.extraction.run(acme, "m", ada)).toMatchObject({ windows: 0 });
  await say("I love herons.");
  const [job] = await memory.extraction.list(acme, "m", ada);
  expect(job).toMatchObject({ state: "failed", attempts: 3, error: "TypeError" });
  expect(JSON.stringify(job)).not.toContain("Rome");
  broken = false;
  expect(await memory.extraction.redrive(acme, "m", ada)).toBe(1);
  expect(await memory.extraction.run(acme, "m", ada)).toMatchObject({ created: 2 });
});

test("an actor with slashes and braces in the name stays one part of the namespace", async () => {
  const { memory, clock } = made(new RuleExtractor(), "/people/{actorId}");
  clock.jump(clock.now() + 1);
  const actor = "a/../{sessionId}";
  await memory.events.append(acme, "m", { actor, session: "s", role: "user", text: "I live in Rome." });
  await memory.extraction.run(acme, "m", { actor });
  expect((await memory.records.list(acme, "m")).items).toMatchObject([
    { namespace: "/people/a%2F..%2F%7BsessionId%7D" },
  ]);
});

test("a language model extracts; a turn it invents is not taken for evidence", async () => {
  const statements = [
    { text: "Ada lives in Oslo.", kind: "fact", subject: "home.city", confidence: 0.9, turns: [1, 99] },
  ];
  const usage = { inputTokens: { total: 1 }, outputTokens: { total: 1 } };
  const model = new MockLanguageModelV4({
    doGenerate: async () =>
      ({
        content: [{ type: "text", text: JSON.stringify({ statements }) }],
        finishReason: { unified: "stop", raw: "stop" },
        usage,
        warnings: [],
      }) as never,
  });
  const { memory, say } = made(new ModelExtractor({ model }));
  await say("Hello.");
  const told = await say("Oslo is home now.");
  expect(await memory.extraction.run(acme, "m", ada)).toMatchObject({ created: 1 });
  expect((await memory.records.list(acme, "m")).items).toMatchObject([
    { text: "Ada lives in Oslo.", evidence: [told.id], confidence: 0.9 },
  ]);
});

test("a language model keeps one running summary, and is shown the one that is known", async () => {
  const prompts: string[] = [];
  const usage = { inputTokens: { total: 1 }, outputTokens: { total: 1 } };
  const model = new MockLanguageModelV4({
    doGenerate: async ({ prompt }) => {
      prompts.push(JSON.stringify(prompt));
      const text = `Summary number ${prompts.length}.`;
      const statements = [{ text, kind: "summary", subject: "session", confidence: 1, turns: [] }];
      const content = [{ type: "text", text: JSON.stringify({ statements }) }];
      return { content, finishReason: { unified: "stop", raw: "stop" }, usage, warnings: [] } as never;
    },
  });
  const extractor = new ModelExtractor({ model, instructions: summaryInstructions });
  const { memory, say } = made(extractor, "/summaries/{actorId}/{sessionId}");
  await say("Hello.");
  expect(await memory.extraction.run(acme, "m", ada)).toMatchObject({ created: 1 });
  await say("Goodbye.");
  expect(await memory.extraction.run(acme, "m", ada)).toMatchObject({ superseded: 1 });
  expect(prompts[1]).toContain("Summary number 1.");
  expect((await memory.records.list(acme, "m")).items).toMatchObject([{ text: "Summary number 2.", kind: "summary" }]);
});

test("one run works on everybody's sessions, and a namespace may hold keys of one's own", async () => {
  const strategy = {
    id: "facts",
    extractor: new RuleExtractor(),
    namespace: "/{region}/{actorId}/{sessionId}",
    keys: ({ actor }: { readonly actor: string }) => ({ region: actor === "ada" ? "eu/north" : "us" }),
  };
  const memory = new Memory({ store: new InMemoryMemoryStore(), strategies: [strategy] });
  for (const actor of ["ada", "ben"])
    for (let session = 0; session < 60; session++)
      await memory.events.append(acme, "m", { actor, session: `s${session}`, role: "user", text: "I live in Rome." });
  expect(await memory.extraction.run(acme, "m")).toMatchObject({ windows: 120, created: 120, failed: 0 });
  const { items } = await memory.records.list(acme, "m", { namespace: "/eu%2Fnorth/ada/s7" });
  expect(items).toHaveLength(1);
  expect(await memory.extraction.list(acme, "m", { actor: "ben" })).toHaveLength(60);
  expect(await memory.extraction.run(acme, "m")).toMatchObject({ windows: 0 });
});

test("a run that is aborted is no failure: the window waits for the next", async () => {
  const abort = new AbortController();
  const rules = new RuleExtractor();
  const { memory, say } = made({
    extract: async (window, { signal } = {}) => {
      if (signal !== undefined) abort.abort(new Error("shutting down"));
      signal?.throwIfAborted();
      return rules.extract(window);
    },
  });
  await say("I live in Rome.");
  await expect(memory.extraction.run({ ...acme, signal: abort.signal }, "m")).rejects.toThrow("shutting down");
  expect(await memory.extraction.list(acme, "m")).toMatchObject([{ state: "pending", attempts: 0 }]);
  expect(await memory.extraction.run(acme, "m")).toMatchObject({ created: 1 });
});
