import type { Json } from "../dialect.ts";
import { inSpan } from "../engine/spans.ts";
import type { Session } from "../session.ts";
import type { ToolDescription, ToolResult, ToolSource } from "../tool-source.ts";
import type { ToolCall } from "./model-call.ts";
import { refusal, type ToolboxOptions } from "./toolbox.ts";

export interface OutsideTools {
  /** Whose workers execute them: the input of their work is `{ name, arguments }`, its output a tool's result. */
  readonly environment: string;
  readonly tools: readonly ToolDescription[];
  readonly timeoutMs?: number;
}

export interface Subagent {
  readonly agent: string;
  readonly qualifier?: string;
  /** What the model reads to choose it. */
  readonly description: string;
}

/** A tool and the way to call it. */
export interface Offered {
  readonly description: ToolDescription;
  call(call: ToolCall): Promise<ToolResult>;
}

export async function* offered(session: Session, options: ToolboxOptions): AsyncGenerator<Offered> {
  for (const source of options.tools ?? []) {
    for (const description of await source.list(session.context)) {
      yield { description, call: (call) => ofSource(session, source, call) };
    }
  }
  for (const description of options.clientTools ?? []) {
    yield { description, call: (call) => ofClient(session, call) };
  }
  for (const outside of options.outsideTools ?? []) {
    for (const description of outside.tools) yield { description, call: (call) => ofWorker(session, outside, call) };
  }
  for (const subagent of options.subagents ?? []) {
    const { agent: name, description } = subagent;
    yield { description: { name, description, inputSchema: TASK }, call: (call) => ofAgent(session, subagent, call) };
  }
}

const TASK = {
  type: "object",
  properties: { task: { type: "string", description: "What to do, with all that is needed to do it." } },
  required: ["task"],
} as const;

function ofSource(
  session: Session,
  source: ToolSource,
  { toolCallId, toolName, input }: ToolCall,
): Promise<ToolResult> {
  const attributes = {
    "gen_ai.operation.name": "execute_tool",
    "gen_ai.tool.name": toolName,
    "gen_ai.tool.call.id": toolCallId,
  };
  return session.step(
    `tool:${toolName}`,
    ({ idempotencyKey, signal }) =>
      inSpan(`execute_tool ${toolName}`, attributes, async () => {
        const result = await source.call({ ...session.context, signal, idempotencyKey }, toolName, input);
        return { ...result } as ToolResult & { readonly [key: string]: never };
      }),
    { arguments: input },
  );
}

async function ofClient(session: Session, { toolCallId, toolName, input }: ToolCall): Promise<ToolResult> {
  const id = `${session.turn}:${toolCallId}`;
  await session.emit("agent.custom_tool_use", { id, name: toolName, input });
  return resultOf(await session.waitFor(`tool:${id}`));
}

async function ofWorker(
  session: Session,
  { environment, timeoutMs }: OutsideTools,
  { toolName, input }: ToolCall,
): Promise<ToolResult> {
  const late = timeoutMs === undefined ? {} : { timeoutMs };
  const request = { environment, input: { name: toolName, arguments: input }, ...late };
  try {
    return resultOf(await session.outside(`tool:${toolName}`, request));
  } catch (error) {
    const { code, message } = error as { readonly code?: unknown; readonly message: string };
    if (code !== "RUNTIME_STEP_FAILED" && code !== "RUNTIME_WAIT_TIMEOUT") throw error;
    return refusal(message);
  }
}

async function ofAgent(session: Session, { agent, qualifier }: Subagent, { input }: ToolCall): Promise<ToolResult> {
  const { task = null } = (input ?? {}) as { readonly task?: Json };
  const version = qualifier === undefined ? {} : { qualifier };
  const child = await session.spawn(agent, { agent, ...version, input: { text: task } });
  const { status, output, error } = await session.join(child);
  if (status !== "completed") return refusal(`${agent} ${status}${error === undefined ? "." : `: ${error.message}`}`);
  const { text = output } = (output ?? {}) as { readonly text?: Json };
  return { content: [{ type: "text", text: typeof text === "string" ? text : JSON.stringify(text ?? null) }] };
}

/** A result as a client or a worker gave it: an MCP result, or anything else as text. */
function resultOf(value: Json | undefined): ToolResult {
  const { content } = (value ?? {}) as { readonly content?: unknown };
  if (Array.isArray(content)) return value as unknown as ToolResult;
  return { content: [{ type: "text", text: typeof value === "string" ? value : JSON.stringify(value ?? null) }] };
}
