import type { CallContext } from "../dialect.ts";
import type { EgressCredentials, OutboundRequest } from "../egress-credentials.ts";
import { type AnswerCleaner, cleanerOf } from "./answer-cleaner.ts";
import type { EgressAuthority } from "./egress-authority.ts";
import { allows, type Target } from "./host-name.ts";

/** What puts credentials on requests to the hosts that have one bound to them. */
export interface EgressSubstitution {
  readonly credentials: EgressCredentials;
  /** Signs what the proxy presents to programs inside, for those hosts only. */
  readonly authority: EgressAuthority;
  /** PEM certificates to trust beside the system's when those hosts are dialled. */
  readonly ca?: string | readonly string[];
}

/** `EgressCredentials` as a link asks it: here, or over the channel of the proxy's process. */
export interface BoundCredentials {
  hosts(context: CallContext): Promise<readonly string[]>;
  substitute(
    context: CallContext,
    request: OutboundRequest,
  ): Promise<{ readonly request: OutboundRequest; readonly cleaner: AnswerCleaner }>;
}

export interface LinkSubstitution extends Omit<EgressSubstitution, "credentials"> {
  readonly credentials: BoundCredentials;
}

export const boundCredentials = (credentials: EgressCredentials): BoundCredentials => ({
  hosts: (context) => credentials.hosts(context),
  async substitute(context, asked) {
    const { request, redactor } = await credentials.substitute(context, asked);
    return { request, cleaner: cleanerOf(redactor) };
  },
});

/** Whether one of these `host` or `host:port` entries, or `*.host`, names the target; without a port, 443 and 80. */
export function isBound(entries: readonly string[], { host, port }: Target): boolean {
  return entries.some((entry) => {
    const [, name = "", wanted] = /^(.+?)(?::(\d+))?$/.exec(entry) ?? [];
    return allows({ host: name, ...(wanted === undefined ? {} : { port: Number(wanted) }) }, host, port);
  });
}
