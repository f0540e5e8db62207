import type { Principal } from "./dialect.ts";
import type { Caller } from "./inbound-authenticator.ts";
import type { Facets } from "./limits/limit-rule.ts";

/** The principal of one request through the door. It remembers its caller, whose claims and scopes go nowhere else. */
class AdmittedPrincipal implements Principal {
  readonly tenant: string;
  declare readonly agent?: string;
  declare readonly agentVersion?: string;
  declare readonly session?: string;
  declare readonly user?: string;
  readonly #caller: Caller;

  constructor(caller: Caller) {
    const { tenant, agent, agentVersion, session, user } = caller;
    this.tenant = tenant;
    if (agent !== undefined) this.agent = agent;
    if (agentVersion !== undefined) this.agentVersion = agentVersion;
    if (session !== undefined) this.session = session;
    if (user !== undefined) this.user = user;
    this.#caller = caller;
  }

  static callerOf(principal: Principal): Caller | undefined {
    return #caller in principal ? principal.#caller : undefined;
  }
}

export const admitted = (caller: Caller): Principal => new AdmittedPrincipal(caller);

/** `undefined` for calls in process. */
export const callerOf = (principal: Principal): Caller | undefined => AdmittedPrincipal.callerOf(principal);

export function facetsOf(principal: Principal): Facets {
  const { tenant, user, agent, session } = principal;
  const claims = callerOf(principal)?.claims;
  if (claims === undefined) return { tenant, user, agent, session };
  const named = Object.fromEntries(Object.entries(claims).map(([name, value]) => [`claim:${name}`, value]));
  return { ...named, tenant, user, agent, session };
}
