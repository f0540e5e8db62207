import { callerOf } from "./callers.ts";
import type { CallContext } from "./dialect.ts";
import { GatewayError } from "./errors.ts";

/** What a credential must be good for. Of several rules that fit, all count. */
export interface ScopeRule {
  /** `tool.call` or `agent.invoke`. */
  readonly action: string;
  /** As permissions are asked for it; one `*` at its end stands for anything: `bank/*`. */
  readonly resource: string;
  readonly scopes: readonly string[];
}

/** A refusal that names the scopes to ask for: answered with 403 and `insufficient_scope` (RFC 6750, step-up). */
export class ScopeError extends GatewayError {
  readonly scopes: readonly string[];

  constructor(resource: string, scopes: readonly string[]) {
    super("GATEWAY_SCOPE_NEEDED", `${resource} needs a token with the scope ${scopes.join(" ")}.`);
    this.scopes = scopes;
  }
}

/** Holds callers to the scopes of their credentials. Calls in process have none and are not held to them. */
export class ScopeGuard {
  readonly #rules: readonly ScopeRule[];

  constructor(rules: readonly ScopeRule[]) {
    this.#rules = rules;
  }

  /** Throws `ScopeError`. A credential that says nothing of scopes has none. */
  require({ principal }: CallContext, action: string, resource: string): void {
    if (this.#rules.length === 0) return;
    const caller = callerOf(principal);
    if (caller === undefined) return;
    const needed = this.#rules.flatMap((rule) => (rule.action === action && fits(rule, resource) ? rule.scopes : []));
    if (needed.some((scope) => caller.scopes?.includes(scope) !== true)) throw new ScopeError(resource, needed);
  }
}

const fits = ({ resource: pattern }: ScopeRule, resource: string): boolean =>
  pattern.endsWith("*") ? resource.startsWith(pattern.slice(0, -1)) : resource === pattern;
