import type { Capabilities } from "../capabilities.ts";
import type { CallContext, Json } from "../dialect.ts";
import type { Sandbox } from "../sandbox.ts";
import type { BackgroundTasks } from "./background-tasks.ts";

export type ToolContent = { readonly type: string } & { readonly [key: string]: Json };

/** MCP's shape of a tool's result. */
export interface ToolResult {
  readonly content: readonly ToolContent[];
  readonly structuredContent?: Json;
  readonly isError?: boolean;
}

export interface ToolDescription {
  readonly description: string;
  /** JSON Schema, draft 2020-12. */
  readonly inputSchema: Json;
}

/** What a tool works with: the session's own sandbox, made at the first call that needs it. */
export interface ToolSession {
  readonly context: CallContext;
  readonly tasks: BackgroundTasks;
  sandbox(): Promise<Sandbox>;
}

/** One tool. A plain object: `{ ...tool, name: "file_read" }` offers it under another name. */
export interface SandboxTool {
  readonly name: string;
  /** What it is on a backend of these capabilities, or why it is not offered there. */
  describe(capabilities: Capabilities): ToolDescription | { readonly unavailable: string };
  /** Throws `ToolsError`; arguments that do not fit are `TOOLS_INVALID`. */
  call(session: ToolSession, args: Json): Promise<ToolResult>;
}
