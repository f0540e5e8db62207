import { GatewayError } from "../errors.ts";
import type { Quota, RateDecision, RateLimiter } from "../rate-limiter.ts";

/** What a call is known by. `address` is the connection's own, never a header's, unless a proxy is trusted. */
export interface Facets {
  readonly tenant?: string | undefined;
  readonly user?: string | undefined;
  readonly agent?: string | undefined;
  readonly session?: string | undefined;
  readonly address?: string | undefined;
  readonly target?: string | undefined;
  readonly tool?: string | undefined;
}

export type Facet = keyof Facets;

export interface LimitRule {
  /** All names apply to a call; of several rules with one name only the one whose `when` says most. */
  readonly name: string;
  /** A bucket for each value of these, e.g. `["tenant", "tool"]`. A call that lacks one is not counted. */
  readonly per: readonly Facet[];
  /** Values that a call must have for this rule to be meant. */
  readonly when?: Facets;
  readonly quota: Quota;
}

export interface LimitsOptions {
  readonly rules: readonly LimitRule[];
  /** Default: in this process. */
  readonly limiter?: RateLimiter;
  /** What happens while the limiter cannot be asked. Default `"closed"`: calls are refused. */
  readonly onFailure?: "open" | "closed";
}

/** `RateLimit` and `RateLimit-Policy` of the IETF's draft, by header name. */
export type LimitHeaders = Readonly<Record<string, string>>;

export class Limits {
  readonly #rules: readonly LimitRule[];
  readonly #limiter: RateLimiter;
  readonly #onFailure: "open" | "closed";

  constructor({ rules, limiter, onFailure = "closed" }: LimitsOptions & { readonly limiter: RateLimiter }) {
    for (const { name, quota, per } of rules) {
      if (!/^[a-z0-9_-]{1,32}$/.test(name) || !(quota.limit > 0) || !(quota.windowMs > 0) || per.length === 0) {
        throw new GatewayError(
          "GATEWAY_INVALID",
          `Limit ${JSON.stringify(name)}: a name of a-z, 0-9, _ and -, a limit and a windowMs above 0, and a \`per\` are needed.`,
        );
      }
    }
    this.#rules = rules;
    this.#limiter = limiter;
    this.#onFailure = onFailure;
  }

  /** Throws kind `limited` when any rule says no; else gives the headers of the rule with the least left. */
  async take(facets: Facets): Promise<LimitHeaders> {
    if (this.#rules.length === 0) return {};
    let tightest: { readonly rule: LimitRule; readonly decision: RateDecision } | undefined;
    for (const rule of this.#applicable(facets)) {
      const decision = await this.#ask(rule, facets);
      if (decision === undefined) continue;
      if (!decision.allowed) throw new LimitedError(headersOf(rule, decision), rule.name, decision.retryAfterMs);
      if (tightest === undefined || decision.remaining < tightest.decision.remaining) tightest = { rule, decision };
    }
    return tightest === undefined ? {} : headersOf(tightest.rule, tightest.decision);
  }

  #applicable(facets: Facets): Iterable<LimitRule> {
    const best = new Map<string, LimitRule>();
    for (const rule of this.#rules) {
      if (!matches(rule, facets)) continue;
      const other = best.get(rule.name);
      if (other === undefined || specificity(rule) > specificity(other)) best.set(rule.name, rule);
    }
    return best.values();
  }

  async #ask(rule: LimitRule, facets: Facets): Promise<RateDecision | undefined> {
    const key = JSON.stringify([rule.name, rule.when ?? {}, rule.per.map((facet) => facets[facet])]);
    try {
      return await this.#limiter.take(key, rule.quota);
    } catch (error) {
      if (this.#onFailure === "open") return undefined;
      throw new GatewayError("GATEWAY_BACKEND_FAILED", "The limiter cannot be asked, so the call was refused.", {
        cause: error,
      });
    }
  }
}

/** A refusal by a limit, with the headers that say when to come back. */
export class LimitedError extends GatewayError {
  readonly headers: LimitHeaders;

  constructor(headers: LimitHeaders, rule: string, retryAfterMs: number) {
    super("GATEWAY_RATE_LIMITED", `The limit ${rule} is reached.`, { retryAfterMs });
    this.headers = headers;
  }
}

const matches = ({ per, when = {} }: LimitRule, facets: Facets): boolean =>
  per.every((facet) => facets[facet] !== undefined) &&
  Object.entries(when).every(([facet, value]) => facets[facet as Facet] === value);

const specificity = ({ when = {}, per }: LimitRule): number => Object.keys(when).length * 10 + per.length;

function headersOf(
  { name, quota }: LimitRule,
  { remaining, resetMs, retryAfterMs, allowed }: RateDecision,
): LimitHeaders {
  return {
    "ratelimit-policy": `"${name}";q=${quota.limit};w=${Math.ceil(quota.windowMs / 1000)}`,
    ratelimit: `"${name}";r=${remaining};t=${Math.ceil(resetMs / 1000)}`,
    ...(allowed ? {} : { "retry-after": String(Math.max(1, Math.ceil(retryAfterMs / 1000))) }),
  };
}
