import assert from "node:assert/strict";
import type { Pricing } from "../pricing.ts";
import type { TestFunction } from "./suite.ts";

export interface PricingConformance {
  readonly test: TestFunction;
  create(): Promise<{
    readonly pricing: Pricing;
    /** A model with a price above nothing for its input and for its output. */
    readonly model: string;
    /** What a million input tokens, none of them cached, and no output tokens cost, in micro-units of the currency. */
    readonly inputMicrosPerMillion: number;
  }>;
}

const MILLION = 1_000_000;

/** The law of `Pricing`. */
export function pricingConformance({ test, create }: PricingConformance): void {
  const law = (name: string, body: (parts: Awaited<ReturnType<typeof create>>) => void) =>
    test(`pricing: ${name}`, async () => body(await create()));

  const micros = (pricing: Pricing, model: string, usage: Parameters<Pricing["price"]>[1]): number => {
    const price = pricing.price(model, usage);
    assert.ok(price, `${model} has no price`);
    assert.match(price.currency, /^[A-Z]{3}$/);
    assert.ok(Number.isSafeInteger(price.micros) && price.micros >= 0, `${price.micros} is no whole number of micros`);
    return price.micros;
  };

  law("a price is in millionths of the currency", ({ pricing, model, inputMicrosPerMillion }) => {
    assert.equal(micros(pricing, model, { inputTokens: MILLION, outputTokens: 0 }), inputMicrosPerMillion);
  });

  law("nothing costs nothing, more costs more, and the parts add up", ({ pricing, model }) => {
    const price = (inputTokens: number, outputTokens: number) => micros(pricing, model, { inputTokens, outputTokens });
    assert.equal(price(0, 0), 0);
    assert.ok(price(2 * MILLION, 0) > price(MILLION, 0));
    assert.ok(price(0, MILLION) > 0);
    assert.equal(price(MILLION, MILLION), price(MILLION, 0) + price(0, MILLION));
  });

  law("cached tokens are a part of the input and never dearer", ({ pricing, model }) => {
    const all = micros(pricing, model, { inputTokens: MILLION, outputTokens: 0 });
    const cached = micros(pricing, model, { inputTokens: MILLION, outputTokens: 0, cachedTokens: MILLION });
    assert.ok(cached <= all, `${cached} is more than ${all}: the cached tokens were counted twice`);
    assert.equal(micros(pricing, model, { inputTokens: MILLION, outputTokens: 0, cachedTokens: 0 }), all);
  });

  law("an unknown model has no price, rather than a price of nothing", ({ pricing }) => {
    assert.equal(pricing.price("there-is-no-such-model", { inputTokens: 1, outputTokens: 1 }), undefined);
  });
}
