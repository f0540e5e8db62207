import type { CallContext } from "../dialect.ts";
import type { OutboundRequest } from "../outbound-request.ts";
import type { Permissions } from "../permissions.ts";
import { mayUse } from "./credential-rows.ts";
import { matchesHost } from "./hosts.ts";
import type { CredentialRow } from "./schemas.ts";

/**
 * Why a credential may not be used for this request: its binding, then the policies, which see method, host and path.
 * Asked before the secret is opened.
 */
export async function denial(
  context: CallContext,
  row: CredentialRow,
  { method }: OutboundRequest,
  url: URL,
  permissions: Permissions | undefined,
): Promise<string | undefined> {
  if (!mayUse(row, context.principal)) return "it is not bound to this agent or user";
  if (!row.hosts.some((entry) => matchesHost(entry, url))) return `it is not bound to ${url.protocol}//${url.host}`;
  if (permissions === undefined) return undefined;
  const { effect, reason } = await permissions.decide(context, {
    action: "credential.use",
    resource: row.reference,
    arguments: { method: method.toUpperCase(), host: url.host, path: url.pathname },
  });
  if (effect === "allow") return undefined;
  return effect === "ask" ? `a person has to allow it first (${reason})` : `a policy denies it (${reason})`;
}
