import type { CallContext, Json } from "./dialect.ts";
import { GatewayError } from "./errors.ts";
import { FusedToolSearch } from "./fused-tool-search.ts";
import type { ToolEmbedder } from "./tool-embedder.ts";
import type { ToolDescription, ToolResult, ToolSource } from "./tool-source.ts";

const SEARCH: ToolDescription = {
  name: "search_tools",
  description: "Finds tools by what they do. Call the tools that it names as if they were listed.",
  inputSchema: {
    type: "object",
    properties: {
      query: { type: "string", description: "What the tool should do, in a few words" },
      limit: { type: "integer", minimum: 1, maximum: 50 },
    },
    required: ["query"],
  },
};

/** Callers who may see different tools have different indexes. */
const MAX_INDEXES = 16;

/**
 * Offers one tool, `search_tools`, in place of a long list; every tool of the source can still be called by its name.
 * What a caller may not see, search does not find, because the source does not list it.
 */
export function searchedTools(source: ToolSource, { embedder }: { readonly embedder?: ToolEmbedder } = {}): ToolSource {
  const indexes: { readonly tools: readonly ToolDescription[]; readonly search: FusedToolSearch }[] = [];

  function indexOf(tools: readonly ToolDescription[]): FusedToolSearch {
    const known = indexes.find((each) => same(each.tools, tools));
    if (known !== undefined) return known.search;
    const search = new FusedToolSearch(tools, embedder);
    indexes.unshift({ tools, search });
    indexes.length = Math.min(indexes.length, MAX_INDEXES);
    return search;
  }

  return {
    list: async () => [SEARCH],
    async call(context: CallContext, name: string, args: Json): Promise<ToolResult> {
      if (name !== SEARCH.name) return source.call(context, name, args);
      const { query, limit = 10 } = Object(args) as { readonly query?: unknown; readonly limit?: unknown };
      if (typeof query !== "string" || typeof limit !== "number" || !(limit >= 1 && limit <= 50)) {
        throw new GatewayError("GATEWAY_INVALID", "`query` must be a string and `limit` a number from 1 to 50.");
      }
      const tools = await source.list(context);
      const { signal } = context;
      const options = signal === undefined ? {} : { signal };
      const found = (await indexOf(tools).search(query, limit, options)) as unknown as Json;
      return { content: [{ type: "text", text: JSON.stringify(found) }], structuredContent: { tools: found } };
    },
  };
}

const same = (left: readonly ToolDescription[], right: readonly ToolDescription[]): boolean =>
  left.length === right.length && left.every((tool, index) => tool === right[index]);
