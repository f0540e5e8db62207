import { type CallToolResult, Server, type Tool } from "@modelcontextprotocol/server";
import type { CallContext, Json } from "../dialect.ts";
import type { SandboxTools } from "./sandbox-tools.ts";

export interface ToolsServerOptions {
  readonly tools: SandboxTools;
  /** On whose behalf this connection speaks: made by whoever authenticated it. */
  readonly context: CallContext;
  readonly name?: string;
  readonly version?: string;
}

/** An MCP server of these tools for one caller; connect it to a transport, or hand it to `createMcpHandler`. */
export function toolsServer({ tools, context, name = "ashlar-tools", version = "0.0.0" }: ToolsServerOptions): Server {
  const server = new Server({ name, version }, { capabilities: { tools: {} } });
  server.setRequestHandler("tools/list", async () => ({ tools: (await tools.list(context)) as unknown as Tool[] }));
  server.setRequestHandler("tools/call", async ({ params }, { mcpReq }) => {
    const args = (params.arguments ?? {}) as Json;
    return (await tools.call({ ...context, signal: mcpReq.signal }, params.name, args)) as CallToolResult;
  });
  return server;
}
