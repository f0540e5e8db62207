import assert from "node:assert/strict";
import type { CallContext } from "../dialect.ts";
import type { SessionMemory } from "../session-memory.ts";
import type { TestFunction } from "./suite.ts";

export interface SessionMemoryConformance {
  readonly test: TestFunction;
  create(): Promise<{
    /** Remembers nothing yet. */
    readonly memory: SessionMemory;
    readonly context: CallContext;
    /** Of another tenant. */
    readonly stranger: CallContext;
    /** Resolves when what was remembered can be recalled, for a memory that works in the background. */
    settle?(): Promise<void>;
  }>;
}

const AT = Date.UTC(2026, 0, 1);
const turns = [
  { role: "user", text: "The invoice 9421 was charged twice in March.", at: AT },
  { role: "assistant", text: "A refund for invoice 9421 needs an approval.", at: AT + 1_000 },
  { role: "tool", text: "The weather in Lisbon is mild.", at: AT + 2_000 },
] as const;

/** The law of `SessionMemory`. */
export function sessionMemoryConformance({ test, create }: SessionMemoryConformance): void {
  const law = (name: string, body: (parts: Awaited<ReturnType<typeof create>>) => Promise<void>) =>
    test(`session memory: ${name}`, async () => body(await create()));

  const fill = async ({ memory, context, settle }: Awaited<ReturnType<typeof create>>) => {
    for (const turn of turns) await memory.remember(context, turn);
    await settle?.();
  };

  law("an empty memory recalls nothing", async ({ memory, context }) => {
    assert.deepEqual(await memory.recall(context, { text: "invoice" }), []);
  });

  law("a remembered turn is recalled by its words, with an id, a score and a time in milliseconds", async (parts) => {
    await fill(parts);
    const [first] = await parts.memory.recall(parts.context, { text: "weather Lisbon" });
    assert.ok(first, "nothing was recalled");
    assert.match(first.text, /Lisbon/);
    assert.ok(first.id.length > 0);
    assert.ok(Number.isFinite(first.score));
    assert.ok(first.at >= AT && first.at < AT * 10, `at is ${first.at}, which is not in milliseconds since 1970`);
  });

  law("the best come first, and never more than asked for", async (parts) => {
    await fill(parts);
    const query = "refund approval for invoice 9421";
    const found = await parts.memory.recall(parts.context, { text: query });
    assert.equal((await parts.memory.recall(parts.context, { text: query, limit: 1 })).length, 1);
    assert.match(found[0]?.text ?? "", /refund/);
    const scores = found.map(({ score }) => score);
    assert.deepEqual(
      scores,
      [...scores].sort((a, b) => b - a),
    );
  });

  law("another tenant recalls none of it", async (parts) => {
    await fill(parts);
    const found = await parts.memory.recall(parts.stranger, { text: "invoice 9421 weather Lisbon" });
    assert.deepEqual(found, []);
  });

  law("a turn remembered twice under one key is one", async ({ memory, context, settle }) => {
    const once: CallContext = { ...context, idempotencyKey: "turn-1" };
    await memory.remember(once, turns[0]);
    await settle?.();
    const before = await memory.recall(context, { text: "invoice" });
    await memory.remember(once, turns[0]);
    await settle?.();
    const after = await memory.recall(context, { text: "invoice" });
    assert.ok(before.length > 0, "nothing was recalled");
    assert.deepEqual(
      after.map(({ id }) => id),
      before.map(({ id }) => id),
    );
  });
}
