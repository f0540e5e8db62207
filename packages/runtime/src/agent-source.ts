import type { Agent } from "./agent.ts";
import type { CallContext, Page } from "./dialect.ts";

export interface AgentListing {
  readonly name: string;
  readonly version: string;
  readonly description?: string;
}

/** Agents beside those that are defined in code. Per `principal.tenant`. */
export interface AgentSource {
  /** By version or by endpoint; the newest when there is no qualifier. A version never changes. */
  find(context: CallContext, name: string, qualifier?: string): Promise<Agent | undefined>;
  /** The newest version of each. */
  list(
    context: CallContext,
    query?: { readonly cursor?: string; readonly limit?: number },
  ): Promise<Page<AgentListing>>;
  /** Closes the agents that it gave. */
  close?(): Promise<void>;
}
