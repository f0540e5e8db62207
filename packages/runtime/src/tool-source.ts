import type { CallContext, Json } from "./dialect.ts";

export interface ToolDescription {
  readonly name: string;
  readonly description?: string;
  /** JSON Schema of the arguments. */
  readonly inputSchema: Json;
}

export interface ToolResult {
  readonly content: readonly ({ readonly type: string } & { readonly [key: string]: Json })[];
  readonly structuredContent?: Json;
  /** The tool ran and says that it failed: for the model to read. A throw means that the call itself failed. */
  readonly isError?: boolean;
}

/** Tools in MCP's own shapes, so that a gateway, a sandbox and a memory can all be somebody's tools. */
export interface ToolSource {
  list(context: CallContext): Promise<readonly ToolDescription[]>;
  /** The context's `idempotencyKey` is the same for every try of one call: a source that honours it acts once. */
  call(context: CallContext, name: string, args: Json): Promise<ToolResult>;
}
