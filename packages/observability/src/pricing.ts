export interface TokenUsage {
  /** All tokens in, those read from a cache included. */
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** The share of `inputTokens` that came from a cache. */
  readonly cachedTokens?: number;
}

export interface Price {
  /** Millionths of the currency. */
  readonly micros: number;
  /** ISO 4217, `USD` for example. */
  readonly currency: string;
}

/** The runtime and the gateway take this shape for budgets. */
export interface Pricing {
  /** Price in micro-units of the currency, undefined for an unknown model. */
  price(model: string, usage: TokenUsage): Price | undefined;
}
