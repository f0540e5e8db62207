import type { Json } from "../dialect.ts";
import type { Pricing } from "../pricing.ts";

/** What an agent says that a piece of its work used. */
export interface ReportedUsage {
  readonly model?: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cachedTokens?: number;
  /** What it cost, in micro-units of the currency, where the agent knows it. */
  readonly costMicros?: number;
}

const warned = new Set<string>();

/** Tokens, or micro-units of money by what was reported or else by the price list. */
export function sizeOf(usage: ReportedUsage, unit: "tokens" | "money", pricing: Pricing | undefined): number {
  if (unit === "tokens") return usage.inputTokens + usage.outputTokens;
  if (usage.costMicros !== undefined) return usage.costMicros;
  const { model = "(none named)" } = usage;
  const price = pricing?.price(model, usage);
  if (price !== undefined) return price.micros;
  if (!warned.has(model)) {
    warned.add(model);
    process.emitWarning(`Limits on money do not see the work of model ${model}: give \`pricing\` a price for it.`, {
      code: "ASHLAR_GATEWAY_UNPRICED",
    });
  }
  return 0;
}

/** `undefined` when the body of an event is no usage. */
export function usageOf(body: Json | undefined): ReportedUsage | undefined {
  const { model, inputTokens, outputTokens, cachedTokens, costMicros } = Object(body) as Record<string, unknown>;
  if (!isCount(inputTokens) || !isCount(outputTokens)) return undefined;
  return {
    inputTokens,
    outputTokens,
    ...(typeof model === "string" ? { model } : {}),
    ...(isCount(cachedTokens) ? { cachedTokens } : {}),
    ...(isCount(costMicros) ? { costMicros } : {}),
  };
}

const isCount = (value: unknown): value is number => typeof value === "number" && value >= 0 && Number.isFinite(value);
