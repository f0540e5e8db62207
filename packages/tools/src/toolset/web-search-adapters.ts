import * as z from "zod";
import type { CallContext } from "../dialect.ts";
import { ToolsError } from "../errors.ts";
import { type Fetch, guardedFetch } from "../internal/guarded-fetch.ts";
import type { WebSearch, WebSearchResult } from "./web-search.ts";

type Query = Parameters<WebSearch["search"]>[1];

/** A SearXNG instance (`/search?format=json`, which its settings have to allow). */
export class SearxngSearch implements WebSearch {
  readonly #baseUrl: string;
  readonly #fetch: Fetch;

  /** The default `fetch` lets exactly this host be a private one. */
  constructor({ baseUrl, fetch }: { readonly baseUrl: string; readonly fetch?: Fetch }) {
    this.#baseUrl = baseUrl;
    this.#fetch = fetch ?? guardedFetch({ allow: [new URL(baseUrl).hostname] });
  }

  async search(context: CallContext, { text, limit }: Query): Promise<readonly WebSearchResult[]> {
    const url = new URL("search", this.#baseUrl);
    url.search = new URLSearchParams({ q: text, format: "json" }).toString();
    const answer = z
      .object({ results: z.array(z.object({ title: z.string(), url: z.string(), content: z.string().default("") })) })
      .parse(await ask(this.#fetch, url, { ...signalOf(context) }));
    return answer.results.slice(0, limit).map(({ title, url, content }) => ({ title, url, snippet: content }));
  }
}

/** Brave's web search API. */
export class BraveSearch implements WebSearch {
  readonly #apiKey: string;
  readonly #fetch: Fetch;

  constructor({ apiKey, fetch = guardedFetch() }: { readonly apiKey: string; readonly fetch?: Fetch }) {
    this.#apiKey = apiKey;
    this.#fetch = fetch;
  }

  async search(context: CallContext, { text, limit }: Query): Promise<readonly WebSearchResult[]> {
    const url = new URL("https://api.search.brave.com/res/v1/web/search");
    url.search = new URLSearchParams({ q: text, count: String(Math.min(limit, 20)) }).toString();
    const result = z.object({ title: z.string(), url: z.string(), description: z.string().default("") });
    const answer = z
      .object({ web: z.object({ results: z.array(result) }).optional() })
      .parse(await ask(this.#fetch, url, { headers: { "x-subscription-token": this.#apiKey }, ...signalOf(context) }));
    return (answer.web?.results ?? []).map(({ title, url, description }) => ({ title, url, snippet: description }));
  }
}

/** Tavily's search API. */
export class TavilySearch implements WebSearch {
  readonly #apiKey: string;
  readonly #fetch: Fetch;

  constructor({ apiKey, fetch = guardedFetch() }: { readonly apiKey: string; readonly fetch?: Fetch }) {
    this.#apiKey = apiKey;
    this.#fetch = fetch;
  }

  async search(context: CallContext, { text, limit }: Query): Promise<readonly WebSearchResult[]> {
    const request = {
      method: "POST",
      headers: { authorization: `Bearer ${this.#apiKey}`, "content-type": "application/json" },
      body: JSON.stringify({ query: text, max_results: limit }),
      ...signalOf(context),
    };
    const answer = z
      .object({ results: z.array(z.object({ title: z.string(), url: z.string(), content: z.string().default("") })) })
      .parse(await ask(this.#fetch, new URL("https://api.tavily.com/search"), request));
    return answer.results.map(({ title, url, content }) => ({ title, url, snippet: content }));
  }
}

async function ask(fetch: Fetch, url: URL, init: RequestInit): Promise<unknown> {
  const response = await fetch(url, init);
  if (response.ok) return await response.json();
  await response.body?.cancel();
  throw new ToolsError("TOOLS_BACKEND_FAILED", `The search engine at ${url.origin} answered ${response.status}.`);
}

const signalOf = ({ signal }: CallContext): { signal?: AbortSignal } => (signal === undefined ? {} : { signal });
