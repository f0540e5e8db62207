import type { CallContext, Json } from "../dialect.ts";
import { GatewayError } from "../errors.ts";
import type { StandardSchema } from "../standard-schema.ts";
import type { Target } from "../target.ts";
import type { ToolContent, ToolDescription, ToolResult } from "../tool-source.ts";

export interface FunctionTool<Input = unknown> {
  readonly description?: string;
  /** What the model is told. */
  readonly inputSchema: Json;
  /** What is checked, e.g. a zod object: any Standard Schema. Its output is what `run` gets. */
  readonly parse?: StandardSchema<Input>;
  /** A plain value is given back as text and, where it is an object, as structured content. */
  run(input: Input, context: CallContext): Promise<unknown>;
}

/** Functions of this process as tools. What one throws is told to the caller only where it is a typed error. */
export function functionsTarget({
  name,
  tools,
}: {
  readonly name: string;
  // biome-ignore lint/suspicious/noExplicitAny: each tool has its own input
  readonly tools: Readonly<Record<string, FunctionTool<any>>>;
}): Target {
  const list = Object.entries(tools).map(([tool, { description, inputSchema }]): ToolDescription => {
    return { name: tool, inputSchema, ...(description === undefined ? {} : { description }) };
  });
  return {
    name,
    list: async () => list,
    async call(context, tool, args) {
      const found = Object.hasOwn(tools, tool) ? tools[tool] : undefined;
      if (found === undefined) throw new GatewayError("GATEWAY_NOT_FOUND", `${name} has no tool ${tool}.`);
      return resultOf(await found.run(await checked(tool, found.parse, args), context));
    },
  };
}

async function checked(tool: string, schema: StandardSchema<unknown> | undefined, args: Json): Promise<unknown> {
  if (schema === undefined) return args;
  const result = await schema["~standard"].validate(args);
  if (result.issues === undefined) return result.value;
  throw new GatewayError("GATEWAY_INVALID", `The arguments of ${tool}: ${result.issues[0]?.message ?? "do not fit"}.`);
}

/** A result in MCP's shape as it is; anything else as text, an object as structured content too. */
export function resultOf(value: unknown): ToolResult {
  if (typeof value === "object" && value !== null && Array.isArray((value as ToolResult).content)) {
    return value as ToolResult;
  }
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "");
  const content: ToolContent[] = [{ type: "text", text }];
  const plainObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return plainObject ? { content, structuredContent: value as Json } : { content };
}
