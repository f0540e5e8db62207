import { createHash } from "node:crypto";
import { z } from "zod";
import type { CallContext, IdSource } from "./dialect.ts";
import { MemoryError } from "./errors.ts";
import { type EventRow, eventIndexing } from "./internal/event-row.ts";
import { indexing, statisticsOf } from "./internal/indexing.ts";
import { keys, under } from "./internal/keys.ts";
import { merge } from "./internal/merge.ts";
import { scopeOf } from "./internal/parse.ts";
import { type RecordRow, recordIndexing } from "./internal/record-row.ts";
import type { Batch, MemoryStore, Scope } from "./memory-store.ts";

const FORMAT = "ashlar-memory";
const CHUNK = 64;
/** Whole parts of the key space, which an export carries as they are; the index is made anew from them. */
const parts = [
  "audit/",
  "definition/",
  "document/",
  "event/",
  "expiry/",
  "external/",
  "about/",
  "id/",
  "job/",
  "namespace/",
  "next/",
  "once/",
  "record/",
  "session/",
  "version/",
];
const vectors = "vector/";
const sources = ["events", "records"] as const;

const line = z.strictObject({
  key: z
    .string()
    .max(4_096)
    .regex(/^[!-~]+$/),
  value: z.string(),
  sha256: z.string().length(64),
});
const header = z.strictObject({ format: z.literal(FORMAT), version: z.literal(1) });
const footer = z.strictObject({ end: z.literal(true), lines: z.number(), sha256: z.string() });

const digest = (text: string): string => createHash("sha256").update(text).digest("hex");

export interface TransferDeps {
  readonly store: MemoryStore;
  readonly ids: IdSource;
}

/** Carries a memory from one store to another, whatever they are. */
export class Transfer {
  readonly #store: MemoryStore;
  readonly #ids: IdSource;

  constructor({ store, ids }: TransferDeps) {
    this.#store = store;
    this.#ids = ids;
  }

  /**
   * Lines of JSON, each with the SHA-256 of what it holds, closed by one over all. Write nothing meanwhile. Vectors, which
   * `reembed` can make anew, are left out unless asked for.
   */
  async *export(
    context: CallContext,
    memory: string,
    options: { readonly vectors?: boolean } = {},
  ): AsyncGenerator<string> {
    const scope = scopeOf(context, memory);
    yield JSON.stringify({ format: FORMAT, version: 1 });
    const whole = createHash("sha256");
    let lines = 0;
    for (const prefix of options.vectors === true ? [...parts, vectors] : parts) {
      let { from, to } = under(prefix);
      for (;;) {
        context.signal?.throwIfAborted();
        const entries = await this.#store.scan(scope, { from, to, limit: CHUNK });
        for (const { key, value } of entries) {
          const sha256 = digest(`${key}\n${value}`);
          whole.update(sha256);
          lines += 1;
          yield JSON.stringify({ key, value, sha256 });
        }
        const last = entries.at(-1);
        if (last === undefined || entries.length < CHUNK) break;
        from = `${last.key}!`;
      }
    }
    yield JSON.stringify({ end: true, lines, sha256: whole.digest("hex") });
  }

  /** Into an empty memory only. A damaged or cut export is refused, and the memory is empty again. */
  async import(context: CallContext, memory: string, lines: AsyncIterable<string> | Iterable<string>): Promise<void> {
    const scope = scopeOf(context, memory);
    const many =
      typeof lines === "object" && lines !== null && (Symbol.iterator in lines || Symbol.asyncIterator in lines);
    if (!many) throw new MemoryError("MEMORY_INVALID", "An import takes lines: those that an export gave, in order.");
    if ((await this.#store.scan(scope, { from: "!", to: "~", limit: 1 })).length > 0) {
      throw new MemoryError("MEMORY_CONFLICT", "This memory holds something: import into an empty one.");
    }
    try {
      await this.#take(scope, lines, context.signal);
    } catch (error) {
      await this.#store.drop(scope);
      throw error;
    }
  }

  async #take(
    scope: Scope,
    lines: AsyncIterable<string> | Iterable<string>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const whole = createHash("sha256");
    let count = -1;
    let ended = false;
    let waiting: Batch[] = [];
    for await (const text of lines) {
      signal?.throwIfAborted();
      if (ended) throw damaged("goes on after its end");
      if (typeof text !== "string") throw damaged("has a line that is no text");
      if (count === -1) {
        take(header, text);
      } else if (text.startsWith('{"end"')) {
        const end = take(footer, text);
        if (end.lines !== count || end.sha256 !== whole.digest("hex"))
          throw damaged("does not have the lines it was made of");
        ended = true;
      } else {
        const { key, value, sha256 } = take(line, text);
        if (digest(`${key}\n${value}`) !== sha256) throw damaged(`differs from its checksum in line ${count + 2}`);
        whole.update(sha256);
        waiting.push(entering(key, value));
        if (waiting.length >= CHUNK) {
          await this.#store.commit(scope, merge(...waiting));
          waiting = [];
        }
      }
      count += 1;
      if (ended) count -= 1;
    }
    if (!ended) throw damaged("is cut off");
    const anew = sources.map((source) => ({ key: keys.generation(source), value: this.#ids.next("gen") }));
    await this.#store.commit(scope, merge(...waiting, { put: anew }));
  }
}

function entering(key: string, value: string): Batch {
  if (![...parts, vectors].some((prefix) => key.startsWith(prefix))) throw damaged("has a key of no known kind");
  const put = { put: [{ key, value }] };
  if (key.startsWith("session/")) return { ...put, add: [{ counter: statisticsOf("events")[2], by: 1 }] };
  if (key.startsWith("event/")) {
    const row = json(value) as EventRow;
    if (!Array.isArray(row.items) || key !== keys.event(row.group, row.position))
      throw damaged("has an event out of place");
    const text = eventIndexing(row);
    return text === undefined ? put : merge(put, indexing(text));
  }
  if (key.startsWith("record/")) {
    const row = json(value) as RecordRow;
    if (typeof row.text !== "string" || key !== keys.record(row.ordinal)) throw damaged("has a record out of place");
    return merge(put, indexing(recordIndexing(row)));
  }
  return put;
}

function take<T>(schema: z.ZodType<T>, text: string): T {
  const result = schema.safeParse(json(text));
  if (!result.success) throw damaged("has a line of another shape, or of a later release");
  return result.data;
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw damaged("has a line that is not JSON");
  }
}

const damaged = (how: string): MemoryError =>
  new MemoryError("MEMORY_CORRUPT", `The export ${how}: make it again at the source. Nothing was imported.`);
