import type { CallContext, Json } from "./dialect.ts";
import type { ToolResult } from "./tool-source.ts";

export interface ToolCall {
  readonly target: string;
  /** As the target itself calls it. */
  readonly tool: string;
  readonly arguments: Json;
}

/** Code of the operator's on the way in and out of a call. What it throws is the answer, if it is a typed error. */
export interface ToolInterceptor {
  /** Runs before permissions are asked and arguments are checked, which see what it returns. */
  request?(context: CallContext, call: ToolCall): Promise<Json>;
  /** Runs on what the target answered, credentials already redacted; the last interceptor first. */
  response?(context: CallContext, call: ToolCall, result: ToolResult): Promise<ToolResult>;
}
