import * as z from "zod";
import type { Capabilities } from "../capabilities.ts";
import type { Json } from "../dialect.ts";
import { ToolsError } from "../errors.ts";
import type { SandboxTool, ToolResult, ToolSession } from "./sandbox-tool.ts";

export interface ToolDefinition<Input extends z.ZodObject> {
  readonly name: string;
  readonly description: string;
  input(capabilities: Capabilities | undefined): Input;
  /** Why a backend cannot offer it; `undefined` when it can. */
  missing?(capabilities: Capabilities): string | undefined;
  run(session: ToolSession, args: z.output<Input>): Promise<ToolResult>;
}

export function defineTool<Input extends z.ZodObject>(definition: ToolDefinition<Input>): SandboxTool {
  const { name, description } = definition;
  return {
    name,
    describe(capabilities) {
      const unavailable = definition.missing?.(capabilities);
      if (unavailable !== undefined) return { unavailable };
      return { description, inputSchema: z.toJSONSchema(definition.input(capabilities), { io: "input" }) as Json };
    },
    async call(session, args) {
      const parsed = definition.input(undefined).safeParse(args);
      if (parsed.success) return definition.run(session, parsed.data);
      throw new ToolsError("TOOLS_INVALID", `Arguments of ${name}: ${z.prettifyError(parsed.error)}`);
    },
  };
}

export const needsCommands = ({ backend, commands }: Capabilities): string | undefined =>
  commands ? undefined : `the ${backend} backend runs no commands`;

export const textResult = (text: string): ToolResult => ({ content: [{ type: "text", text }] });
