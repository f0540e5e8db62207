import type { Agent } from "../agent.ts";
import { type CallContext, type Clock, type Json, systemClock } from "../dialect.ts";
import { RuntimeError } from "../errors.ts";
import type { Session } from "../session.ts";
import type { HostedLimits, HostedProgram, SessionHost } from "../session-host.ts";
import { HostedChannel } from "./channel.ts";
import { HostedTurn } from "./hosted-turn.ts";
import { type Kept, KeptChildren } from "./kept-children.ts";

/** Where a session's program runs, and for how long it is kept; an `Environment` of the catalog is one. */
export interface Place {
  readonly host: SessionHost;
  /** Stands in the log beside the grade: `small@3`. */
  readonly environment?: string;
  readonly variables?: Readonly<Record<string, string>>;
  readonly limits?: HostedLimits;
  /** Keep the files of the session under its id; needs a host that keeps files. */
  readonly workspace?: boolean;
  /** How long a child waits for the next turn of its session. Default 15 min; 0 ends it with each turn. */
  readonly idleTimeoutMs?: number;
  /** A child older than this takes no further turn. Default 8 h. */
  readonly maxLifeMs?: number;
}

export interface HostedAgentOptions extends Omit<Agent, "run" | "close"> {
  /** A program that calls `serveHosted`. It gets this environment and nothing of ours. */
  readonly program: HostedProgram;
  /** One place for all, or one decided anew for each turn: `environments.at("small")`. */
  readonly place: Place | ((context: CallContext) => Promise<Place>);
  /** A child that has not finished its turn by then is killed. Waiting without a process does not count. Default 1 h. */
  readonly timeoutMs?: number;
  /** A child that does not answer for so long is killed: its event loop is blocked. Default 2 min. */
  readonly answerWithinMs?: number;
  /** Between the request to end and SIGKILL, when a turn is interrupted. Default 2 s. */
  readonly graceMs?: number;
  /** Children that wait at once in this process; beyond it the one that waits longest is ended. Default 64. */
  readonly mostKept?: number;
  readonly clock?: Clock;
}

const IDLE_MS = 15 * 60_000;
const LIFE_MS = 8 * 3_600_000;

/**
 * An agent whose turns run in a child of any host; the log stays on this side. A child serves one session: it is kept for
 * the next turn when its turn is done, and ended when the turn waits, fails, or is cut off.
 */
export function hostedAgent(options: HostedAgentOptions): Agent {
  const { program, place, timeoutMs = 3_600_000, answerWithinMs = 120_000, graceMs = 2_000, ...rest } = options;
  const { clock = systemClock, mostKept = 64, ...agent } = rest;
  const children = new KeptChildren({ clock, most: mostKept });
  return {
    ...agent,
    close: () => children.close(),
    async run(session, input): Promise<Json | undefined> {
      const at = typeof place === "function" ? await place(session.context) : place;
      const { channel, startedAt, kind } = await childFor(session, at, program, children, clock);
      const { child } = channel;
      const over = new AbortController();
      const interrupted = () => void child.kill({ graceMs }).catch(() => {});
      session.signal.addEventListener("abort", interrupted, { once: true });
      const late = clock.sleep(timeoutMs, { signal: over.signal }).then(
        () => Promise.reject(channel.failed(`did not finish its turn within ${timeoutMs} ms`)),
        () => new Promise<never>(() => {}),
      );
      let done = false;
      try {
        const turn = new HostedTurn({ session, channel, clock, answerWithinMs });
        const output = await Promise.race([turn.run(input), late]);
        done = !session.signal.aborted && at.idleTimeoutMs !== 0;
        if (at.workspace === true && child.checkpoint === undefined) done = false;
        if (done) await child.checkpoint?.();
        if (!done) await child.kill();
        return output;
      } finally {
        over.abort();
        session.signal.removeEventListener("abort", interrupted);
        if (done && !channel.ended)
          children.keep(session.id, { channel, startedAt, kind }, at.idleTimeoutMs ?? IDLE_MS);
        else await child.kill().catch(() => {});
      }
    },
  };
}

/** The session's own child from its last turn, or a new one, which the log then says. */
async function childFor(
  session: Session,
  { host, environment, variables, limits, workspace, maxLifeMs = LIFE_MS }: Place,
  program: HostedProgram,
  children: KeptChildren,
  clock: Clock,
): Promise<Kept> {
  const kind = JSON.stringify([environment, host.grade, variables, limits, workspace]);
  const kept = await children.take(session.id, kind, maxLifeMs);
  if (kept !== undefined) return kept;
  if (workspace === true && program.workspace !== undefined) {
    throw new RuntimeError("RUNTIME_INVALID", "The program names a workspace and the place gives it one: drop either.");
  }
  const bounds = limits === undefined ? program.limits : { ...program.limits, ...limits };
  const child = await host.start(
    { principal: session.context.principal },
    {
      ...program,
      ...(variables === undefined ? {} : { environment: { ...program.environment, ...variables } }),
      ...(bounds === undefined ? {} : { limits: bounds }),
      ...(workspace === true ? { workspace: session.id } : {}),
    },
  );
  const again = session.turn > 1 || session.resumed;
  const found = {
    grade: host.grade,
    ...(environment === undefined ? {} : { environment }),
    ...(bounds === undefined
      ? {}
      : { limits: { ...bounds }, ...(child.held === undefined ? {} : { held: child.held }) }),
  };
  await session.note(again ? "sandbox.restarted" : "sandbox.started", found).catch(async (error) => {
    await child.kill().catch(() => {});
    throw error;
  });
  return { channel: new HostedChannel(child), startedAt: clock.now(), kind };
}
