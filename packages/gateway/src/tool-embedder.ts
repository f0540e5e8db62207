/** Makes vectors of texts, so that tools are found by meaning too. */
export interface ToolEmbedder {
  /** One vector per text, all of one length. A failure leaves the search to words alone. */
  embed(texts: readonly string[], options?: { readonly signal?: AbortSignal }): Promise<readonly ArrayLike<number>[]>;
}
