import type { AgentEvent } from "../agent-sessions.ts";
import type { Json } from "../dialect.ts";

/** Which events of an agent mean what to a caller who only wants an answer. */
export interface AgentConventions {
  /** The type of a message from outside. Default `user.message`. */
  readonly message: string;
  /** Events whose body is the agent's answer. Default `agent.message`. */
  readonly reply: readonly string[];
  /** Events after which the agent works no longer on this message, or waits for somebody. */
  readonly settled: readonly string[];
  /** Of these, the ones that mean that it failed. */
  readonly failed: readonly string[];
  /** Events whose body is what a piece of work used: `inputTokens`, `outputTokens`, and `model` or `costMicros`. */
  readonly usage: readonly string[];
}

export const defaultConventions: AgentConventions = {
  message: "user.message",
  reply: ["agent.message"],
  settled: ["session.status_idle", "session.status_waiting", "session.ended", "session.error"],
  failed: ["session.error"],
  usage: ["usage.recorded"],
};

export interface Settled {
  readonly status: string;
  readonly output: Json;
  readonly seq: number;
  readonly failed: boolean;
}

/** Follows events until the agent is done with the message at `seq`. */
export async function untilSettled(
  events: AsyncIterable<AgentEvent>,
  seq: number,
  { reply, settled, failed }: AgentConventions,
): Promise<Settled | undefined> {
  let output: Json = null;
  for await (const event of events) {
    if (event.seq === undefined || event.seq <= seq) continue;
    if (reply.includes(event.type)) output = event.body ?? null;
    if (!settled.includes(event.type)) continue;
    return { status: event.type, output, seq: event.seq, failed: failed.includes(event.type) };
  }
  return undefined;
}
