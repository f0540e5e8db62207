import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { InMemoryMemoryStore } from "../in-memory/index.ts";
import { Memory } from "../memory.ts";
import { embedderConformance, extractorConformance, ManualClock } from "../testing/index.ts";
import { ModelEmbedder, ModelExtractor, ModelReflector, preferenceInstructions } from "./index.ts";

/** Scripted, in place of a model: answers as an OpenAI-compatible server does, from the request that it got. */
interface Asked {
  readonly model: string;
  readonly messages?: readonly { readonly role: string; readonly content: string }[];
  readonly response_format?: { readonly type: string };
  readonly input?: string | readonly string[];
}
const asked: Asked[] = [];
let broken: number | undefined;

const server = createServer(async (request, response) => {
  let text = "";
  for await (const chunk of request) text += chunk;
  const body = JSON.parse(text) as Asked;
  asked.push(body);
  const answer = request.url?.endsWith("/embeddings") ? embeddings(body) : completion(body);
  response.writeHead(broken ?? 200, { "content-type": "application/json" });
  response.end(broken === undefined ? JSON.stringify(answer) : JSON.stringify({ error: { message: `bad: ${text}` } }));
});

function completion({ messages = [] }: Asked): object {
  const prompt = JSON.parse(messages.findLast(({ role }) => role === "user")?.content ?? "{}") as {
    readonly sessions?: readonly object[];
    readonly turns?: readonly { readonly turn: number; readonly said: readonly { readonly text: string }[] }[];
  };
  const statements = (prompt.turns ?? []).flatMap(({ turn, said }) =>
    said.flatMap(({ text }) => {
      const city = /(?:live in|moved to) (\w+)/.exec(text)?.[1];
      return city === undefined
        ? []
        : [{ text: `Ada lives in ${city}.`, kind: "fact", subject: "home.city", confidence: 0.9, turns: [turn] }];
    }),
  );
  const message = {
    role: "assistant",
    content: JSON.stringify(prompt.sessions === undefined ? { statements } : reflected),
  };
  return {
    ...{ id: "c", object: "chat.completion", created: 1, model: "scripted" },
    choices: [{ index: 0, message, finish_reason: "stop" }],
    usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
  };
}

/** With numbers that no record and no session has, as a model may answer. */
const reflected = {
  merges: [{ records: [0, 1, 1, 99], text: "Ada likes herons and egrets.", reason: "Both are birds she likes." }],
  closures: [{ keep: 3, close: [2, 0], reason: "She moved." }],
  lessons: [
    { records: [2], sessions: [0, 7], subject: "deploy", text: "Raise the quota first.", reason: "It failed." },
  ],
};

function embeddings({ input = [] }: Asked): object {
  const values = typeof input === "string" ? [input] : input;
  const data = values.map((value, index) => {
    return { object: "embedding", index, embedding: [value.length, value.split("heron").length, 1] };
  });
  return { object: "list", data, model: "scripted", usage: { prompt_tokens: 1, total_tokens: 1 } };
}

const provider = () =>
  createOpenAICompatible({
    name: "scripted",
    baseURL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    apiKey: "none",
    supportsStructuredOutputs: true,
  });
const acme = { principal: { tenant: "acme" } };

describe("a language model of the AI SDK, over the provider's own protocol", () => {
  beforeAll(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)));
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  const extractor = () => new ModelExtractor({ model: provider()("scripted") });
  extractorConformance({ test, createExtractor: extractor, turns: ["Hello.", "I live in Rome."] });
  embedderConformance({
    test,
    createEmbedder: () => new ModelEmbedder({ model: provider().embeddingModel("scripted"), dimensions: 3 }),
  });

  test("a changed fact supersedes, both keep their evidence, nothing is deleted", async () => {
    const clock = new ManualClock();
    const memory = new Memory({
      store: new InMemoryMemoryStore(),
      clock,
      strategies: [{ id: "facts", extractor: extractor() }],
    });
    const say = (text: string) => {
      clock.jump(clock.now() + 1_000);
      return memory.events.append(acme, "m", { actor: "ada", session: "s", role: "user", text });
    };
    const [, rome] = [await say("Hello!"), await say("I live in Rome.")];
    expect(await memory.extraction.run(acme, "m")).toMatchObject({ created: 1 });
    const oslo = await say("We have moved to Oslo.");
    expect(await memory.extraction.run(acme, "m")).toMatchObject({ superseded: 1, failed: 0 });
    const all = (await memory.records.list(acme, "m", { withSuperseded: true })).items;
    expect(all.map(({ text, evidence }) => [text, evidence])).toEqual([
      ["Ada lives in Rome.", [rome.id]],
      ["Ada lives in Oslo.", [oslo.id]],
    ]);
    const hits = await memory.search(acme, "m", { text: "where does Ada live", sources: ["records"] });
    expect(hits.map(({ text }) => text)).toEqual(["Ada lives in Oslo."]);
    expect(asked.at(-1)).toMatchObject({ model: "scripted", response_format: { type: "json_schema" } });
    expect(asked.at(-1)?.messages?.at(-1)?.content).toContain("Ada lives in Rome.");
  });

  test("it reflects on records and sessions; what it invents is left out, and nothing changes before review", async () => {
    const clock = new ManualClock();
    const reflector = new ModelReflector({ model: provider()("scripted") });
    const memory = new Memory({ store: new InMemoryMemoryStore(), clock, reflector });
    for (const text of ["Ada likes herons.", "Ada likes egrets.", "Ada lives in Rome.", "Ada lives in Oslo."]) {
      clock.jump(clock.now() + 1_000);
      await memory.records.create(acme, "m", { text, evidence: [`evt_${text.at(-2)}`] });
    }
    const told = await memory.events.append(acme, "m", { actor: "ada", session: "s", role: "user", text: "Deploy!" });
    const proposal = await memory.reflections.propose(acme, "m", { actor: "ada" });
    expect(proposal.revisions.map(({ action }) => action)).toEqual(["merge", "close", "learn"]);
    expect((await memory.records.list(acme, "m")).items).toHaveLength(4);
    await memory.reflections.apply(acme, "m", proposal);
    const { items } = await memory.records.list(acme, "m");
    expect(items.map(({ text }) => text).toSorted()).toEqual([
      ...["Ada likes herons and egrets.", "Ada lives in Oslo.", "Raise the quota first."],
    ]);
    expect(items.find(({ kind }) => kind === "reflection")?.evidence).toEqual([told.id]);
    expect((await memory.records.list(acme, "m", { withSuperseded: true })).items).toHaveLength(6);
  });

  test("a server that fails leaves the job to be redriven, and nobody's words in it", async () => {
    const failing = new ModelExtractor({
      model: provider()("scripted"),
      instructions: preferenceInstructions,
      maxRetries: 0,
    });
    const strategies = [{ id: "facts", extractor: failing }];
    const memory = new Memory({ store: new InMemoryMemoryStore(), strategies });
    await memory.events.append(acme, "m", { actor: "ada", session: "s", role: "user", text: "I live in Quokkatown." });
    broken = 500;
    try {
      for (let attempt = 0; attempt < 3; attempt++) {
        expect(await memory.extraction.run(acme, "m")).toMatchObject({ failed: 1 });
      }
    } finally {
      broken = undefined;
    }
    const jobs = await memory.extraction.list(acme, "m");
    expect(jobs).toMatchObject([{ state: "failed", attempts: 3 }]);
    expect(JSON.stringify(jobs)).not.toContain("Quokkatown");
    expect(await memory.extraction.redrive(acme, "m")).toBe(1);
    expect(await memory.extraction.run(acme, "m")).toMatchObject({ created: 1 });
  });
});
