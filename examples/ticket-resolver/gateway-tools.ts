import type { AgentTokens } from "@ashlar/identity";
import type { ToolSource } from "@ashlar/runtime";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { context as active, propagation } from "@opentelemetry/api";
import { AUDIENCE } from "./config.ts";

/** The definition's `mcp_server`: the gateway's MCP endpoint, called with a short-lived token of the agent's own. */
export function gatewayTools({ url, tokens }: { readonly url: string; readonly tokens: AgentTokens }): ToolSource {
  const clients = new Map<string, Promise<Client>>();

  async function connect(context: Parameters<ToolSource["list"]>[0]): Promise<Client> {
    const { principal } = context;
    const client = new Client({ name: "ticket-resolver", version: "1.0.0" });
    const transport = new StreamableHTTPClientTransport(new URL(`${url}/mcp`), {
      async fetch(input, init) {
        const headers = new Headers(init?.headers);
        headers.set("authorization", `Bearer ${await tokens.issue({ principal }, { audience: AUDIENCE })}`);
        propagation.inject(active.active(), headers, { set: (carrier, name, value) => carrier.set(name, value) });
        return fetch(input, { ...init, headers });
      },
    });
    await client.connect(transport);
    return client;
  }

  function clientOf(context: Parameters<ToolSource["list"]>[0]): Promise<Client> {
    const session = context.principal.session ?? "";
    const known = clients.get(session) ?? connect(context);
    clients.set(session, known);
    return known;
  }

  return {
    async list(context) {
      const { tools } = await (await clientOf(context)).listTools();
      return tools as unknown as Awaited<ReturnType<ToolSource["list"]>>;
    },
    async call(context, name, args) {
      const { idempotencyKey, signal } = context;
      const request = {
        name,
        arguments: args as Record<string, unknown>,
        ...(idempotencyKey === undefined ? {} : { _meta: { "ashlar/idempotencyKey": idempotencyKey } }),
      };
      const result = await (await clientOf(context)).callTool(request, signal === undefined ? {} : { signal });
      return result as unknown as Awaited<ReturnType<ToolSource["call"]>>;
    },
  };
}
