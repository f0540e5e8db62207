import * as z from "zod";
import { ToolsError } from "../errors.ts";
import { type Fetch, guardedFetch } from "../internal/guarded-fetch.ts";
import { defineTool, textResult } from "./define-tool.ts";
import { htmlText } from "./html-text.ts";
import type { SandboxTool } from "./sandbox-tool.ts";
import type { WebSearch } from "./web-search.ts";

export interface WebToolsOptions {
  /** Without it `web_search` is listed nowhere. */
  readonly search?: WebSearch;
  /** Default: the guarded one, which reaches public addresses only and follows no redirect. */
  readonly fetch?: Fetch;
  /** Names, and everything below them, that `web_fetch` may ask; default every public one. */
  readonly allowedDomains?: readonly string[];
  readonly blockedDomains?: readonly string[];
}

/** `web_fetch` and `web_search`. Both run on the host, beside the sandbox, and never with its credentials. */
export function webTools(options: WebToolsOptions = {}): readonly SandboxTool[] {
  const { search } = options;
  return [webFetch(options), ...(search === undefined ? [] : [webSearch(search)])];
}

function webFetch({ fetch = guardedFetch(), allowedDomains, blockedDomains = [] }: WebToolsOptions): SandboxTool {
  return defineTool({
    name: "web_fetch",
    description: "Fetch a web page or text by its URL. Pages come back as their text.",
    input: () => z.object({ url: z.url({ protocol: /^https?$/ }) }),
    async run({ context }, { url }) {
      const { hostname } = new URL(url);
      const named = (domain: string) => hostname === domain || hostname.endsWith(`.${domain}`);
      if (blockedDomains.some(named) || (allowedDomains !== undefined && !allowedDomains.some(named))) {
        throw new ToolsError("TOOLS_NETWORK_REFUSED", `${hostname} is not among the domains that may be fetched.`);
      }
      const response = await fetch(url, context.signal === undefined ? {} : { signal: context.signal });
      const location = response.headers.get("location");
      if (location !== null && response.status >= 300 && response.status < 400) {
        await response.body?.cancel();
        return textResult(`${response.status}: this page is at ${new URL(location, url).href}. Fetch that to go on.`);
      }
      const type = response.headers.get("content-type") ?? "";
      if (!/^(text\/|application\/(.+\+)?(json|xml|javascript))/.test(type)) {
        await response.body?.cancel();
        return { ...textResult(`${response.status}: ${type || "unnamed"} content is not text.`), isError: true };
      }
      const body = await response.text();
      const shown = type.startsWith("text/html") ? htmlText(body) : body;
      return response.ok ? textResult(shown) : { ...textResult(`${response.status}\n${shown}`), isError: true };
    },
  });
}

function webSearch(search: WebSearch): SandboxTool {
  return defineTool({
    name: "web_search",
    description: "Search the web.",
    input: () => z.object({ query: z.string().min(1) }),
    async run({ context }, { query }) {
      const found = await search.search(context, { text: query, limit: 10 });
      return {
        ...textResult(
          found.map(({ title, url, snippet }) => `${title}\n${url}\n${snippet}`).join("\n\n") || "No results.",
        ),
        structuredContent: { results: found.map(({ title, url, snippet }) => ({ title, url, snippet })) },
      };
    },
  });
}
