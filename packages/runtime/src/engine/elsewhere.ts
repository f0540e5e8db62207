import type { CallContext, Clock, Json } from "../dialect.ts";
import { RuntimeError } from "../errors.ts";
import type { ChildReport, ChildRequest, OutsideRequest } from "../session.ts";
import type { Outward } from "./outward.ts";
import { CONTROL, type SessionState } from "./state.ts";
import { refused } from "./step-runner.ts";
import { Suspension } from "./suspension.ts";
import { fieldsOf, type TurnRecord } from "./turn-record.ts";

export interface ElsewhereDeps {
  readonly record: TurnRecord;
  readonly outward: Outward;
  readonly clock: Clock;
  readonly session: string;
  readonly turn: number;
  readonly context: CallContext;
  readonly limits: { readonly depth?: number; readonly count?: number };
}

const DEPTH = 3;
const COUNT = 32;

/** Work that waits for its worker is put into the queue again after so long: the log is the truth, the queue a hint. */
const OFFER_AGAIN_MS = 60_000;

/** What a turn has others do: sessions it starts, and workers outside of the runtime. */
export class Elsewhere {
  readonly #deps: ElsewhereDeps;

  constructor(deps: ElsewhereDeps) {
    this.#deps = deps;
  }

  async spawn(name: string, child: ChildRequest): Promise<string> {
    const { record, outward, session, turn, context } = this.#deps;
    const step = record.next(`spawn:${name}`);
    const known = record.find("child.started", step);
    if (known !== undefined) return String(fieldsOf(known.body).session);
    this.#live(`Step ${step} would start a session`);
    const depth = this.#room(record.state);
    record.state = { ...record.state, children: (record.state.children ?? 0) + 1 };
    const key = `child:${session}:${turn}:${step}`;
    const id = await outward.spawn(context, { ...child, key, parent: { session, depth } });
    const body = { session: id, agent: child.agent };
    await record.once({ type: "child.started", step, body }, `spawn:${turn}:${step}`, record.state);
    return id;
  }

  async join(session: string): Promise<ChildReport> {
    const { record } = this.#deps;
    if (record.told("child.started", "session", session) === undefined) {
      throw new RuntimeError(
        "RUNTIME_NOT_FOUND",
        `This turn has not spawned a session ${session}: join where you spawn.`,
      );
    }
    const report = record.told(CONTROL.child, "session", session);
    if (report === undefined) throw new Suspension("child");
    const { status, output, error } = report.body as unknown as ChildReport;
    return { status, ...(output === undefined ? {} : { output }), ...(error === undefined ? {} : { error }) };
  }

  async outside(name: string, { environment, input, timeoutMs }: OutsideRequest): Promise<Json> {
    const { record, outward, clock, session, context } = this.#deps;
    const step = record.next(`outside:${name}`);
    const over = record.find("work.completed", step);
    if (over !== undefined) return outcome(step, over.body);
    let requested = record.find("work.requested", step);
    if (requested === undefined) {
      this.#live(`Step ${step} would give work outside`);
      const until = timeoutMs === undefined ? {} : { until: clock.now() + timeoutMs };
      [requested] = await record.append([{ type: "work.requested", step, body: { environment, input, ...until } }]);
    }
    const { seq = 0, body } = requested ?? {};
    const report = record.told(CONTROL.work, "request", seq);
    const until = Number(fieldsOf(body).until ?? Number.POSITIVE_INFINITY);
    const late = report === undefined && clock.now() >= until;
    if (report === undefined && !late) {
      await outward.offer(context, { session, request: seq, environment });
      throw new Suspension("work", Math.min(until, clock.now() + OFFER_AGAIN_MS));
    }
    const { output = null, error } = fieldsOf(report?.body);
    const timeout = { code: "RUNTIME_WAIT_TIMEOUT", message: `No worker of ${environment} has done ${name} in time.` };
    const told = late ? { error: timeout } : error === undefined ? { output } : { error };
    const [completed] = await record.append([{ type: "work.completed", step, body: told }]);
    return outcome(step, completed?.body);
  }

  #room({ parent, children = 0 }: SessionState): number {
    const { depth: deepest = DEPTH, count = COUNT } = this.#deps.limits;
    const depth = (parent?.depth ?? 0) + 1;
    if (depth > deepest) {
      throw new RuntimeError(
        "RUNTIME_LIMITED",
        `Sessions nest ${deepest} deep here and no deeper: see the agent's limits.`,
      );
    }
    if (children >= count) {
      throw new RuntimeError(
        "RUNTIME_LIMITED",
        `This session has started its ${count} sessions: see the agent's limits.`,
      );
    }
    return depth;
  }

  #live(what: string): void {
    if (this.#deps.record.state.fork?.effects === "recorded") throw refused(what);
  }
}

/** What the worker gave, or a throw of what it told. */
export function outcome(step: string, body: Json | undefined): Json {
  const { output = null, error } = fieldsOf(body);
  if (error === undefined) return output;
  const { code, message } = fieldsOf(error);
  if (code === "RUNTIME_WAIT_TIMEOUT") throw new RuntimeError("RUNTIME_WAIT_TIMEOUT", String(message));
  throw new RuntimeError("RUNTIME_STEP_FAILED", `Step ${step} failed outside: ${String(message)} (${String(code)})`);
}
