import type { Quota } from "../rate-limiter.ts";

/** What a call is known by. `address` is the connection's own, never a header's, unless a proxy is trusted. */
export interface Facets {
  readonly tenant?: string | undefined;
  readonly user?: string | undefined;
  /** The agent that calls, or else the published agent that is called. */
  readonly agent?: string | undefined;
  readonly session?: string | undefined;
  readonly address?: string | undefined;
  readonly target?: string | undefined;
  readonly tool?: string | undefined;
  /** What the caller's credential says, by `claim:<name>`. */
  readonly [claim: `claim:${string}`]: string | undefined;
}

export type Facet = "tenant" | "user" | "agent" | "session" | "address" | "target" | "tool" | `claim:${string}`;

interface RuleBase {
  /**
   * All names apply to a call; of several rules with one name only the one whose `when` says most. A name of which some
   * rule speaks of a target or a tool is about tool calls alone.
   */
  readonly name: string;
  /** A bucket for each value of these, e.g. `["tenant", "tool"]`. A call that lacks one is not counted. */
  readonly per: readonly Facet[];
  /** Values that a call must have for this rule to be meant. */
  readonly when?: Facets;
}

/** So much in so much time. Tokens and money are known afterwards: a call is refused when nothing is left. */
export interface QuotaRule extends RuleBase {
  /** Default `requests`. `tokens` and `money`, in micro-units of the currency, are what agents report of their work. */
  readonly unit?: "requests" | "tokens" | "money";
  readonly quota: Quota;
}

/** So many at one time. */
export interface SlotRule extends RuleBase {
  /** Calls under way, or streams and sockets that are open. */
  readonly unit: "concurrency" | "connections";
  readonly max: number;
}

export type LimitRule = QuotaRule | SlotRule;
export type LimitUnit = NonNullable<LimitRule["unit"]>;

export const isSlotRule = (rule: LimitRule): rule is SlotRule =>
  rule.unit === "concurrency" || rule.unit === "connections";

/** Rules of one name: the first that fits a call is the one that applies. */
export interface RuleGroup<R extends LimitRule = LimitRule> {
  readonly unit: LimitUnit;
  readonly ofTools: boolean;
  readonly rules: readonly { readonly rule: R; readonly prefix: string }[];
}

export function groupsOf(rules: readonly LimitRule[]): readonly RuleGroup[] {
  const names = Map.groupBy(rules, ({ name, unit = "requests" }) => `${unit} ${name}`);
  return [...names.values()].map((group) => ({
    unit: group[0]?.unit ?? "requests",
    ofTools: group.some(({ per, when = {} }) => [...per, ...Object.keys(when)].some(isOfTool)),
    rules: group
      .toSorted((left, right) => specificity(right) - specificity(left))
      .map((rule) => ({ rule, prefix: JSON.stringify([rule.unit ?? "requests", rule.name, rule.when ?? {}]) })),
  }));
}

/** The bucket of a call under the group's rule that is meant for it; `undefined` where none is. */
export function bucketOf<R extends LimitRule>(
  { rules }: RuleGroup<R>,
  facets: Facets,
): { readonly rule: R; readonly key: string } | undefined {
  const found = rules.find(({ rule }) => matches(rule, facets));
  if (found === undefined) return undefined;
  let key = found.prefix;
  for (const facet of found.rule.per) {
    const value = facets[facet] ?? "";
    key += `${value.length}:${value}`;
  }
  return { rule: found.rule, key };
}

const isOfTool = (facet: string): boolean => facet === "target" || facet === "tool";

function matches({ per, when }: LimitRule, facets: Facets): boolean {
  for (const facet of per) if (facets[facet] === undefined) return false;
  for (const facet in when) if (facets[facet as Facet] !== when[facet as Facet]) return false;
  return true;
}

const specificity = ({ when = {}, per }: LimitRule): number => Object.keys(when).length * 10 + per.length;
