import type { BlobStore } from "../blob-store.ts";
import { type CallContext, type Clock, type IdSource, type Json, type Page, systemIds } from "../dialect.ts";
import { decodeCursor, pageOf, pageSize } from "../internal/paging.ts";
import { busy, ended, exists, fenced, notFound } from "../internal/session-errors.ts";
import { INPUT_FENCE, type NewEvent, type SessionEvent } from "../session-event.ts";
import type {
  Claim,
  DueSession,
  NewSession,
  Release,
  SessionChange,
  SessionLog,
  SessionQuery,
  SessionRecord,
} from "../session-log.ts";
import { Connection, type RedisDurability } from "./connection.ts";
import { ExternalIds } from "./external-ids.ts";
import * as scripts from "./log-scripts.ts";
import { type Partition, Partitions } from "./partitions.ts";
import type { RedisClient } from "./redis-client.ts";
import { CHUNK, SessionArchive } from "./session-archive.ts";
import { dueBefore, dueIn } from "./session-due.ts";
import { eventArguments, eventOf, fieldsOf, hashOf, recordOf } from "./session-hash.ts";
import { fits, fixedEntries, merged, search, statusEntry } from "./session-search.ts";

export interface RedisSessionLogDeps {
  /** An ioredis `Redis` or `Cluster`. Whoever opened it closes it, after the log. */
  readonly client: RedisClient;
  /** Before every key; change it to let two deployments share a server. Default `ashlar:runtime:`. */
  readonly prefix?: string;
  /** Over how many slots of a Cluster the sessions spread: the deployment's for good. Default 16. */
  readonly partitions?: number;
  /** Default `primary`. */
  readonly durability?: RedisDurability;
  /** Takes the first events of sessions longer than 1,500, before they leave Redis. Default: nothing leaves. */
  readonly archive?: BlobStore;
  /** Default: the server's own, so that no worker's clock decides over a lease. */
  readonly clock?: Clock;
  readonly ids?: IdSource;
}

/** `seq`, and for an event whose key was known, what the earlier one was. */
type Placed = readonly [seq: number, fence?: string, event?: string];

/** Beyond so many events the first ones are archived. */
const LONGEST = 3 * CHUNK;

/** Plain Redis 6.2 or later, or Valkey; no modules. An event is an entry of its session's stream under its `seq`. */
export class RedisSessionLog implements SessionLog {
  readonly #connection: Connection;
  readonly #partitions: Partitions;
  readonly #external: ExternalIds;
  readonly #archive: SessionArchive | undefined;
  readonly #clock: Clock | undefined;
  readonly #ids: IdSource;
  /** What the owners here have been told of: a server that knows less has forgotten something. */
  readonly #heads = new Map<string, { readonly fence: string; head: number }>();

  constructor(deps: RedisSessionLogDeps) {
    const { client, prefix = "ashlar:runtime:", partitions = 16, durability, archive, clock, ids = systemIds } = deps;
    this.#connection = new Connection("session log", client, durability);
    this.#partitions = new Partitions(prefix, partitions);
    this.#external = new ExternalIds(this.#connection, prefix);
    this.#archive = archive === undefined ? undefined : new SessionArchive(archive);
    this.#clock = clock;
    this.#ids = ids;
  }

  /**
   * An external id lies in another slot than its session: it is bound to an id first, and for good. Whoever finds it
   * bound to a session that was never made, makes that one.
   */
  async create(
    { principal: { tenant } }: CallContext,
    session: NewSession,
  ): Promise<{ readonly record: SessionRecord; readonly created: boolean }> {
    const { agent, externalId, status, wakeAt } = session;
    const name = externalId === undefined ? undefined : { tenant, agent, externalId };
    const id = name === undefined ? session.id : await this.#external.bind(name, session.id);
    const partition = this.#partitions.of(id);
    const keys = partition.session(id);
    const fields = hashOf(tenant, session);
    const entries = [...fixedEntries({ ...session, id }), statusEntry(status, id)];
    const [made, flat] = (await this.#connection.write(
      scripts.create,
      [keys.record, keys.events, keys.keys, partition.wake, partition.index(tenant)],
      [id, wakeAt ?? "", fields.length / 2, ...fields, entries.length, ...entries, ...eventArguments(session.events)],
    )) as [number, string[]];
    const record = recordOf(id, fieldsOf(flat));
    if (made === 1) return { record, created: true };
    const same = record.tenant === tenant && record.agent === agent && record.externalId === externalId;
    if (name !== undefined && same) return { record, created: false };
    if (name !== undefined) await this.#external.unbind(name, session.id);
    throw exists(id);
  }

  async get({ principal: { tenant } }: CallContext, session: string): Promise<SessionRecord | undefined> {
    const { record } = this.#partitions.of(session).session(session);
    const fields = await this.#connection.read((client) => client.hgetall(record));
    return fields.tenant === tenant ? recordOf(session, fields) : undefined;
  }

  async find(context: CallContext, query: SessionQuery): Promise<Page<SessionRecord>> {
    const { tenant } = context.principal;
    const limit = pageSize(query.limit);
    const before = query.cursor === undefined ? undefined : decodeCursor(query.cursor);
    const { agent, externalId } = query;
    if (externalId !== undefined && agent !== undefined) {
      const id = await this.#external.find({ tenant, agent, externalId });
      const record = id === null ? undefined : await this.get(context, id);
      const found = record !== undefined && fits(record, query) && (before === undefined || record.id < before);
      return { items: found ? [record] : [] };
    }
    return this.#connection.read(async (client) => {
      const { all } = this.#partitions;
      const size = Math.ceil((limit + 1) / all.length) + 8;
      const sources = all.map((partition) => search(client, partition, tenant, query, before, size));
      const rows: SessionRecord[] = [];
      for await (const record of merged(sources, (a, b) => a.id > b.id)) {
        if (rows.push(record) > limit) break;
      }
      return pageOf(
        rows,
        limit,
        (record) => record,
        ({ id }) => id,
      );
    });
  }

  async delete(context: CallContext, session: string): Promise<void> {
    const { tenant } = context.principal;
    const known = await this.get(context, session);
    if (known === undefined) throw notFound(session);
    const partition = this.#partitions.of(session);
    const { record, events, keys, snapshot } = partition.session(session);
    const trimmed = await this.#trimmed(record);
    const removed = await this.#connection.write(
      scripts.remove,
      [record, events, keys, snapshot, partition.wake, partition.claims, partition.leases, partition.index(tenant)],
      [this.#now(), session, tenant, ...fixedEntries(known)],
    );
    if (removed === scripts.ABSENT) throw notFound(session);
    if (removed === 0) throw busy(session);
    await this.#archive?.remove(context, session, trimmed);
    const { agent, externalId } = known;
    if (externalId !== undefined) await this.#external.unbind({ tenant, agent, externalId }, session);
  }

  async claim(
    { principal: { tenant } }: CallContext,
    session: string,
    { owner, from }: { readonly owner: string; readonly from?: string },
  ): Promise<Claim | undefined> {
    const nonce = this.#ids.next("fnc").slice(-16);
    const partition = this.#partitions.of(session);
    const claimed = (await this.#connection.write(
      scripts.claim,
      [partition.session(session).record, partition.wake, partition.claims, partition.leases],
      [this.#now(), session, tenant, owner, nonce, from === undefined ? "" : `=${from}`],
    )) as number | [string, string[]];
    if (claimed === scripts.ABSENT) throw notFound(session);
    if (typeof claimed === "number") return undefined;
    const [heldBy, flat] = claimed;
    const record = recordOf(session, fieldsOf(flat));
    const claim: Claim = { fence: record.fence ?? "", record };
    this.#heads.set(session, { fence: claim.fence, head: record.head });
    return heldBy === "" ? claim : { ...claim, tookOverFrom: heldBy };
  }

  async append(
    context: CallContext,
    session: string,
    fence: string,
    events: readonly NewEvent[],
    change?: SessionChange,
  ): Promise<readonly SessionEvent[]> {
    const { tenant } = context.principal;
    const partition = this.#partitions.of(session);
    const keys = partition.session(session);
    const { status = "", metadata, state, archivedAt, release } = change ?? {};
    const fields = [
      ...(metadata === undefined ? [] : ["metadata", JSON.stringify(metadata)]),
      ...(state === undefined ? [] : ["state", JSON.stringify(state)]),
      ...(typeof archivedAt === "number" ? ["archivedAt", archivedAt] : []),
    ];
    const texts = events.map((event) => JSON.stringify(event));
    const flags = [change === undefined ? "" : "1", archivedAt === null ? "1" : ""];
    const placed = (await this.#connection.write(
      scripts.append,
      [keys.record, keys.events, keys.keys, partition.index(tenant), partition.wake, partition.claims],
      [
        ...[this.#now(), session, tenant, fence, this.#head(session, fence)],
        ...[fields.length / 2, ...fields, status, ...flags, release?.seen ?? "", release?.wakeAt ?? ""],
        ...events.flatMap(({ idempotencyKey = "" }, index) => [idempotencyKey, texts[index] ?? ""]),
      ],
    )) as number | Placed[];
    if (typeof placed === "number") throw refused(placed, session);
    const known = this.#heads.get(session);
    if (release !== undefined) {
      this.#heads.delete(session);
      await this.#shorten(context, session);
    } else if (known?.fence === fence) known.head = Math.max(known.head, ...placed.map(([seq]) => seq));
    return Promise.all(placed.map((each, index) => this.#eventAt(context, session, each, fence, texts[index])));
  }

  async release(
    context: CallContext,
    session: string,
    fence: string,
    { seen, wakeAt }: Release,
  ): Promise<{ readonly woken: boolean }> {
    const { tenant } = context.principal;
    const partition = this.#partitions.of(session);
    const woken = (await this.#connection.write(
      scripts.release,
      [partition.session(session).record, partition.wake, partition.claims, partition.index(tenant)],
      [this.#now(), session, tenant, fence, seen, wakeAt ?? "", this.#head(session, fence)],
    )) as number;
    if (woken < 0) throw refused(woken, session);
    this.#heads.delete(session);
    await this.#shorten(context, session);
    return { woken: woken === 1 };
  }

  async deposit(
    context: CallContext,
    session: string,
    event: NewEvent,
    { wake = true }: { readonly wake?: boolean } = {},
  ): Promise<{ readonly event: SessionEvent; readonly duplicate: boolean }> {
    const { tenant } = context.principal;
    const partition = this.#partitions.of(session);
    const { record, events, keys } = partition.session(session);
    const text = JSON.stringify(event);
    const placed = (await this.#connection.write(
      scripts.deposit,
      [record, events, keys, partition.wake, partition.index(tenant)],
      [this.#now(), session, tenant, event.idempotencyKey ?? "", text, wake ? "1" : ""],
    )) as number | Placed;
    if (typeof placed === "number") throw placed === scripts.ENDED ? ended(session) : notFound(session);
    return {
      event: await this.#eventAt(context, session, placed, INPUT_FENCE, text),
      duplicate: placed.length > 1,
    };
  }

  async read(
    context: CallContext,
    session: string,
    { after = 0, limit = 1000 }: { readonly after?: number; readonly limit?: number } = {},
  ): Promise<readonly SessionEvent[]> {
    const { tenant } = context.principal;
    const { record, events } = this.#partitions.of(session).session(session);
    const found: SessionEvent[] = [];
    const from = () => Math.max(after, found.at(-1)?.seq ?? 0);
    for (;;) {
      const most = Math.max(0, Math.trunc(limit)) - found.length;
      const [[owner, trimmed], entries] = await this.#connection.read((client) =>
        Promise.all([
          client.hmget(record, "tenant", "trimmed"),
          most === 0 ? [] : client.xrange(events, `${from() + 1}-0`, "+", "COUNT", most),
        ]),
      );
      if (owner !== tenant) throw notFound(session);
      if (most === 0) return found;
      if (from() >= Number(trimmed)) {
        return [...found, ...entries.map((entry) => entryOf(entry, tenant, session))];
      }
      const archived = (await this.#archive?.read(context, session, from() + 1)) ?? [];
      found.push(...archived.slice(0, most));
    }
  }

  async saveSnapshot(
    { principal: { tenant } }: CallContext,
    session: string,
    fence: string,
    { seq, body }: { readonly seq: number; readonly body: Json },
  ): Promise<void> {
    const { record, snapshot } = this.#partitions.of(session).session(session);
    const args = [tenant, fence, seq, JSON.stringify(body)];
    const saved = (await this.#connection.write(scripts.saveSnapshot, [record, snapshot], args)) as number;
    if (saved < 0) throw refused(saved, session);
  }

  async snapshot(
    { principal: { tenant } }: CallContext,
    session: string,
  ): Promise<{ readonly seq: number; readonly body: Json } | undefined> {
    const { record, snapshot } = this.#partitions.of(session).session(session);
    const [owner, [seq, body]] = await this.#connection.read((client) =>
      Promise.all([client.hget(record, "tenant"), client.hmget(snapshot, "seq", "body")]),
    );
    if (owner !== tenant) throw notFound(session);
    return typeof body === "string" ? { seq: Number(seq), body: JSON.parse(body) as Json } : undefined;
  }

  async renew(owner: string, leaseMs: number): Promise<void> {
    await this.#everywhere(({ leases, claims }) =>
      this.#connection.run(scripts.renew, [leases, claims], [this.#now(), owner, leaseMs]),
    );
  }

  async expire(owner: string): Promise<void> {
    await this.#everywhere(({ leases }) => this.#connection.run(scripts.expire, [leases], [owner]));
  }

  async owners(): Promise<readonly { readonly owner: string; readonly expiresAt: number }[]> {
    const found = new Map<string, number>();
    const flats = await this.#everywhere(({ claims, leases }) =>
      this.#connection.run(scripts.owners, [claims, leases], []),
    );
    for (const flat of flats) {
      for (const [owner, until] of Object.entries(fieldsOf(flat as string[]))) {
        found.set(owner, Math.max(found.get(owner) ?? 0, Number(until)));
      }
    }
    return [...found].map(([owner, expiresAt]) => ({ owner, expiresAt }));
  }

  async due({
    limit,
    after,
  }: {
    readonly limit: number;
    readonly after?: Pick<DueSession, "wakeAt" | "session">;
  }): Promise<readonly DueSession[]> {
    const { all } = this.#partitions;
    const size = Math.ceil(limit / all.length) + 8;
    const sources = all.map((partition) => dueIn(this.#connection, partition, this.#now(), after, size));
    const found: DueSession[] = [];
    if (limit < 1) return found;
    for await (const each of merged(sources, dueBefore)) {
      if (found.push(each) >= limit) break;
    }
    return found;
  }

  async close(): Promise<void> {
    this.#connection.close();
  }

  #head(session: string, fence: string): number {
    const known = this.#heads.get(session);
    return known?.fence === fence ? known.head : 0;
  }

  #now(): number | string {
    return this.#clock?.now() ?? "";
  }

  #everywhere<T>(body: (partition: Partition) => Promise<T>): Promise<T[]> {
    return Promise.all(this.#partitions.all.map(body));
  }

  async #trimmed(record: string): Promise<number> {
    return Number((await this.#connection.read((client) => client.hget(record, "trimmed"))) ?? 0);
  }

  /** The event that was written, or the earlier one under its key, which may lie in the archive. */
  async #eventAt(
    context: CallContext,
    session: string,
    [seq, known, text]: Placed,
    fence: string,
    written = "",
  ): Promise<SessionEvent> {
    const { tenant } = context.principal;
    if (text === undefined) return eventOf(seq, fence, written, tenant, session);
    if (text !== "") return eventOf(seq, known ?? "", text, tenant, session);
    const [archived] = (await this.#archive?.read(context, session, seq)) ?? [];
    if (archived === undefined) throw notFound(session);
    return archived;
  }

  /** Events leave Redis only when the archive has confirmed them. */
  async #shorten(context: CallContext, session: string): Promise<void> {
    if (this.#archive === undefined) return;
    const { record, events } = this.#partitions.of(session).session(session);
    const [head, before] = await this.#connection.read((client) => client.hmget(record, "head", "trimmed"));
    for (let trimmed = Number(before); Number(head) - trimmed > LONGEST; trimmed += CHUNK) {
      const entries = await this.#connection.read((client) =>
        client.xrange(events, `${trimmed + 1}-0`, `${trimmed + CHUNK}-0`, "COUNT", CHUNK),
      );
      const { tenant } = context.principal;
      await this.#archive.write(
        context,
        session,
        entries.map((entry) => entryOf(entry, tenant, session)),
      );
      await this.#connection.write(scripts.trim, [record, events], [tenant, trimmed + CHUNK]);
    }
  }
}

const refused = (code: number, session: string): Error =>
  code === scripts.ABSENT ? notFound(session) : fenced(session);

const entryOf = (
  [id, [, fence = "", , event = ""]]: readonly [string, readonly string[]],
  tenant: string,
  session: string,
) => eventOf(Number.parseInt(id, 10), fence, event, tenant, session);
