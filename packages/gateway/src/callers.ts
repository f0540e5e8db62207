import type { Principal } from "./dialect.ts";
import type { Caller } from "./inbound-authenticator.ts";
import type { Facets } from "./limits/limit-rule.ts";

/** Who came in through the door, by the principal that was made of them. Claims stay here and go nowhere else. */
export class Callers {
  readonly #known = new WeakMap<Principal, Caller>();

  /** A principal of its own for each request, so that it stands for this caller alone. */
  admit(caller: Caller): Principal {
    const { tenant, agent, agentVersion, session, user } = caller;
    const principal: Principal = {
      tenant,
      ...(agent === undefined ? {} : { agent }),
      ...(agentVersion === undefined ? {} : { agentVersion }),
      ...(session === undefined ? {} : { session }),
      ...(user === undefined ? {} : { user }),
    };
    this.#known.set(principal, caller);
    return principal;
  }

  /** `undefined` for calls in process. */
  of(principal: Principal): Caller | undefined {
    return this.#known.get(principal);
  }

  facets(principal: Principal): Facets {
    const { tenant, user, agent, session } = principal;
    const claims = this.#known.get(principal)?.claims;
    if (claims === undefined) return { tenant, user, agent, session };
    const named = Object.fromEntries(Object.entries(claims).map(([name, value]) => [`claim:${name}`, value]));
    return { ...named, tenant, user, agent, session };
  }
}
