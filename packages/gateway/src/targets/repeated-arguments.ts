import type { Json } from "../dialect.ts";
import { encodeHeaderValue, type RpcMessage } from "../mcp/protocol.ts";
import type { ToolDescription } from "../tool-source.ts";

/** RFC 9110: what a header's name is made of. */
const TOKEN = /^[!#$%&'*+.^_`|~\w-]{1,64}$/;

/** Which arguments of which tools the stateless revision wants repeated in headers, as `x-mcp-header` says. */
export class RepeatedArguments {
  readonly #byTool = new Map<string, ReadonlyMap<string, string>>();

  /** A tool that asks for headers that cannot be is left out. */
  usable(tools: readonly ToolDescription[]): readonly ToolDescription[] {
    return tools.filter(({ name, inputSchema }) => {
      const repeated = repeatedArguments(inputSchema);
      if (repeated !== undefined) this.#byTool.set(name, repeated);
      return repeated !== undefined;
    });
  }

  headers({ name, arguments: args }: NonNullable<RpcMessage["params"]> = {}): Record<string, string> {
    const headers: Record<string, string> = {};
    const given = Object(args) as { readonly [key: string]: Json };
    for (const [argument, header] of this.#byTool.get(String(name)) ?? []) {
      const value = Object.hasOwn(given, argument) ? given[argument] : undefined;
      if (value === undefined || value === null || typeof value === "object") continue;
      headers[`mcp-param-${header.toLowerCase()}`] = encodeHeaderValue(String(value));
    }
    return headers;
  }
}

/** Header by argument; `undefined` where one cannot be. */
function repeatedArguments(schema: Json): ReadonlyMap<string, string> | undefined {
  const { properties } = Object(schema) as { readonly properties?: Json };
  const found = new Map<string, string>();
  const taken = new Set<string>();
  for (const [argument, property] of Object.entries(Object(properties) as object)) {
    const { "x-mcp-header": header, type } = Object(property) as Record<string, unknown>;
    if (header === undefined) continue;
    if (typeof header !== "string" || !TOKEN.test(header) || taken.has(header.toLowerCase())) return undefined;
    if (type !== "string" && type !== "integer" && type !== "boolean") return undefined;
    taken.add(header.toLowerCase());
    found.set(argument, header);
  }
  return found;
}
