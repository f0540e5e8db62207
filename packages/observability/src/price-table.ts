import { z } from "zod";
import { ObservabilityError } from "./errors.ts";
import type { Price, Pricing, TokenUsage } from "./pricing.ts";

/** Prices of a million tokens in whole units of the currency, as providers print them. */
export interface ModelPrice {
  readonly inputPerMillion: number;
  readonly outputPerMillion: number;
  /** For tokens read from a cache; `inputPerMillion` when absent. */
  readonly cachedPerMillion?: number;
}

export interface PriceTableOptions {
  /** ISO 4217; `USD` when absent. */
  readonly currency?: string;
  /** By model name. A name that ends in `*` covers every model that begins so; the longest one wins, an exact name before all. */
  readonly models: Readonly<Record<string, ModelPrice>>;
}

const perMillion = z.number().nonnegative().max(1_000_000);
const tableSchema = z.strictObject({
  currency: z
    .string()
    .regex(/^[A-Z]{3}$/)
    .optional(),
  models: z.record(
    z.string().min(1).max(256),
    z.strictObject({
      inputPerMillion: perMillion,
      outputPerMillion: perMillion,
      cachedPerMillion: perMillion.optional(),
    }),
  ),
});

/** Prices from a table that the team keeps. No prices are built in: they change faster than packages are updated. */
export class PriceTable implements Pricing {
  readonly currency: string;
  readonly #exact = new Map<string, ModelPrice>();
  readonly #prefixes: (readonly [prefix: string, price: ModelPrice])[] = [];

  constructor({ currency = "USD", models }: PriceTableOptions) {
    this.currency = currency;
    for (const [name, price] of Object.entries(models)) {
      if (name.endsWith("*")) this.#prefixes.push([name.slice(0, -1), price]);
      else this.#exact.set(name, price);
    }
    this.#prefixes.sort(([a], [b]) => b.length - a.length);
  }

  price(model: string, { inputTokens, outputTokens, cachedTokens = 0 }: TokenUsage): Price | undefined {
    const found = this.#exact.get(model) ?? this.#prefixes.find(([prefix]) => model.startsWith(prefix))?.[1];
    if (found === undefined) return undefined;
    const cached = Math.min(cachedTokens, inputTokens);
    const micros =
      (inputTokens - cached) * found.inputPerMillion +
      cached * (found.cachedPerMillion ?? found.inputPerMillion) +
      outputTokens * found.outputPerMillion;
    return { micros: Math.round(micros), currency: this.currency };
  }

  /** A table in which the given models stand before this one's. */
  with(models: PriceTableOptions["models"]): PriceTable {
    const own = [...this.#exact, ...this.#prefixes.map(([prefix, price]) => [`${prefix}*`, price] as const)];
    return new PriceTable({ currency: this.currency, models: { ...Object.fromEntries(own), ...models } });
  }
}

/** Reads the JSON text of a price file: `{ "currency": "USD", "models": { "gpt-5*": { "inputPerMillion": 1.25, "outputPerMillion": 10 } } }`. */
export function parsePriceTable(text: string): PriceTable {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new ObservabilityError("OBSERVABILITY_INVALID", "The price table is not JSON.", { cause });
  }
  const parsed = tableSchema.safeParse(json);
  if (!parsed.success) {
    throw new ObservabilityError("OBSERVABILITY_INVALID", `The price table is wrong: ${z.prettifyError(parsed.error)}`);
  }
  const { currency, models } = parsed.data;
  return new PriceTable({
    models: models as PriceTableOptions["models"],
    ...(currency === undefined ? {} : { currency }),
  });
}
