import type { CallContext, Json } from "./dialect.ts";
import { GatewayError } from "./errors.ts";
import { ToolSearch } from "./tool-search.ts";
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

/**
 * Offers one tool, `search_tools`, in place of a long list; every tool of the source can still be called by its name.
 * What a caller may not see, search does not find, because the source does not list it.
 */
export function searchedTools(source: ToolSource): ToolSource {
  const indexes = new WeakMap<readonly ToolDescription[], ToolSearch>();
  return {
    list: async () => [SEARCH],
    async call(context: CallContext, name: string, args: Json): Promise<ToolResult> {
      if (name !== SEARCH.name) return source.call(context, name, args);
      const { query, limit = 10 } = Object(args) as { readonly query?: unknown; readonly limit?: unknown };
      if (typeof query !== "string" || typeof limit !== "number" || !(limit >= 1 && limit <= 50)) {
        throw new GatewayError("GATEWAY_INVALID", "`query` must be a string and `limit` a number from 1 to 50.");
      }
      const tools = await source.list(context);
      let index = indexes.get(tools);
      if (index === undefined) {
        index = new ToolSearch(tools);
        indexes.set(tools, index);
      }
      const found = index.search(query, limit) as unknown as Json;
      return { content: [{ type: "text", text: JSON.stringify(found) }], structuredContent: { tools: found } };
    },
  };
}
