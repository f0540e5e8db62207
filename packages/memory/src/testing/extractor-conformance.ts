import assert from "node:assert/strict";
import type { MemoryEvent } from "../event.ts";
import type { Extraction, ExtractionWindow, Extractor } from "../extractor.ts";
import { InMemoryMemoryStore } from "../in-memory/index.ts";
import { Memory } from "../memory.ts";
import { ManualClock } from "./manual-clock.ts";
import type { TestFunction } from "./suite.ts";

export interface ExtractorConformanceOptions {
  readonly test: TestFunction;
  readonly createExtractor: () => Extractor | Promise<Extractor>;
  /** Turns of a conversation that this extractor finds something in. */
  readonly turns: readonly string[];
}

const context = { principal: { tenant: "conformance" } };
const ada = { actor: "ada", session: "s" };

/** The law of `Extractor`: run it with your runner's `test` on your own. */
export function extractorConformance({ test, createExtractor, turns }: ExtractorConformanceOptions): void {
  const law = (name: string, body: (extractor: Extractor) => Promise<void>) =>
    test(`Extractor: ${name}`, async () => body(await createExtractor()));

  law("it finds something in what it is for, with evidence from the window alone", async (extractor) => {
    const window = await windowOf(turns);
    const found = await extractor.extract(window);
    assert.ok(found.length > 0);
    const told = new Set(window.events.map(({ id }) => id));
    for (const { text, evidence = [], confidence = 1 } of found) {
      assert.ok(text.trim() !== "");
      assert.ok(
        evidence.every((id) => told.has(id)),
        "evidence is of events of the window",
      );
      assert.ok(confidence >= 0 && confidence <= 1);
    }
  });

  law("what it finds is taken as records, and the same window again adds nothing", async (extractor) => {
    const clock = new ManualClock();
    const strategies = [{ id: "conformance", extractor }];
    const memory = new Memory({ store: new InMemoryMemoryStore(), clock, strategies });
    for (const text of turns) await memory.events.append(context, "m", { ...ada, role: "user", text });
    const { created, failed } = await memory.extraction.run(context, "m");
    assert.equal(failed, 0);
    assert.ok(created > 0);
    const texts = (await memory.records.list(context, "m")).items.map(({ text }) => text);
    const again = new Memory({ store: new InMemoryMemoryStore(), clock, strategies });
    for (const text of turns) await again.events.append(context, "m", { ...ada, role: "user", text });
    await again.extraction.run(context, "m");
    assert.deepEqual(
      (await again.records.list(context, "m")).items.map(({ text }) => text),
      texts,
    );
    assert.equal((await again.extraction.run(context, "m")).windows, 0);
  });

  law("an empty window, and events without words, give nothing", async (extractor) => {
    const { events, ...rest } = await windowOf(turns);
    const wordless = events.map((event): MemoryEvent => ({ ...event, items: [{ type: "json", value: { n: 1 } }] }));
    const nothing: readonly Extraction[] = [];
    assert.deepEqual(await extractor.extract({ ...rest, events: [] }), nothing);
    assert.deepEqual(await extractor.extract({ ...rest, events: wordless }), nothing);
  });
}

async function windowOf(turns: readonly string[]): Promise<ExtractionWindow> {
  const memory = new Memory({ store: new InMemoryMemoryStore(), clock: new ManualClock() });
  for (const text of turns) await memory.events.append(context, "m", { ...ada, role: "user", text });
  const { items: events } = await memory.events.list(context, "m", ada);
  return { context, memory: "m", ...ada, branch: "main", events, records: [] };
}
