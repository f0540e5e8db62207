import { GatewayError } from "../errors.ts";
import type { Pricing } from "../pricing.ts";
import type { Quota, RateDecision, RateLimiter } from "../rate-limiter.ts";
import type { Slot, SlotLimiter } from "../slot-limiter.ts";
import {
  bucketOf,
  type Facets,
  groupsOf,
  isSlotRule,
  type LimitRule,
  type QuotaRule,
  type RuleGroup,
  type SlotRule,
} from "./limit-rule.ts";
import { LimitedError, type LimitHeaders, limitHeaders } from "./limited-error.ts";
import { type ReportedUsage, sizeOf } from "./usage.ts";

export interface LimitsOptions {
  readonly rules: readonly LimitRule[];
  /** Default: in this process. */
  readonly limiter?: RateLimiter;
  /** For rules on concurrency and connections. Default: in this process. */
  readonly slots?: SlotLimiter;
  /** For rules on money, where agents do not report what their work cost. */
  readonly pricing?: Pricing;
  /** What happens while the limiter cannot be asked. Default `"closed"`: calls are refused. */
  readonly onFailure?: "open" | "closed";
}

/** At the gateway's door, or at a tool; a call in process meets both at the tool. */
export type Stage = "door" | "tool" | "both";

export class Limits {
  readonly #groups: readonly RuleGroup[];
  readonly #limiter: RateLimiter;
  readonly #slots: SlotLimiter;
  readonly #pricing: Pricing | undefined;
  readonly #onFailure: "open" | "closed";
  readonly #slotted: boolean;
  readonly #quiet: Readonly<Record<Stage, boolean>>;

  constructor({
    rules,
    limiter,
    slots,
    pricing,
    onFailure = "closed",
  }: LimitsOptions & { readonly limiter: RateLimiter; readonly slots: SlotLimiter }) {
    for (const rule of rules) refuseUnusable(rule);
    this.#groups = groupsOf(rules);
    this.#slotted = this.#groups.some(isSlots);
    this.#limiter = limiter;
    this.#slots = slots;
    this.#pricing = pricing;
    this.#onFailure = onFailure;
    const quiet = (stage: Stage) => !this.#groups.some((group) => at(group, stage));
    this.#quiet = { door: quiet("door"), tool: quiet("tool"), both: quiet("both") };
  }

  /** Whether anything is limited there. */
  quiet(stage: Stage): boolean {
    return this.#quiet[stage];
  }

  /** Whether places are counted anywhere. */
  get slotted(): boolean {
    return this.#slotted;
  }

  /** Whether it matters what agents use. */
  get metered(): boolean {
    return this.#groups.some(({ unit }) => unit === "tokens" || unit === "money");
  }

  /** Throws kind `limited` when any rule says no; else gives the headers of the rule with the least left. */
  async take(facets: Facets, stage: Stage): Promise<LimitHeaders> {
    let tightest: { readonly rule: QuotaRule; readonly decision: RateDecision } | undefined;
    for (const group of this.#groups) {
      if (!isQuotas(group) || !at(group, stage)) continue;
      const bucket = bucketOf(group, facets);
      if (bucket === undefined) continue;
      const { rule } = bucket;
      let decision: RateDecision;
      try {
        decision = await this.#decide(group.unit, bucket.key, rule.quota);
      } catch (error) {
        this.#notAsked(error);
        continue;
      }
      if (!decision.allowed) throw new LimitedError(limitHeaders(rule, decision), rule.name, decision.retryAfterMs);
      if (tightest === undefined || decision.remaining < tightest.decision.remaining) tightest = { rule, decision };
    }
    return tightest === undefined ? {} : limitHeaders(tightest.rule, tightest.decision);
  }

  /** A place under every rule on what is open at one time; throws kind `limited` where there is none. */
  async occupy(unit: SlotRule["unit"], facets: Facets, stage: Stage): Promise<Slot> {
    if (!this.#slotted) return FREE;
    const held: Slot[] = [];
    const release = async () => void (await Promise.allSettled(held.map((slot) => slot.release())));
    for (const group of this.#groups) {
      if (group.unit !== unit || !isSlots(group) || !at(group, stage)) continue;
      const bucket = bucketOf(group, facets);
      if (bucket === undefined) continue;
      const { rule, key } = bucket;
      try {
        const slot = await this.#slots.acquire(key, rule.max).catch((error: unknown) => this.#notAsked(error) ?? FREE);
        if (slot === undefined) throw new LimitedError({ "retry-after": "1" }, rule.name, 1000);
        held.push(slot);
      } catch (error) {
        await release();
        throw error;
      }
    }
    return { release };
  }

  /** What an agent reported of its work. A limiter that cannot be asked then is told nothing: the work is done. */
  async charge(facets: Facets, usage: ReportedUsage): Promise<void> {
    for (const group of this.#groups) {
      if (group.unit !== "tokens" && group.unit !== "money") continue;
      const bucket = bucketOf(group as RuleGroup<QuotaRule>, facets);
      const size = sizeOf(usage, group.unit, this.#pricing);
      if (bucket === undefined || size <= 0) continue;
      await this.#limiter.charge(bucket.key, bucket.rule.quota, size).catch(() => {});
    }
  }

  #decide(unit: RuleGroup["unit"], key: string, quota: Quota): Promise<RateDecision> {
    return unit === "requests" ? this.#limiter.take(key, quota) : this.#anythingLeft(key, quota);
  }

  async #anythingLeft(key: string, quota: Quota): Promise<RateDecision> {
    const decision = await this.#limiter.take(key, quota, 0);
    if (decision.remaining >= 1) return decision;
    const oneUnitMs = Math.ceil(quota.windowMs / quota.limit);
    return { ...decision, allowed: false, retryAfterMs: Math.max(decision.retryAfterMs, oneUnitMs) };
  }

  #notAsked(cause: unknown): undefined {
    if (this.#onFailure === "open") return;
    throw new GatewayError("GATEWAY_BACKEND_FAILED", "The limiter cannot be asked, so the call was refused.", {
      cause,
    });
  }
}

const FREE: Slot = { release: async () => {} };

const isSlots = (group: RuleGroup): group is RuleGroup<SlotRule> =>
  group.unit === "concurrency" || group.unit === "connections";

const isQuotas = (group: RuleGroup): group is RuleGroup<QuotaRule> => !isSlots(group);

const at = ({ ofTools }: RuleGroup, stage: Stage): boolean => stage === "both" || ofTools === (stage === "tool");

function refuseUnusable(rule: LimitRule): void {
  const { name, per } = rule;
  const usable = isSlotRule(rule) ? rule.max >= 1 : rule.quota.limit > 0 && rule.quota.windowMs > 0;
  if (usable && /^[a-z0-9_-]{1,32}$/.test(name) && per.length > 0) return;
  throw new GatewayError(
    "GATEWAY_INVALID",
    `Limit ${JSON.stringify(name)}: a name of a-z, 0-9, _ and -, a \`per\`, and a limit and a windowMs above 0, or a max of at least 1, are needed.`,
  );
}
