import type { CallContext, Clock, IdSource, Page } from "./dialect.ts";
import { MemoryError } from "./errors.ts";
import type { Branch, BranchKey, MemoryEvent, NewEvent, Turn } from "./event.ts";
import type { Filter } from "./filter.ts";
import { MOST_GROUPS, MOST_POSITIONS, textNumber } from "./internal/document-number.ts";
import { type EventRow, eventIndexing, eventOf } from "./internal/event-row.ts";
import { meets } from "./internal/filters.ts";
import { Heads } from "./internal/heads.ts";
import { indexing, statisticsOf, unindexing, withoutVector } from "./internal/indexing.ts";
import { keys, under } from "./internal/keys.ts";
import { merge } from "./internal/merge.ts";
import { onceOf, type ParsedEvent, parseBranch, parseCursor, parseEvent, parseId, scopeOf } from "./internal/parse.ts";
import { parseFork, parseListBranches, parseListEvents } from "./internal/parse-queries.ts";
import { retained } from "./internal/retention.ts";
import { inSpan } from "./internal/spans.ts";
import type { Transactions } from "./internal/transactions.ts";
import type { Batch, MemoryStore, Scope } from "./memory-store.ts";

/** What a branch's row holds. */
export interface Head extends Branch {
  readonly group: number;
  readonly next: number;
}

export interface EventsDeps {
  readonly store: MemoryStore;
  readonly transactions: Transactions;
  readonly clock: Clock;
  readonly ids: IdSource;
}

export interface ListEvents extends BranchKey {
  /** Most events of a page, 1 to 1,000. Default 100. */
  readonly limit?: number;
  /** Newest first. Default false. */
  readonly reverse?: boolean;
  readonly cursor?: string;
  /** Also what the branch shares with those it was forked from. Default true. */
  readonly withParents?: boolean;
  /** Only what stands after this position of the branch itself. */
  readonly after?: number;
  /** By `at`: from inclusive, before exclusive. */
  readonly from?: number;
  readonly before?: number;
  /** All of them must hold. */
  readonly filters?: readonly Filter[];
}

/** What happened, in the order in which it was told. */
export class Events {
  readonly #deps: EventsDeps;
  readonly #heads = new Heads();

  constructor(deps: EventsDeps) {
    this.#deps = deps;
  }

  /** Keeps the event and its index together, or nothing. With an idempotency key a repetition returns the first. */
  async append(context: CallContext, memory: string, event: NewEvent | Turn): Promise<MemoryEvent> {
    const scope = scopeOf(context, memory);
    const parsed = parseEvent(event);
    const once = onceOf(context, "event");
    const at = keys.session(parsed.actor, parsed.session, parsed.branch);
    /** One that is out of date costs a refused commit; after that the truth is read. */
    let kept = once === undefined ? this.#heads.get(scope, at) : undefined;
    const attempt = async () => {
      let known = kept;
      kept = undefined;
      if (known === undefined) {
        const { values } = await this.#deps.store.read(scope, {
          keys: [at, keys.definition(), ...(once === undefined ? [] : [once])],
        });
        const [head, definition, first] = values;
        if (first !== undefined) return { result: await this.#first(scope, first) };
        known = { head, definition };
      }
      const nextGroup = known.head === undefined ? await this.#value(scope, keys.nextGroup) : undefined;
      const { row, batch, head } = this.#draft(parsed, { ...known, at, nextGroup, once });
      this.#heads.set(scope, at, { ...known, head });
      return { batch, result: eventOf(row) };
    };
    return inSpan("memory.append", scope, {}, () => this.#deps.transactions.run(scope, attempt));
  }

  async get(context: CallContext, memory: string, id: string): Promise<MemoryEvent | undefined> {
    const row = await this.#find(scopeOf(context, memory), parseId(id));
    return row === undefined || this.#expired(row) ? undefined : eventOf(row);
  }

  async list(context: CallContext, memory: string, query: ListEvents): Promise<Page<MemoryEvent>> {
    const scope = scopeOf(context, memory);
    const { actor, session, branch = "main", ...asked } = parseListEvents(query);
    const { limit = 100, reverse = false, cursor, withParents = true, after, filters = [] } = asked;
    const { from = 0, before = Number.POSITIVE_INFINITY } = asked;
    const segments = await this.#segments(scope, { actor, session, branch }, withParents);
    if (reverse) segments.reverse();
    const runs = segments.map(({ group, until }) => {
      return { from: keys.event(group, (after ?? -1) + 1), to: keys.event(group, until) };
    });
    const begin = cursor === undefined ? 0 : runs.findIndex((run) => cursor >= run.from && cursor < run.to);
    if (begin === -1) parseCursor(cursor, { from: "", to: "" });
    const items: EventRow[] = [];
    for (const [index, run] of runs.slice(begin).entries()) {
      let range = cursor === undefined || index > 0 ? run : past(cursor, run, reverse);
      for (;;) {
        const want = filters.length === 0 ? limit + 1 - items.length : limit + 1;
        const entries = await this.#deps.store.scan(scope, { ...range, limit: want, reverse });
        for (const { value } of entries) {
          const row = JSON.parse(value) as EventRow;
          if (row.at >= from && row.at < before && !this.#expired(row) && meets(row, filters)) items.push(row);
        }
        const last = entries.at(-1);
        if (last === undefined || entries.length < want || items.length > limit) break;
        range = past(last.key, range, reverse);
      }
      if (items.length > limit) break;
    }
    const page = items.slice(0, limit);
    const last = page.at(-1);
    return {
      items: page.map(eventOf),
      ...(items.length > limit && last !== undefined ? { cursor: keys.event(last.group, last.position) } : {}),
    };
  }

  /** Starts a branch that shares everything up to and including the event given. Refused when its name is taken. */
  async fork(
    context: CallContext,
    memory: string,
    at: { readonly from: string; readonly branch: string },
  ): Promise<Branch> {
    const scope = scopeOf(context, memory);
    const { from, branch } = parseFork(at);
    const origin = parseId(from);
    return this.#deps.transactions.run(scope, async () => {
      const source = await this.#find(scope, origin);
      if (source === undefined) throw new MemoryError("MEMORY_NOT_FOUND", "There is no event to fork from by that id.");
      const key = parseBranch({ actor: source.actor, session: source.session, branch });
      const place = keys.session(key.actor, key.session, key.branch);
      const { values } = await this.#deps.store.read(scope, { keys: [place, keys.nextGroup] });
      if (values[0] !== undefined) throw new MemoryError("MEMORY_CONFLICT", "The session has a branch of that name.");
      const now = this.#deps.clock.now();
      const head: Head = {
        ...key,
        from: { branch: source.branch, event: source.id, position: source.position },
        createdAt: now,
        lastAt: now,
        group: groupFrom(values[1]),
        next: 0,
      };
      return { batch: newBranch(place, head, values[1]), result: branchOf(head) };
    });
  }

  /** The branches of everybody's sessions, of one actor's, or of one session. */
  async branches(
    context: CallContext,
    memory: string,
    query: {
      readonly actor?: string;
      readonly session?: string;
      readonly limit?: number;
      readonly cursor?: string;
    } = {},
  ): Promise<Page<Branch>> {
    const scope = scopeOf(context, memory);
    const { actor, session, limit = 100, cursor } = parseListBranches(query);
    if (actor === undefined && session !== undefined) {
      throw new MemoryError("MEMORY_INVALID", "A session is of an actor: name that too.");
    }
    const bounds = under(actor === undefined ? "session/" : `${keys.session(actor, session)}/`);
    const range = { from: parseCursor(cursor, bounds), to: bounds.to };
    const entries = await this.#deps.store.scan(scope, { ...range, limit: limit + 1 });
    const page = entries.slice(0, limit);
    const last = page.at(-1);
    return {
      items: page.map(({ value }) => branchOf(JSON.parse(value) as Head)),
      ...(entries.length > limit && last !== undefined ? { cursor: last.key } : {}),
    };
  }

  /** False when there was nothing to delete. */
  async delete(context: CallContext, memory: string, id: string): Promise<boolean> {
    const scope = scopeOf(context, memory);
    const named = parseId(id);
    return this.#deps.transactions.run<boolean>(scope, async () => {
      const row = await this.#find(scope, named);
      return row === undefined ? { result: false } : { batch: removal(row), result: true };
    });
  }

  #draft(
    parsed: ParsedEvent,
    found: {
      readonly at: string;
      readonly head: string | undefined;
      readonly nextGroup: string | undefined;
      readonly definition: string | undefined;
      readonly once: string | undefined;
    },
  ): { readonly row: EventRow; readonly batch: Batch; readonly head: string } {
    const now = this.#deps.clock.now();
    const { actor, session, branch } = parsed;
    const head: Head =
      found.head === undefined
        ? { actor, session, branch, createdAt: now, lastAt: now, group: groupFrom(found.nextGroup), next: 0 }
        : (JSON.parse(found.head) as Head);
    if (head.next >= MOST_POSITIONS) {
      throw new MemoryError("MEMORY_TOO_LARGE", `A branch holds at most ${MOST_POSITIONS} events: start another.`);
    }
    const row: EventRow = {
      id: this.#deps.ids.next("evt"),
      ...retained(found.definition, "eventsMs", now),
      ...parsed,
      at: parsed.at ?? now,
      recordedAt: now,
      group: head.group,
      position: head.next,
      ...(found.once === undefined ? {} : { once: found.once }),
    };
    const advanced: Head = { ...head, next: head.next + 1, lastAt: now };
    const text = eventIndexing(row);
    const next = JSON.stringify(advanced);
    const batch = merge(
      { expect: [{ key: keys.definition(), value: found.definition }] },
      found.head === undefined
        ? newBranch(found.at, advanced, found.nextGroup)
        : { expect: [{ key: found.at, value: found.head }], put: [{ key: found.at, value: next }] },
      { put: placed(row) },
      text === undefined ? {} : indexing(text),
      found.once === undefined
        ? {}
        : { expect: [{ key: found.once, value: undefined }], put: [{ key: found.once, value: row.id }] },
    );
    return { row, batch, head: next };
  }

  async #value(scope: Scope, key: string): Promise<string | undefined> {
    return (await this.#deps.store.read(scope, { keys: [key] })).values[0];
  }

  /** What an idempotency key gave the first time. */
  async #first(scope: Scope, id: string): Promise<MemoryEvent> {
    const row = await this.#find(scope, id);
    if (row === undefined) throw new MemoryError("MEMORY_NOT_FOUND", "The event of this idempotency key was deleted.");
    return eventOf(row);
  }

  async #find(scope: Scope, id: string): Promise<EventRow | undefined> {
    const { values } = await this.#deps.store.read(scope, { keys: [keys.id(id)] });
    const [at] = values;
    if (at === undefined || !at.startsWith("event/")) return undefined;
    const { values: rows } = await this.#deps.store.read(scope, { keys: [at] });
    return rows[0] === undefined ? undefined : (JSON.parse(rows[0]) as EventRow);
  }

  /** The runs of events that a branch consists of, oldest first. */
  async #segments(
    scope: Scope,
    { actor, session, branch }: Required<BranchKey>,
    withParents: boolean,
  ): Promise<{ readonly group: number; readonly until: number }[]> {
    const segments: { group: number; until: number }[] = [];
    let next: string | undefined = branch;
    let until = MOST_POSITIONS;
    while (next !== undefined) {
      const { values } = await this.#deps.store.read(scope, { keys: [keys.session(actor, session, next)] });
      if (values[0] === undefined) break;
      const head = JSON.parse(values[0]) as Head;
      segments.unshift({ group: head.group, until });
      until = (head.from?.position ?? 0) + 1;
      next = withParents ? head.from?.branch : undefined;
    }
    return segments;
  }

  #expired({ expiresAt }: EventRow): boolean {
    return expiresAt !== undefined && expiresAt <= this.#deps.clock.now();
  }
}

/** What of a range lies beyond a key that was read. */
const past = (key: string, range: { readonly from: string; readonly to: string }, reverse: boolean) =>
  reverse ? { from: range.from, to: key } : { from: `${key}!`, to: range.to };

function groupFrom(next: string | undefined): number {
  const group = Number(next ?? 0);
  if (group >= MOST_GROUPS) {
    throw new MemoryError("MEMORY_TOO_LARGE", `A memory holds at most ${MOST_GROUPS} sessions: start another memory.`);
  }
  return group;
}

const branchOf = ({ group, next, ...branch }: Head): Branch => branch;

/** The row of a branch that was not there before, and the next free group. */
function newBranch(at: string, head: Head, nextGroup: string | undefined): Batch {
  return {
    expect: [
      { key: at, value: undefined },
      { key: keys.nextGroup, value: nextGroup },
    ],
    put: [
      { key: at, value: JSON.stringify(head) },
      { key: keys.nextGroup, value: String(head.group + 1) },
    ],
    add: [{ counter: statisticsOf("events")[2], by: 1 }],
  };
}

function placed(row: EventRow): { key: string; value: string }[] {
  const at = keys.event(row.group, row.position);
  return [
    { key: at, value: JSON.stringify(row) },
    { key: keys.id(row.id), value: at },
    ...(row.expiresAt === undefined ? [] : [{ key: keys.expiry(row.expiresAt, row.id), value: at }]),
  ];
}

/** Takes an event out with everything that leads to it. */
export function removal(row: EventRow): Batch {
  const at = keys.event(row.group, row.position);
  const text = eventIndexing(row);
  return merge(
    {
      expect: [{ key: keys.id(row.id), value: at }],
      delete: [
        at,
        keys.id(row.id),
        ...(row.once === undefined ? [] : [row.once]),
        ...(row.expiresAt === undefined ? [] : [keys.expiry(row.expiresAt, row.id)]),
      ],
    },
    withoutVector("events", textNumber(row.group, row.position)),
    text === undefined ? {} : unindexing(text),
  );
}
