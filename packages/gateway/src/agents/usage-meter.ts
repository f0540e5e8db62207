import type { AgentSessions } from "../agent-sessions.ts";
import type { CallContext } from "../dialect.ts";
import type { Facets } from "../limits/limit-rule.ts";
import type { Limits } from "../limits/limits.ts";
import { usageOf } from "../limits/usage.ts";
import type { AgentConventions } from "./conventions.ts";

interface Followed {
  /** The last message that was sent: its work is awaited. */
  after: number;
}

/**
 * Charges what agents report of their work on messages that came through the gateway, whether or not their sender
 * listens. Each session is followed once in a process; two processes that send to one at a time count its work twice.
 */
export class UsageMeter {
  readonly #sessions: AgentSessions;
  readonly #limits: Limits;
  readonly #conventions: AgentConventions;
  readonly #ending = new AbortController();
  readonly #followed = new Map<string, Followed>();

  constructor(sessions: AgentSessions, limits: Limits, conventions: AgentConventions) {
    this.#sessions = sessions;
    this.#limits = limits;
    this.#conventions = conventions;
  }

  /** Returns at once. `after` is the place of the message. */
  follow({ principal }: CallContext, session: string, after: number, facets: Facets): void {
    if (!this.#limits.metered) return;
    const key = JSON.stringify([principal.tenant, session]);
    const known = this.#followed.get(key);
    if (known !== undefined) {
      known.after = Math.max(known.after, after);
      return;
    }
    const followed: Followed = { after };
    this.#followed.set(key, followed);
    this.#run({ principal, signal: this.#ending.signal }, session, followed, facets)
      .catch(() => {})
      .finally(() => this.#followed.delete(key));
  }

  close(): void {
    this.#ending.abort();
  }

  async #run(context: CallContext, session: string, followed: Followed, facets: Facets): Promise<void> {
    const { usage, settled } = this.#conventions;
    for await (const { seq, type, body } of this.#sessions.events(context, session, { after: followed.after })) {
      const used = usage.includes(type) ? usageOf(body) : undefined;
      if (used !== undefined) await this.#limits.charge(facets, used);
      if (seq !== undefined && seq > followed.after && settled.includes(type)) return;
    }
  }
}
