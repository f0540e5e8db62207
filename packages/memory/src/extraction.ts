import type { MemoryDefinition } from "./definition.ts";
import type { CallContext, Clock } from "./dialect.ts";
import { MemoryError } from "./errors.ts";
import type { Events } from "./events.ts";
import type { Strategy } from "./extractor.ts";
import { keys, part, under } from "./internal/keys.ts";
import { scopeOf } from "./internal/parse.ts";
import type { MemoryStore, Scope } from "./memory-store.ts";
import type { MemoryRecord, NewRecord } from "./record.ts";
import type { Records } from "./records.ts";

const ATTEMPTS = 3;
const LEASE_MS = 300_000;
/** Most events that one extraction sees. */
const WINDOW = 50;

export interface ExtractionDeps {
  readonly store: MemoryStore;
  readonly clock: Clock;
  readonly events: Events;
  readonly records: Records;
  readonly strategies: readonly Strategy[];
}

/** How far a strategy has come in one branch. */
export interface ExtractionJob {
  readonly strategy: string;
  readonly actor: string;
  readonly session: string;
  readonly branch: string;
  readonly state: "pending" | "running" | "failed" | "done";
  /** Position of the first event that was not looked at. */
  readonly next: number;
  readonly attempts: number;
  /** Until then a running job belongs to its worker. */
  readonly leaseUntil?: number;
  /** What kind of failure the last one was; never its message, which may quote what users said. */
  readonly error?: string;
}

export interface ExtractionReport {
  readonly windows: number;
  readonly created: number;
  readonly superseded: number;
  readonly failed: number;
}

/**
 * Draws records from events in the background: appending never waits for it. At least once: after a crash a window is
 * read again, and consolidation finds what it had already said.
 */
export class ExtractionJobs {
  readonly #deps: ExtractionDeps;

  constructor(deps: ExtractionDeps) {
    this.#deps = deps;
    const ids = deps.strategies.map(({ id }) => id);
    if (new Set(ids).size !== ids.length) throw new MemoryError("MEMORY_INVALID", "Two strategies have the same id.");
  }

  /** Works on what was appended to an actor's sessions since the last run. Call it from a schedule or after a session. */
  async run(context: CallContext, memory: string, { actor }: { readonly actor: string }): Promise<ExtractionReport> {
    const scope = scopeOf(context, memory);
    const report = { windows: 0, created: 0, superseded: 0, failed: 0 };
    const { values } = await this.#deps.store.read(scope, { keys: [keys.definition()] });
    const defined = values[0] === undefined ? undefined : (JSON.parse(values[0]) as MemoryDefinition).strategies;
    for (const branch of await this.#deps.events.branches(context, memory, { actor })) {
      for (const strategy of this.#deps.strategies) {
        if (strategy.memories?.includes(memory) === false || defined?.includes(strategy.id) === false) continue;
        const job = { strategy: strategy.id, actor, session: branch.session, branch: branch.branch };
        for (;;) {
          const done = await this.#window(context, memory, scope, strategy, job);
          if (done === undefined) break;
          report.windows += 1;
          report.created += done.created;
          report.superseded += done.superseded;
          report.failed += done.failed;
          if (done.failed > 0) break;
        }
      }
    }
    return report;
  }

  /** Every job of an actor, with its state. */
  async list(
    context: CallContext,
    memory: string,
    { actor }: { readonly actor: string },
  ): Promise<readonly ExtractionJob[]> {
    const range = under(`job/${part(actor)}/`);
    const entries = await this.#deps.store.scan(scopeOf(context, memory), { ...range, limit: 10_000 });
    return entries.map(({ value }) => JSON.parse(value) as ExtractionJob);
  }

  /** Lets failed jobs be tried again; returns how many. */
  async redrive(context: CallContext, memory: string, { actor }: { readonly actor: string }): Promise<number> {
    const scope = scopeOf(context, memory);
    let count = 0;
    for (const job of await this.list(context, memory, { actor })) {
      if (job.state !== "failed") continue;
      if (await this.#save(scope, job, { ...job, state: "pending", attempts: 0 })) count += 1;
    }
    return count;
  }

  async #window(
    context: CallContext,
    memory: string,
    scope: Scope,
    strategy: Strategy,
    names: Pick<ExtractionJob, "strategy" | "actor" | "session" | "branch">,
  ): Promise<{ created: number; superseded: number; failed: number } | undefined> {
    const { values } = await this.#deps.store.read(scope, { keys: [keyOf(names)] });
    const found = values[0] === undefined ? undefined : (JSON.parse(values[0]) as ExtractionJob);
    const now = this.#deps.clock.now();
    if (found?.state === "failed" || (found?.state === "running" && (found.leaseUntil ?? 0) > now)) return undefined;
    const job: ExtractionJob = found ?? { ...names, state: "pending", next: 0, attempts: 0 };
    const { items: events } = await this.#deps.events.list(context, memory, {
      ...names,
      withParents: false,
      limit: WINDOW,
      after: job.next - 1,
    });
    const last = events.at(-1);
    if (last === undefined) return undefined;
    const running: ExtractionJob = { ...job, state: "running", leaseUntil: now + LEASE_MS };
    if (!(await this.#save(scope, found, running))) return undefined;
    try {
      const { signal } = context;
      const namespace = resolve(strategy, names.actor, names.session);
      const { actor, session, branch } = names;
      const records = await this.#current(context, memory, namespace);
      const window = { context, memory, actor, session, branch, events, records };
      const extractions = await strategy.extractor.extract(window, signal === undefined ? {} : { signal });
      const result = { created: 0, superseded: 0, failed: 0 };
      for (const extraction of extractions) {
        const evidence = extraction.evidence ?? events.map(({ id }) => id);
        const record = { ...extraction, evidence, namespace, actor, author: strategy.id };
        const change = await this.#consolidate(context, memory, record);
        if (change !== undefined) result[change] += 1;
      }
      const { leaseUntil, error, ...rest } = running;
      await this.#save(scope, running, { ...rest, state: "done", next: last.position + 1, attempts: 0 });
      return result;
    } catch (cause) {
      const attempts = job.attempts + 1;
      const { leaseUntil, ...rest } = running;
      const state = attempts >= ATTEMPTS ? "failed" : "pending";
      const error = MemoryError.is(cause) ? cause.code : cause instanceof Error ? cause.name : "Error";
      await this.#save(scope, running, { ...rest, state, attempts, error });
      return { created: 0, superseded: 0, failed: 1 };
    }
  }

  /** Another value of the same subject supersedes; the same value again says nothing new. Nothing is deleted. */
  async #consolidate(
    context: CallContext,
    memory: string,
    record: NewRecord & { readonly namespace: string },
  ): Promise<"created" | "superseded" | undefined> {
    const current = await this.#current(context, memory, record.namespace);
    const same = (text: string) => text.trim().toLowerCase() === record.text.trim().toLowerCase();
    if (current.some(({ text }) => same(text))) return undefined;
    const old = current.find(({ subject }) => subject !== undefined && subject === record.subject);
    if (old === undefined) {
      await this.#deps.records.create(context, memory, record);
      return "created";
    }
    if ((record.validFrom ?? Number.POSITIVE_INFINITY) < old.validFrom) return undefined;
    await this.#deps.records.supersede(context, memory, old.id, record);
    return "superseded";
  }

  async #current(context: CallContext, memory: string, namespace: string): Promise<MemoryRecord[]> {
    const all: MemoryRecord[] = [];
    for (let cursor: string | undefined; ; ) {
      const query = { namespace, exact: true, limit: 1_000, ...(cursor === undefined ? {} : { cursor }) };
      const page = await this.#deps.records.list(context, memory, query);
      all.push(...page.items);
      cursor = page.cursor;
      if (cursor === undefined) return all;
    }
  }

  #save(scope: Scope, before: ExtractionJob | undefined, after: ExtractionJob): Promise<boolean> {
    const key = keyOf(after);
    return this.#deps.store.commit(scope, {
      expect: [{ key, value: before === undefined ? undefined : JSON.stringify(before) }],
      put: [{ key, value: JSON.stringify(after) }],
    });
  }
}

const keyOf = ({
  actor,
  session,
  branch,
  strategy,
}: Pick<ExtractionJob, "strategy" | "actor" | "session" | "branch">): string =>
  `job/${[actor, session, branch, strategy].map(part).join("/")}`;

/** A value with a slash stays one part of the path. */
function resolve({ id, namespace = "/{strategyId}/{actorId}" }: Strategy, actor: string, session: string): string {
  const values: Readonly<Record<string, string>> = { actorId: actor, sessionId: session, strategyId: id };
  return namespace.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = values[name];
    if (value === undefined) throw new MemoryError("MEMORY_INVALID", `The namespace template does not know ${whole}.`);
    return part(value);
  });
}
