/** A full-featured MCP server for the referee to find behind the gateway, made with the official SDK. */
import { setTimeout as sleep } from "node:timers/promises";
import {
  createMcpHandler,
  fromJsonSchema,
  hostHeaderValidationResponse,
  inputRequired,
  isLegacyRequest,
  localhostAllowedHostnames,
  localhostAllowedOrigins,
  McpServer,
  originValidationResponse,
  ResourceTemplate,
} from "@modelcontextprotocol/server";
import { z } from "zod";
import { interactive, pushed, states } from "./interactive.ts";
import { Sessions } from "./sessions.ts";

const PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const SILENCE = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA=";

const SCHEMA_2020_12 = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object",
  $defs: {
    address: {
      $anchor: "addressDef",
      type: "object",
      properties: { street: { type: "string" }, city: { type: "string" } },
    },
  },
  properties: {
    name: { type: "string" },
    address: { $ref: "#/$defs/address" },
    contactMethod: { type: "string", enum: ["phone", "email"] },
    phone: { type: "string" },
    email: { type: "string" },
  },
  allOf: [{ anyOf: [{ required: ["phone"] }, { required: ["email"] }] }],
  if: { properties: { contactMethod: { const: "phone" } }, required: ["contactMethod"] },
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
  then: { required: ["phone"] },
  else: { required: ["email"] },
  additionalProperties: false,
} as const;

const text = (value: string) => ({ type: "text" as const, text: value });
const image = { type: "image" as const, data: PIXEL, mimeType: "image/png" };
const embedded = (uri: string, body: string) => ({
  type: "resource" as const,
  resource: { uri, mimeType: "text/plain", text: body },
});

function build(): McpServer {
  const server = new McpServer(
    { name: "fixture", version: "1.0.0" },
    {
      capabilities: {
        tools: { listChanged: true },
        resources: { subscribe: true },
        prompts: { listChanged: true },
        logging: {},
        completions: {},
      },
      requestState: { verify: states.verify },
    },
  );
  tools(server);
  interactive(server);
  diagnostics(server);
  resources(server);
  prompts(server);
  server.server.setRequestHandler("logging/setLevel", () => ({}));
  server.server.setRequestHandler("resources/subscribe", () => ({}));
  server.server.setRequestHandler("resources/unsubscribe", () => ({}));
  return server;
}

function tools(server: McpServer): void {
  const plain = (name: string, description: string, content: readonly unknown[]) =>
    server.registerTool(name, { description }, () => ({ content: content as never }));
  plain("test_simple_text", "Answers with text", [text("This is a simple text response for testing.")]);
  plain("test_image_content", "Answers with an image", [image]);
  plain("test_audio_content", "Answers with audio", [{ type: "audio", data: SILENCE, mimeType: "audio/wav" }]);
  plain("test_embedded_resource", "Answers with a resource", [
    embedded("test://embedded-resource", "This is an embedded resource content."),
  ]);
  plain("test_multiple_content_types", "Answers with three kinds of content", [
    text("Multiple content types test:"),
    image,
    {
      type: "resource",
      resource: { uri: "test://mixed-content-resource", mimeType: "application/json", text: '{"test":"data"}' },
    },
  ]);
  server.registerTool("test_error_handling", { description: "Fails on purpose" }, () => ({
    isError: true,
    content: [text("This tool intentionally returns an error for testing")],
  }));
  server.registerTool("test_tool_with_logging", { description: "Logs while it works" }, async (context) => {
    for (const data of ["Tool execution started", "Tool processing data", "Tool execution completed"]) {
      await context.mcpReq.log("info", data);
    }
    return { content: [text("Logged three times")] };
  });
  server.registerTool("test_tool_with_progress", { description: "Tells its progress" }, async (context) => {
    const token = context.mcpReq._meta?.progressToken;
    for (const progress of token === undefined ? [] : [0, 50, 100]) {
      await context.mcpReq.notify({
        method: "notifications/progress",
        params: { progressToken: token as string | number, progress, total: 100 },
      });
    }
    return { content: [text(String(token))] };
  });
  server.registerTool(
    "json_schema_2020_12_tool",
    { description: "Has a schema with the keywords of 2020-12", inputSchema: fromJsonSchema(SCHEMA_2020_12) },
    () => ({ content: [text("ok")] }),
  );
  server.registerTool(
    "test_header_parameter",
    {
      description: "Takes a parameter that travels in a header too",
      inputSchema: fromJsonSchema({
        type: "object",
        properties: { region: { type: "string", "x-mcp-header": "Region" } },
        required: ["region"],
      }),
    },
    () => ({ content: [text("ok")] }),
  );
}

/** What the referee uses to look behind the scenes of the stateless revision. */
function diagnostics(server: McpServer): void {
  server.registerTool("test_streaming_elicitation", { description: "Streams, then asks" }, async (context) => {
    await context.mcpReq.notify({
      method: "notifications/progress",
      params: { progressToken: context.mcpReq._meta?.progressToken ?? 0, progress: 1 },
    });
    return inputRequired({
      inputRequests: {
        go: inputRequired.elicit({ message: "Go on?", requestedSchema: { type: "object", properties: {} } }),
      },
    });
  });
  server.registerTool("test_logging_tool", { description: "Logs where it is asked to" }, async (context) => {
    await context.mcpReq.log("info", "Working");
    return { content: [text("Logged")] };
  });
  server.registerTool("test_trigger_tool_change", { description: "Says that the tools changed" }, () => {
    handler.notify.toolsChanged();
    return { content: [text("Told")] };
  });
  server.registerTool("test_trigger_prompt_change", { description: "Says that the prompts changed" }, () => {
    handler.notify.promptsChanged();
    return { content: [text("Told")] };
  });
  server.registerTool("test_reconnection", { description: "Closes its stream while it works" }, async (context) => {
    context.http?.closeSSE?.();
    await sleep(200);
    return { content: [text("Reconnected")] };
  });
}

function resources(server: McpServer): void {
  server.registerResource("static-text", "test://static-text", { mimeType: "text/plain" }, ({ href }) => ({
    contents: [{ uri: href, mimeType: "text/plain", text: "This is the content of the static text resource." }],
  }));
  server.registerResource("static-binary", "test://static-binary", { mimeType: "image/png" }, ({ href }) => ({
    contents: [{ uri: href, mimeType: "image/png", blob: PIXEL }],
  }));
  server.registerResource("watched", "test://watched-resource", { mimeType: "text/plain" }, ({ href }) => ({
    contents: [{ uri: href, mimeType: "text/plain", text: "Watched" }],
  }));
  const template = new ResourceTemplate("test://template/{id}/data", { list: undefined });
  server.registerResource("template", template, { mimeType: "application/json" }, ({ href }, { id }) => ({
    contents: [
      {
        uri: href,
        mimeType: "application/json",
        text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }),
      },
    ],
  }));
}

function prompts(server: McpServer): void {
  const message = (content: unknown) => ({ role: "user" as const, content: content as never });
  server.registerPrompt("test_simple_prompt", { description: "Plain" }, () => ({
    messages: [message(text("This is a simple prompt for testing."))],
  }));
  server.registerPrompt(
    "test_prompt_with_arguments",
    { description: "Takes two arguments", argsSchema: z.object({ arg1: z.string(), arg2: z.string() }) },
    ({ arg1, arg2 }) => ({ messages: [message(text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`))] }),
  );
  server.registerPrompt(
    "test_prompt_with_embedded_resource",
    { description: "Embeds a resource", argsSchema: z.object({ resourceUri: z.string() }) },
    ({ resourceUri }) => ({
      messages: [
        message(embedded(resourceUri, "Embedded resource content for testing.")),
        message(text("Please process the embedded resource above.")),
      ],
    }),
  );
  server.registerPrompt("test_prompt_with_image", { description: "Holds an image" }, () => ({
    messages: [message(image), message(text("Please analyze the image above."))],
  }));
  server.server.setRequestHandler("completion/complete", () => ({
    completion: { values: [], total: 0, hasMore: false },
  }));
}

const handler = createMcpHandler(build, { legacy: "reject" });
const sessions = new Sessions(() => {
  const server = build();
  pushed(server);
  return server;
});

export async function fixture(request: Request): Promise<Response> {
  return (
    hostHeaderValidationResponse(request, localhostAllowedHostnames()) ??
    originValidationResponse(request, localhostAllowedOrigins()) ??
    ((await isLegacyRequest(request)) ? sessions.handle(request) : handler.fetch(request))
  );
}
