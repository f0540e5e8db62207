import { z } from "zod";
import type { MemoryDefinition, NewDefinition } from "./definition.ts";
import type { CallContext, Clock, Page } from "./dialect.ts";
import { MemoryError } from "./errors.ts";
import { keys } from "./internal/keys.ts";
import { parse, scopeOf } from "./internal/parse.ts";
import type { Transactions } from "./internal/transactions.ts";
import type { MemoryStore } from "./memory-store.ts";

export interface DefinitionsDeps {
  readonly store: MemoryStore;
  readonly transactions: Transactions;
  readonly clock: Clock;
}

const name = z.string().min(1).max(256);
const duration = z.int().min(1).max(1e14).exactOptional();
const newDefinition = z.strictObject({
  description: z.string().max(4_096).exactOptional(),
  strategies: z.array(name).max(100).exactOptional(),
  retention: z.strictObject({ eventsMs: duration, recordsMs: duration }).exactOptional(),
  embedder: name.exactOptional(),
});

const versionNumber = z.int().min(1);
const listed = z.strictObject({
  limit: z.int().min(1).max(1_000).exactOptional(),
  cursor: z.string().max(256).exactOptional(),
});
const precondition = z.strictObject({ ifVersion: z.int().min(0).exactOptional() });

/** What each memory is set up to do, kept with it; each change a version that stays. */
export class Definitions {
  readonly #deps: DefinitionsDeps;

  constructor(deps: DefinitionsDeps) {
    this.#deps = deps;
  }

  /** Sets the whole of it. `ifVersion` is what the caller has read, 0 for nothing: refused when it is another. */
  async put(
    context: CallContext,
    memory: string,
    definition: NewDefinition,
    options: { readonly ifVersion?: number } = {},
  ): Promise<MemoryDefinition> {
    const scope = scopeOf(context, memory);
    const parsed = parse(newDefinition, definition, "definition");
    const { ifVersion } = parse(precondition, options, "precondition");
    return this.#deps.transactions.run(scope, async () => {
      const { values } = await this.#deps.store.read(scope, { keys: [keys.definition()] });
      const [found] = values;
      const old = found === undefined ? undefined : (JSON.parse(found) as MemoryDefinition);
      const version = old?.version ?? 0;
      if (ifVersion !== undefined && ifVersion !== version) {
        throw new MemoryError("MEMORY_CONFLICT", `The definition is at version ${version}: read it and decide anew.`);
      }
      const now = this.#deps.clock.now();
      const result: MemoryDefinition = {
        ...parsed,
        name: memory,
        version: version + 1,
        createdAt: old?.createdAt ?? now,
        updatedAt: now,
      };
      const value = JSON.stringify(result);
      const put = [
        { key: keys.definition(), value },
        { key: keys.definition(result.version), value },
      ];
      return { batch: { expect: [{ key: keys.definition(), value: found }], put }, result };
    });
  }

  /** The present one, or an earlier version. */
  async get(context: CallContext, memory: string, version?: number): Promise<MemoryDefinition | undefined> {
    const key = keys.definition(parse(versionNumber.optional(), version, "version"));
    const { values } = await this.#deps.store.read(scopeOf(context, memory), { keys: [key] });
    return values[0] === undefined ? undefined : (JSON.parse(values[0]) as MemoryDefinition);
  }

  /** The tenant's defined memories, by name. */
  async list(
    context: CallContext,
    query: { readonly limit?: number; readonly cursor?: string } = {},
  ): Promise<Page<MemoryDefinition>> {
    const { limit = 100, cursor = "" } = parse(listed, query, "query");
    const { tenant } = scopeOf(context, "-");
    const items: MemoryDefinition[] = [];
    for (let after = cursor; ; ) {
      const scopes = await this.#deps.store.scopes({ after: { tenant, memory: after }, limit });
      for (const { memory } of scopes.filter((scope) => scope.tenant === tenant)) {
        if (items.length === limit) return { items, cursor: after };
        after = memory;
        const definition = await this.get(context, memory);
        if (definition !== undefined) items.push(definition);
      }
      if (scopes.length < limit || scopes.at(-1)?.tenant !== tenant) return { items };
    }
  }
}
