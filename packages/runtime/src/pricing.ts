export interface Pricing {
  /** Price in micro-units of the currency; `undefined` for an unknown model. */
  price(
    model: string,
    usage: { readonly inputTokens: number; readonly outputTokens: number; readonly cachedTokens?: number },
  ): { readonly micros: number; readonly currency: string } | undefined;
}
