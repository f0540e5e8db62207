import { createHash } from "node:crypto";
import { Cron } from "croner";
import { z } from "zod";
import type { Catalog, CatalogEntry } from "./catalog.ts";
import { type CallContext, type Clock, type Json, type Page, systemClock } from "./dialect.ts";
import { RuntimeError } from "./errors.ts";
import type { SessionLog } from "./session-log.ts";
import type { Sessions } from "./sessions.ts";

export interface ScheduleDefinition {
  readonly agent: string;
  /** Five or six fields, or `@daily` and its kin. */
  readonly cron: string;
  /** IANA name. Default `UTC`. */
  readonly timeZone?: string;
  /** What the new session gets as its first message. */
  readonly input: Json;
  /** A start is late by up to this much: the same for one schedule and instant, spread over schedules. Default 0. */
  readonly jitterMs?: number;
  /** So many failed sessions in a row pause the schedule. Default 5. */
  readonly maxFailures?: number;
}

export interface Schedule extends ScheduleDefinition {
  readonly name: string;
  /** The instant the cron names; the start is later by the jitter. Absent while paused. */
  readonly nextAt?: number;
  readonly failures: number;
  readonly lastSession?: string;
  /** Why nothing is started; absent while it runs. */
  readonly pausedBecause?: string;
}

export interface SchedulesDeps {
  readonly catalog: Catalog;
  readonly sessions: Sessions;
  readonly log: SessionLog;
  readonly clock?: Clock;
  /** How often due schedules are looked for. Default 1 s. */
  readonly tickMs?: number;
}

const KIND = "schedule";
const definition = z.object({
  agent: z.string().min(1),
  cron: z.string().min(1),
  timeZone: z.string().default("UTC"),
  input: z.json(),
  jitterMs: z.number().int().min(0).default(0),
  maxFailures: z.number().int().min(1).default(5),
});

/**
 * Sessions by the clock. Any number of processes may run the same schedules: an instant opens one session, since its
 * external id is made of both. Instants that were missed while nobody ran are not made up for: the next one counts.
 */
export class Schedules {
  readonly #deps: SchedulesDeps;
  readonly #clock: Clock;

  constructor(deps: SchedulesDeps) {
    this.#deps = deps;
    this.#clock = deps.clock ?? systemClock;
  }

  /** Makes or replaces a schedule. A cron or time zone that does not parse is `RUNTIME_INVALID`. */
  async put(context: CallContext, name: string, given: ScheduleDefinition): Promise<Schedule> {
    const parsed = definition.safeParse(given);
    if (!parsed.success)
      throw new RuntimeError("RUNTIME_INVALID", `Schedule ${name}: ${z.prettifyError(parsed.error)}`);
    const nextAt = next(parsed.data.cron, parsed.data.timeZone, this.#clock.now());
    const body = { ...parsed.data, failures: 0, ...(nextAt === undefined ? {} : { nextAt }) };
    return scheduleOf(await this.#deps.catalog.put(context, KIND, name, body as Json, { history: false }));
  }

  async get(context: CallContext, name: string): Promise<Schedule | undefined> {
    const entry = await this.#deps.catalog.get(context, KIND, name);
    return entry === undefined ? undefined : scheduleOf(entry);
  }

  async list(
    context: CallContext,
    query: { readonly cursor?: string; readonly limit?: number } = {},
  ): Promise<Page<Schedule>> {
    const page = await this.#deps.catalog.list(context, KIND, query);
    return { ...page, items: page.items.map(scheduleOf) };
  }

  async pause(context: CallContext, name: string, reason = "Paused by an operator."): Promise<void> {
    await this.#change(context, name, ({ nextAt: _, ...schedule }) => ({ ...schedule, pausedBecause: reason }));
  }

  async resume(context: CallContext, name: string): Promise<void> {
    await this.#change(context, name, ({ pausedBecause: _, ...schedule }) =>
      this.#advanced({ ...schedule, failures: 0 }),
    );
  }

  async delete(context: CallContext, name: string): Promise<void> {
    await this.#deps.catalog.delete(context, KIND, name);
  }

  /** Starts what is due, for all tenants, until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.tick();
      await this.#clock.sleep(this.#deps.tickMs ?? 1_000, { signal }).catch(() => {});
    }
  }

  /** Starts what is due now. */
  async tick(): Promise<void> {
    for (const tenant of await this.#deps.catalog.tenants(KIND)) {
      const context = { principal: { tenant } };
      for (let cursor: string | undefined; ; ) {
        const page = await this.list(context, cursor === undefined ? {} : { cursor });
        for (const schedule of page.items) await this.#start(context, schedule);
        cursor = page.cursor;
        if (cursor === undefined) break;
      }
    }
  }

  async #start(context: CallContext, schedule: Schedule): Promise<void> {
    const { name, agent, input, nextAt, jitterMs = 0 } = schedule;
    if (nextAt === undefined || nextAt + jitter(context, name, nextAt, jitterMs) > this.#clock.now()) return;
    const failures = await this.#failures(context, schedule);
    if (failures >= (schedule.maxFailures ?? 5)) {
      return this.pause(
        context,
        name,
        `The last ${failures} sessions failed. Look at ${schedule.lastSession}, then resume.`,
      );
    }
    const key = `schedule:${name}:${nextAt}`;
    const { id } = await this.#deps.sessions.open(context, { agent, externalId: key, metadata: { schedule: name } });
    await this.#deps.sessions.send({ ...context, idempotencyKey: key }, id, { type: "user.message", body: input });
    await this.#change(context, name, (now) =>
      now.nextAt === nextAt ? this.#advanced({ ...now, failures, lastSession: id }) : now,
    );
  }

  /** The count so far, with how the last session went. */
  async #failures(context: CallContext, { failures, lastSession }: Schedule): Promise<number> {
    if (lastSession === undefined) return failures;
    const record = await this.#deps.log.get(context, lastSession);
    if (record === undefined) return failures;
    if (record.status === "parked") return failures + 1;
    const tail = await this.#deps.log.read(context, lastSession, { after: Math.max(0, record.head - 20) });
    const last = tail.findLast(({ type }) => type === "turn.failed" || type === "turn.completed");
    if (last === undefined) return failures;
    return last.type === "turn.failed" ? failures + 1 : 0;
  }

  #advanced(schedule: Schedule): Schedule {
    const nextAt = next(schedule.cron, schedule.timeZone ?? "UTC", this.#clock.now());
    const { nextAt: _, ...rest } = schedule;
    return nextAt === undefined ? rest : { ...rest, nextAt };
  }

  async #change(context: CallContext, name: string, change: (schedule: Schedule) => Schedule): Promise<void> {
    for (;;) {
      const entry = await this.#deps.catalog.get(context, KIND, name);
      if (entry === undefined) throw new RuntimeError("RUNTIME_NOT_FOUND", `There is no schedule ${name}.`);
      const { name: _, ...body } = change(scheduleOf(entry));
      try {
        await this.#deps.catalog.put(context, KIND, name, body as Json, { expected: entry.version, history: false });
        return;
      } catch (error) {
        if (!(RuntimeError.is(error) && error.code === "RUNTIME_CONFLICT")) throw error;
      }
    }
  }
}

const scheduleOf = ({ name, body }: CatalogEntry): Schedule => ({ ...(body as unknown as Schedule), name });

function next(cron: string, timezone: string, after: number): number | undefined {
  try {
    return new Cron(cron, { timezone, paused: true }).nextRun(new Date(after))?.getTime();
  } catch (cause) {
    const message = `The schedule ${JSON.stringify(cron)} in time zone ${timezone} does not parse: ${(cause as Error).message}`;
    throw new RuntimeError("RUNTIME_INVALID", message, { cause });
  }
}

function jitter({ principal }: CallContext, name: string, at: number, most: number): number {
  if (most === 0) return 0;
  const hash = createHash("sha256")
    .update(JSON.stringify([principal.tenant, name, at]))
    .digest();
  return hash.readUInt32BE() % most;
}
