import { z } from "zod";
import type { CallContext, Clock, IdSource } from "./dialect.ts";
import { type Head, removal } from "./events.ts";
import type { EventRow } from "./internal/event-row.ts";
import { statisticsOf } from "./internal/indexing.ts";
import { keys, part, under } from "./internal/keys.ts";
import { merge } from "./internal/merge.ts";
import { name, parse, scopeOf } from "./internal/parse.ts";
import { removing } from "./internal/record-changes.ts";
import type { RecordRow } from "./internal/record-row.ts";
import { everything } from "./internal/scanning.ts";
import type { Transactions } from "./internal/transactions.ts";
import type { Batch, MemoryStore, Range, Scope } from "./memory-store.ts";

/** Rows of one commit: a sweep must not hold up the calls beside it. */
const CHUNK = 32;

export interface LifecycleDeps {
  readonly store: MemoryStore;
  readonly transactions: Transactions;
  readonly clock: Clock;
  readonly ids: IdSource;
}

export interface Removed {
  readonly events: number;
  readonly records: number;
  /** Documents, each with all of its versions. */
  readonly documents: number;
}

/** Whose traces go: an actor's, one session's of that actor, or the documents at a path and below. */
export type ForgetTarget = { readonly actor: string; readonly session?: string } | { readonly documents: string };

/** Says that something was removed, how much and when, and nothing of what or whose it was. */
export interface AuditEntry extends Removed {
  readonly id: string;
  readonly at: number;
  readonly action: "forget" | "sweep";
  readonly by: string;
}

const PAGE = 500;
const forgetTarget = z.union([
  z.strictObject({ actor: name, session: name.exactOptional() }),
  z.strictObject({
    documents: z
      .string()
      .max(1_024)
      .regex(/^\/[^\0\p{Surrogate}]*$/u, "begins with a slash"),
  }),
]);

const none: Removed = { events: 0, records: 0, documents: 0 };

const groupRange = (group: number): Omit<Range, "limit"> => {
  return under(`event/${keys.event(group, 0).split("/")[1]}/`);
};

/** How what was kept goes away. */
export class Lifecycle {
  readonly #deps: LifecycleDeps;

  constructor(deps: LifecycleDeps) {
    this.#deps = deps;
  }

  /**
   * Removes an actor's sessions, the records about that actor and those that rest on nothing but what that actor's events
   * tell; of one session its events and the records that rest on it alone; or documents. Rows, postings, vectors and
   * versions go. May be repeated after a failure.
   */
  async forget(context: CallContext, memory: string, target: ForgetTarget): Promise<Removed> {
    const scope = scopeOf(context, memory);
    const parsed = parse(forgetTarget, target, "target") as ForgetTarget;
    const removed =
      "documents" in parsed
        ? { events: 0, records: 0, documents: await this.#documents(scope, parsed.documents) }
        : await this.#actor(scope, parsed, context.signal);
    await this.#audit(context, scope, "forget", removed);
    return removed;
  }

  /** Removes what has expired. Until then it only takes room: expired rows are never returned. */
  async sweep(context: CallContext, memory: string): Promise<Removed> {
    const scope = scopeOf(context, memory);
    const due = { from: "expiry/", to: keys.expiry(this.#deps.clock.now() + 1, "") };
    const removed = await this.#remove(scope, due, context.signal);
    if (removed.events + removed.records > 0) await this.#audit(context, scope, "sweep", removed);
    return removed;
  }

  /** Oldest first. */
  async audit(context: CallContext, memory: string): Promise<readonly AuditEntry[]> {
    const entries = await everything(this.#deps.store, scopeOf(context, memory), under("audit/"));
    return entries.map(({ value }) => JSON.parse(value) as AuditEntry);
  }

  async #actor(
    scope: Scope,
    { actor, session }: { readonly actor: string; readonly session?: string },
    signal: AbortSignal | undefined,
  ): Promise<Removed> {
    const sessions = `${session === undefined ? keys.session(actor) : keys.session(actor, session)}/`;
    let records = await this.#drawnFrom(scope, under(sessions), signal);
    if (session === undefined) records += (await this.#remove(scope, under(`${keys.about(actor)}/`), signal)).records;
    let events = 0;
    for (const { key, value } of await everything(this.#deps.store, scope, under(sessions))) {
      const { group } = JSON.parse(value) as Head;
      events += (await this.#remove(scope, groupRange(group), signal)).events;
      await this.#deps.transactions.run(scope, async () => {
        const { values } = await this.#deps.store.read(scope, { keys: [key] });
        if (values[0] === undefined) return { result: undefined };
        const add = [{ counter: statisticsOf("events")[2], by: -1 }];
        return { batch: { expect: [{ key, value: values[0] }], delete: [key], add }, result: undefined };
      });
    }
    const jobs = session === undefined ? part(actor) : `${part(actor)}/${part(session)}`;
    for (const { key } of await everything(this.#deps.store, scope, under(`job/${jobs}/`))) {
      await this.#deps.store.commit(scope, { delete: [key] });
    }
    return { events, records, documents: 0 };
  }

  /** Removes the records that rest on events of these branches and on nothing else. */
  async #drawnFrom(scope: Scope, branches: Omit<Range, "limit">, signal: AbortSignal | undefined): Promise<number> {
    const { store, transactions } = this.#deps;
    const told = new Set<string>();
    for (const { value } of await everything(store, scope, branches)) {
      const events = await everything(store, scope, groupRange((JSON.parse(value) as Head).group));
      for (const event of events) told.add((JSON.parse(event.value) as EventRow).id);
    }
    if (told.size === 0) return 0;
    let count = 0;
    for (let { from, to } = under("record/"); ; ) {
      signal?.throwIfAborted();
      const entries = await store.scan(scope, { from, to, limit: PAGE });
      for (const { key, value } of entries) {
        const { evidence } = JSON.parse(value) as RecordRow;
        if (evidence.length === 0 || !evidence.every((id) => told.has(id))) continue;
        count += await transactions.run(scope, async () => {
          const { values } = await store.read(scope, { keys: [key] });
          return values[0] === undefined
            ? { result: 0 }
            : { batch: removing(JSON.parse(values[0]) as RecordRow), result: 1 };
        });
      }
      const last = entries.at(-1);
      if (last === undefined || entries.length < PAGE) return count;
      from = `${last.key}!`;
    }
  }

  async #documents(scope: Scope, path: string): Promise<number> {
    const names = path.split("/").filter((name) => name !== "");
    const documents = new Set<string>();
    for (const { key } of await everything(
      this.#deps.store,
      scope,
      under(`version/${["document", ...names.map(part)].join("/")}/`),
    )) {
      documents.add(key.slice("version/".length, key.indexOf("//")));
    }
    for (const document of documents) {
      await this.#deps.transactions.run(scope, async () => {
        const next = `next/${document}`;
        const { values } = await this.#deps.store.read(scope, { keys: [next] });
        const versions = await everything(this.#deps.store, scope, under(`version/${document}//`));
        const all = [document, next, ...versions.map(({ key }) => key)];
        return { batch: { expect: [{ key: next, value: values[0] }], delete: all }, result: undefined };
      });
    }
    return documents.size;
  }

  /** Removes the rows of a range, or those that the range's entries point to. */
  async #remove(scope: Scope, range: Omit<Range, "limit">, signal: AbortSignal | undefined): Promise<Removed> {
    const total = { ...none };
    for (;;) {
      signal?.throwIfAborted();
      const chunk = await this.#deps.transactions.run(scope, async () => {
        const entries = await this.#deps.store.scan(scope, { ...range, limit: CHUNK });
        const places = entries.map(({ key, value }) => (key.startsWith("event/") ? key : value));
        const { values } = await this.#deps.store.read(scope, { keys: places });
        const batches: Batch[] = [];
        const removed = { ...none };
        values.forEach((value, index) => {
          if (value === undefined) batches.push({ delete: [entries[index]?.key ?? ""] });
          else if (places[index]?.startsWith("event/")) {
            batches.push(removal(JSON.parse(value) as EventRow));
            removed.events += 1;
          } else {
            batches.push(removing(JSON.parse(value) as RecordRow));
            removed.records += 1;
          }
        });
        const result = { ...removed, done: entries.length < CHUNK };
        return batches.length === 0 ? { result } : { batch: merge(...batches), result };
      });
      total.events += chunk.events;
      total.records += chunk.records;
      if (chunk.done) return total;
    }
  }

  async #audit(context: CallContext, scope: Scope, action: AuditEntry["action"], removed: Removed): Promise<void> {
    const { principal } = context;
    const at = this.#deps.clock.now();
    const by = principal.agent ?? "operator";
    const entry: AuditEntry = { id: this.#deps.ids.next("aud"), at, action, by, ...removed };
    const key = `audit/${String(at).padStart(16, "0")}/${entry.id}`;
    await this.#deps.store.commit(scope, { put: [{ key, value: JSON.stringify(entry) }] });
  }
}
