import { z } from "zod";
import type { MemoryDefinition } from "./definition.ts";
import type { CallContext, Clock } from "./dialect.ts";
import { MemoryError } from "./errors.ts";
import type { Branch, BranchKey } from "./event.ts";
import type { Events } from "./events.ts";
import type { Strategy } from "./extractor.ts";
import { keys, part, under } from "./internal/keys.ts";
import { name, parse, scopeOf } from "./internal/parse.ts";
import { everything } from "./internal/scanning.ts";
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

/** Whose sessions. Default everybody's. */
interface Who {
  readonly actor?: string;
}
const someone = z.strictObject({ actor: name.exactOptional() });

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

  /**
   * Works on what was appended since the last run, to one actor's sessions or to everybody's. Call it from a schedule or
   * after a session.
   */
  async run(context: CallContext, memory: string, who: Who = {}): Promise<ExtractionReport> {
    const scope = scopeOf(context, memory);
    const { actor } = parse(someone, who, "actor");
    const report = { windows: 0, created: 0, superseded: 0, failed: 0 };
    const { values } = await this.#deps.store.read(scope, { keys: [keys.definition()] });
    const defined = values[0] === undefined ? undefined : (JSON.parse(values[0]) as MemoryDefinition).strategies;
    for await (const branch of this.#branches(context, memory, actor)) {
      for (const strategy of this.#deps.strategies) {
        if (strategy.memories?.includes(memory) === false || defined?.includes(strategy.id) === false) continue;
        const names = { actor: branch.actor, session: branch.session, branch: branch.branch };
        for (;;) {
          const done = await this.#window(context, memory, scope, strategy, { strategy: strategy.id, ...names });
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

  /** Every job, of one actor or of all, with its state. */
  async list(context: CallContext, memory: string, who: Who = {}): Promise<readonly ExtractionJob[]> {
    const { actor } = parse(someone, who, "actor");
    const entries = await everything(
      this.#deps.store,
      scopeOf(context, memory),
      under(actor === undefined ? "job/" : `job/${part(actor)}/`),
    );
    return entries.map(({ value }) => JSON.parse(value) as ExtractionJob);
  }

  /** Lets failed jobs be tried again; returns how many. */
  async redrive(context: CallContext, memory: string, who: Who = {}): Promise<number> {
    const scope = scopeOf(context, memory);
    let count = 0;
    for (const job of await this.list(context, memory, who)) {
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
    const { actor, session, branch } = names;
    const { items: events } = await this.#deps.events.list(context, memory, {
      actor,
      session,
      branch,
      withParents: false,
      limit: WINDOW,
      after: job.next - 1,
    });
    const last = events.at(-1);
    if (last === undefined) return undefined;
    const running: ExtractionJob = { ...job, state: "running", leaseUntil: now + LEASE_MS };
    if (!(await this.#save(scope, found, running))) return undefined;
    const { signal } = context;
    try {
      const namespace = resolve(strategy, { actor, session, branch });
      const current = await this.#current(context, memory, namespace);
      const window = { context, memory, actor, session, branch, events, records: current };
      const extractions = await strategy.extractor.extract(window, signal === undefined ? {} : { signal });
      const result = { created: 0, superseded: 0, failed: 0 };
      for (const extraction of extractions) {
        const evidence = extraction.evidence ?? events.map(({ id }) => id);
        const record = { ...extraction, evidence, namespace, actor, author: strategy.id };
        const change = await this.#consolidate(context, memory, record, current);
        if (change !== undefined) result[change] += 1;
      }
      const { leaseUntil, error, ...rest } = running;
      await this.#save(scope, running, { ...rest, state: "done", next: last.position + 1, attempts: 0 });
      return result;
    } catch (cause) {
      const { leaseUntil, ...rest } = running;
      if (signal?.aborted) {
        await this.#save(scope, running, { ...rest, state: "pending" });
        throw cause;
      }
      const attempts = job.attempts + 1;
      const state = attempts >= ATTEMPTS ? "failed" : "pending";
      const error = MemoryError.is(cause) ? cause.code : cause instanceof Error ? cause.name : "Error";
      await this.#save(scope, running, { ...rest, state, attempts, error });
      return { created: 0, superseded: 0, failed: 1 };
    }
  }

  async *#branches(context: CallContext, memory: string, actor: string | undefined): AsyncGenerator<Branch> {
    for (let cursor: string | undefined; ; ) {
      const page = await this.#deps.events.branches(context, memory, {
        ...(actor === undefined ? {} : { actor }),
        ...(cursor === undefined ? {} : { cursor }),
      });
      context.signal?.throwIfAborted();
      yield* page.items;
      cursor = page.cursor;
      if (cursor === undefined) return;
    }
  }

  /** Another value of the same subject supersedes; the same value again says nothing new. Nothing is deleted. */
  async #consolidate(
    context: CallContext,
    memory: string,
    record: NewRecord,
    current: MemoryRecord[],
  ): Promise<"created" | "superseded" | undefined> {
    const same = (text: string) => text.trim().toLowerCase() === record.text.trim().toLowerCase();
    if (current.some(({ text }) => same(text))) return undefined;
    const old = current.find(({ subject }) => subject !== undefined && subject === record.subject);
    const { idempotencyKey, ...once } = context;
    if (old === undefined) {
      current.push(await this.#deps.records.create(once, memory, record));
      return "created";
    }
    if ((record.validFrom ?? Number.POSITIVE_INFINITY) < old.validFrom) return undefined;
    current.splice(current.indexOf(old), 1, await this.#deps.records.supersede(once, memory, old.id, record));
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
function resolve(
  { id, namespace = "/{strategyId}/{actorId}", keys: own }: Strategy,
  branch: Required<BranchKey>,
): string {
  const values = new Map(
    Object.entries({ ...own?.(branch), actorId: branch.actor, sessionId: branch.session, strategyId: id }),
  );
  return namespace.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = values.get(name);
    if (value === undefined) throw new MemoryError("MEMORY_INVALID", `The namespace template does not know ${whole}.`);
    return part(value);
  });
}
