import type { CallContext } from "../dialect.ts";
import type { Price, Pricing } from "../pricing.ts";
import type { TraceStore, UsageQuery } from "../trace-store.ts";

export interface CostRow {
  /** The session, agent, model or tenant. */
  readonly key: string;
  readonly calls: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** One sum for each currency that the prices are in. */
  readonly prices: readonly Price[];
  /** Calls of models without a price: what they cost is not in the sums. */
  readonly unpricedCalls: number;
}

export interface CostQuery extends Pick<UsageQuery, "session" | "from" | "until"> {
  readonly by: "session" | "agent" | "model" | "tenant";
}

export interface CostDeps {
  readonly traces: TraceStore;
  readonly pricing: Pricing;
}

/** What model calls of the context's tenant cost, dearest first. Tools use no tokens and have no row. */
export async function costs(
  context: CallContext,
  { traces, pricing }: CostDeps,
  { by, ...query }: CostQuery,
): Promise<readonly CostRow[]> {
  const { tenant } = context.principal;
  const usage = await traces.usage(context, { ...query, by: by === "tenant" ? "model" : by });
  const groups = Map.groupBy(usage, ({ key }) => (by === "tenant" ? tenant : key));
  const rows = [...groups].map(([key, members]): CostRow => {
    const micros = new Map<string, number>();
    const sums = { calls: 0, inputTokens: 0, outputTokens: 0, unpricedCalls: 0 };
    for (const each of members) {
      sums.calls += each.calls;
      sums.inputTokens += each.inputTokens;
      sums.outputTokens += each.outputTokens;
      const price = each.model === undefined ? undefined : pricing.price(each.model, each);
      if (price === undefined) sums.unpricedCalls += each.calls;
      else micros.set(price.currency, (micros.get(price.currency) ?? 0) + price.micros);
    }
    return { key, ...sums, prices: [...micros].map(([currency, sum]) => ({ currency, micros: sum })) };
  });
  return rows.toSorted((a, b) => most(b) - most(a));
}

const most = ({ prices }: CostRow): number => Math.max(0, ...prices.map(({ micros }) => micros));
