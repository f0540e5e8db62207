/**
 * The client that the referee starts: the gateway towards the referee's server. What a gateway does by itself is asked
 * of it in process; what takes a client with a person or a model behind it is asked by the SDK's client through it.
 */
import { Client, type OAuthClientProvider, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { anyone, Gateway, mcpTarget } from "../../packages/gateway/src/index.ts";
import { McpOAuth } from "../../packages/gateway/src/mcp-oauth/index.ts";
import { serve } from "../../packages/gateway/src/node/index.ts";

process.removeAllListeners("warning");
process.on("warning", () => {});
const url = process.argv.at(-1) ?? "";
const scenario = process.env.MCP_CONFORMANCE_SCENARIO ?? "";
const version = process.env.MCP_CONFORMANCE_PROTOCOL_VERSION ?? "";
const given = JSON.parse(process.env.MCP_CONFORMANCE_CONTEXT ?? "{}") as Record<string, string>;
const context = { principal: { tenant: "referee" } };

/** Consents to whatever it is asked, as a person would by hand. */
function consenting(): { readonly provider: OAuthClientProvider; readonly answer: () => URLSearchParams } {
  const kept = new Map<string, unknown>();
  let answer = new URLSearchParams();
  if (given.client_id !== undefined) {
    kept.set("client", { client_id: given.client_id, client_secret: given.client_secret });
  }
  const provider: OAuthClientProvider = {
    redirectUrl: "http://localhost:3000/callback",
    clientMetadataUrl: "https://conformance-test.local/client-metadata.json",
    clientMetadata: {
      client_name: "ashlar-gateway",
      redirect_uris: ["http://localhost:3000/callback"],
      grant_types: ["authorization_code", "refresh_token"],
      application_type: "native",
    } as OAuthClientProvider["clientMetadata"],
    clientInformation: () => kept.get("client") as never,
    saveClientInformation: (client) => void kept.set("client", client),
    tokens: () => kept.get("tokens") as never,
    saveTokens: (tokens) => void kept.set("tokens", tokens),
    saveCodeVerifier: (verifier) => void kept.set("verifier", verifier),
    codeVerifier: () => kept.get("verifier") as string,
    saveDiscoveryState: (state) => void kept.set("discovery", state),
    discoveryState: () => kept.get("discovery") as never,
    invalidateCredentials(scope) {
      if (scope === "all" || scope === "client") kept.delete("client");
      if (scope === "all" || scope === "tokens") kept.delete("tokens");
      if (scope === "all" || scope === "discovery") kept.delete("discovery");
    },
    async redirectToAuthorization(address) {
      const response = await fetch(address, { redirect: "manual" });
      answer = new URL(response.headers.get("location") ?? "http://none", address).searchParams;
    },
  };
  return { provider, answer: () => answer };
}

const { provider, answer } = consenting();
const gateway = new Gateway({
  authenticator: anyone({ tenant: "referee" }),
  targets: [
    mcpTarget({
      name: "referee",
      url,
      ...(scenario.startsWith("auth/")
        ? { oauth: new McpOAuth({ provider: () => provider, callback: async () => answer(), fetch }) }
        : {}),
    }),
  ],
  // The referee sends what a schema does not allow, to see how it travels.
  validateArguments: false,
  allow: [new URL(url).host, `localhost:${new URL(url).port}`],
});

async function inProcess(): Promise<void> {
  const tools = await gateway.tools.list(context);
  const calls = (given.toolCalls as unknown as { name: string; arguments: never }[] | undefined) ?? undefined;
  if (calls !== undefined) {
    for (const { name, arguments: args } of calls) await gateway.tools.call(context, name, args).catch(() => {});
    return;
  }
  for (const { name, inputSchema } of tools)
    await gateway.tools.call(context, name, argumentsFor(inputSchema)).catch(() => {});
}

function argumentsFor(schema: unknown): never {
  const { properties = {}, required = [] } = schema as {
    readonly properties?: Record<string, { readonly type?: string }>;
    readonly required?: readonly string[];
  };
  const made = required.map((name) => [
    name,
    { number: 5, integer: 5, boolean: true }[properties[name]?.type ?? ""] ?? "x",
  ]);
  return Object.fromEntries(made) as never;
}

async function through(): Promise<void> {
  const door = await serve(gateway);
  const client = new Client({ name: "behind-the-gateway", version: "1" }, {
    capabilities: { elicitation: { form: { applyDefaults: true } }, sampling: {}, roots: {} },
    versionNegotiation: { mode: version >= "2026" ? "auto" : "legacy" },
  } as never);
  client.setRequestHandler("elicitation/create", async ({ params }) => {
    const { requestedSchema } = params as { readonly requestedSchema?: unknown };
    return { action: "accept", content: argumentsFor(requestedSchema ?? {}) } as never;
  });
  await client.connect(new StreamableHTTPClientTransport(new URL(`${door.url}/mcp`)));
  const { tools } = await client.listTools();
  for (const { name, inputSchema } of tools) {
    await client.callTool({ name, arguments: argumentsFor(inputSchema) }).catch(() => {});
  }
  await client.close();
  await door.close({ graceMs: 100 });
}

const ALL = ["initialize", "elicitation-sep1034-client-defaults", "sse-retry", "sep-2322-client-request-state"];
try {
  await (ALL.includes(scenario) ? through() : inProcess());
} catch (error) {
  if (process.env.VERBOSE) console.error(error);
} finally {
  await gateway.close();
}
