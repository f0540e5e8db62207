import type { EgressCredentials } from "../egress-credentials.ts";
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

/** Whether one of these `host` or `host:port` entries, or `*.host`, names the target; without a port, 443 and 80. */
export function isBound(entries: readonly string[], { host, port }: Target): boolean {
  return entries.some((entry) => {
    const [, name = "", wanted] = /^(.+?)(?::(\d+))?$/.exec(entry) ?? [];
    return allows({ host: name, ...(wanted === undefined ? {} : { port: Number(wanted) }) }, host, port);
  });
}
