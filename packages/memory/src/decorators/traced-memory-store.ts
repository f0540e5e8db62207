import { SpanStatusCode, type Tracer, trace } from "@opentelemetry/api";
import { MemoryError } from "../errors.ts";
import type { Batch, Entry, Found, Lookup, MemoryStore, Range, Scope } from "../memory-store.ts";

/** One span for each call of a store: how much was asked for and what kind of failure, never a key, term or value. */
export class TracedMemoryStore implements MemoryStore {
  readonly #store: MemoryStore;
  readonly #tracer: Tracer;

  constructor({
    store,
    tracer = trace.getTracer("ashlar.memory"),
  }: { readonly store: MemoryStore; readonly tracer?: Tracer }) {
    this.#store = store;
    this.#tracer = tracer;
  }

  read(scope: Scope, lookup: Lookup): Promise<Found> {
    const size = (lookup.keys?.length ?? 0) + (lookup.counters?.length ?? 0) + (lookup.terms?.length ?? 0);
    return this.#span("read", size, () => this.#store.read(scope, lookup));
  }

  scan(scope: Scope, range: Range): Promise<readonly Entry[]> {
    return this.#span("scan", range.limit, () => this.#store.scan(scope, range));
  }

  commit(scope: Scope, batch: Batch): Promise<boolean> {
    const size = Object.values(batch).reduce((sum: number, part: readonly unknown[]) => sum + part.length, 0);
    return this.#span("commit", size, () => this.#store.commit(scope, batch));
  }

  version(scope: Scope): Promise<number> {
    return this.#span("version", 1, () => this.#store.version(scope));
  }

  scopes(page: { readonly after?: Scope; readonly limit: number }): Promise<readonly Scope[]> {
    return this.#span("scopes", page.limit, () => this.#store.scopes(page));
  }

  drop(scope: Scope): Promise<void> {
    return this.#span("drop", 1, () => this.#store.drop(scope));
  }

  compact(): Promise<void> {
    return this.#span("compact", 1, () => this.#store.compact());
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  #span<T>(operation: string, size: number, body: () => Promise<T>): Promise<T> {
    const attributes = { "ashlar.memory.operation": operation, "ashlar.memory.size": size };
    return this.#tracer.startActiveSpan(`memory.store ${operation}`, { attributes }, async (span) => {
      try {
        return await body();
      } catch (error) {
        const type = MemoryError.is(error) ? error.code : error instanceof Error ? error.name : "_OTHER";
        span.setAttribute("error.type", type);
        span.setStatus({ code: SpanStatusCode.ERROR });
        throw error;
      } finally {
        span.end();
      }
    });
  }
}
