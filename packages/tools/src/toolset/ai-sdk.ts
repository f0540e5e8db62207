import { dynamicTool, jsonSchema, type ToolSet } from "ai";
import type { CallContext, Json } from "../dialect.ts";
import type { ToolResult } from "./sandbox-tool.ts";
import type { SandboxTools } from "./sandbox-tools.ts";

/** The tools for `generateText` and its kin of the AI SDK, bound to one caller. */
export async function aiSdkTools(source: SandboxTools, context: CallContext): Promise<ToolSet> {
  const listed = await source.list(context);
  const tools = listed.map(({ name, description, inputSchema }) => [
    name,
    dynamicTool({
      description,
      inputSchema: jsonSchema(inputSchema as Parameters<typeof jsonSchema>[0]),
      execute: (input, { abortSignal }) =>
        source.call({ ...context, ...(abortSignal === undefined ? {} : { signal: abortSignal }) }, name, input as Json),
      toModelOutput: ({ output }) => modelOutput(output as ToolResult),
    }),
  ]);
  return Object.fromEntries(tools) as ToolSet;
}

function modelOutput({ content, isError }: ToolResult) {
  const parts = content.map((block) => {
    if (block.type === "image" && typeof block.data === "string" && typeof block.mimeType === "string") {
      return { type: "file" as const, data: { type: "data" as const, data: block.data }, mediaType: block.mimeType };
    }
    return { type: "text" as const, text: typeof block.text === "string" ? block.text : JSON.stringify(block) };
  });
  if (parts.some((part) => part.type === "file")) return { type: "content" as const, value: parts };
  const value = parts.map((part) => (part.type === "text" ? part.text : "")).join("\n");
  return isError ? { type: "error-text" as const, value } : { type: "text" as const, value };
}
