import type { CallContext, Json } from "./dialect.ts";

export interface ToolDescription {
  readonly name: string;
  readonly description?: string;
  /** JSON Schema 2020-12 of the arguments; its root is an object. */
  readonly inputSchema: Json;
}

export type ToolContent = { readonly type: string } & { readonly [key: string]: Json };

/** A failure of the tool itself is a result with `isError`; a failure to reach or to be allowed to call it throws. */
export interface ToolResult {
  readonly content: readonly ToolContent[];
  readonly structuredContent?: Json;
  readonly isError?: boolean;
}

/** Anybody's tools in MCP's own shapes: what a target gives to the gateway, and what the gateway gives in process. */
export interface ToolSource {
  list(context: CallContext): Promise<readonly ToolDescription[]>;
  call(context: CallContext, name: string, args: Json): Promise<ToolResult>;
}
