export interface ModelUsage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cachedTokens?: number;
}

/** What usage costs, for limits on money. */
export interface Pricing {
  /** Price in micro-units of the currency, `undefined` for an unknown model. */
  price(model: string, usage: ModelUsage): { readonly micros: number; readonly currency: string } | undefined;
}
