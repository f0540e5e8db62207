import type { CallContext } from "../dialect.ts";

export interface WebSearchResult {
  readonly title: string;
  readonly url: string;
  readonly snippet: string;
}

/** A search engine of the team's choice; `SearxngSearch`, `BraveSearch` and `TavilySearch` speak to three. */
export interface WebSearch {
  search(
    context: CallContext,
    query: { readonly text: string; readonly limit: number },
  ): Promise<readonly WebSearchResult[]>;
}
