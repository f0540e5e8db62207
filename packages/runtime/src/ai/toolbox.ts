import { jsonSchema, type ToolSet, tool } from "ai";
import { inSpan } from "../engine/spans.ts";
import { RuntimeError } from "../errors.ts";
import type { Permissions } from "../permissions.ts";
import type { Session } from "../session.ts";
import type { ToolDescription, ToolResult, ToolSource } from "../tool-source.ts";
import type { ToolCall } from "./model-call.ts";

/** `auto` asks the `Permissions` port; `always_ask` asks a person. */
export type ToolPolicy = "always_allow" | "always_ask" | "auto" | "never";

export type ToolPolicies = Readonly<Record<string, ToolPolicy>>;

export interface ToolboxOptions {
  readonly tools?: readonly ToolSource[];
  readonly allowedTools?: readonly string[];
  readonly policies?: ToolPolicies;
  readonly permissions?: Permissions;
}

type Tools = ReadonlyMap<string, { readonly source: ToolSource; readonly description: ToolDescription }>;

/** The tools of all sources under their policies. */
export class Toolbox {
  readonly #session: Session;
  readonly #options: ToolboxOptions;
  readonly #tools: Tools;

  private constructor(session: Session, options: ToolboxOptions, tools: Tools) {
    this.#session = session;
    this.#options = options;
    this.#tools = tools;
  }

  static async open(session: Session, options: ToolboxOptions): Promise<Toolbox> {
    const tools = new Map<string, { source: ToolSource; description: ToolDescription }>();
    for (const source of options.tools ?? []) {
      for (const description of await source.list(session.context)) {
        const { name } = description;
        if (options.allowedTools?.includes(name) === false) continue;
        if (tools.has(name)) {
          throw new RuntimeError(
            "RUNTIME_INVALID",
            `Two sources offer a tool ${name}: rename one, or give its source a prefix.`,
          );
        }
        tools.set(name, { source, description });
      }
    }
    return new Toolbox(session, options, tools);
  }

  /** As the AI SDK wants them, without `execute`: the loop executes. */
  forModel(): ToolSet {
    return Object.fromEntries(
      [...this.#tools].map(([name, { description }]) => [
        name,
        tool({
          ...(description.description === undefined ? {} : { description: description.description }),
          inputSchema: jsonSchema(description.inputSchema as Parameters<typeof jsonSchema>[0]),
        }),
      ]),
    );
  }

  /** What the model reads: the tool's result, or why there is none. */
  async call({ toolCallId, toolName, input }: ToolCall): Promise<ToolResult> {
    const known = this.#tools.get(toolName);
    if (known === undefined)
      return refusal(`There is no tool ${toolName}. Choose one of: ${[...this.#tools.keys()].join(", ")}.`);
    const denied = await this.#refused({ toolName, input });
    if (denied !== undefined) return refusal(denied);
    const { context } = this.#session;
    const attributes = {
      "gen_ai.operation.name": "execute_tool",
      "gen_ai.tool.name": toolName,
      "gen_ai.tool.call.id": toolCallId,
    };
    return this.#session.step(
      `tool:${toolName}`,
      ({ idempotencyKey, signal }) =>
        inSpan(`execute_tool ${toolName}`, attributes, async (span) => {
          const result = await known.source.call({ ...context, signal, idempotencyKey }, toolName, input);
          if (result.isError === true) span.setAttribute("error.type", "tool_error");
          return { ...result } as ToolResult & { readonly [key: string]: never };
        }),
      { arguments: input },
    );
  }

  async #refused({ toolName, input }: Omit<ToolCall, "toolCallId">): Promise<string | undefined> {
    const { policies = {}, permissions } = this.#options;
    const policy = policies[toolName] ?? policies["*"] ?? (permissions === undefined ? "always_allow" : "auto");
    if (policy === "always_allow") return undefined;
    if (policy === "never") return `The tool ${toolName} is not permitted.`;
    const request = { action: "tool.call", resource: toolName, arguments: input };
    if (policy === "always_ask") return this.#asked(request);
    if (permissions === undefined) return `The tool ${toolName} needs a decision and nobody can make one.`;
    const decision = await this.#session.step(
      `permission:${toolName}`,
      async () => ({ ...(await permissions.decide(this.#session.context, request)) }),
      { arguments: input, pure: true },
    );
    if (decision.effect === "allow") return undefined;
    return decision.effect === "ask"
      ? this.#asked({ ...request, reason: decision.reason })
      : `Not permitted: ${decision.reason}`;
  }

  async #asked(request: Parameters<Session["ask"]>[1]): Promise<string | undefined> {
    const { allow, message } = await this.#session.ask(`tool:${request.resource}`, request);
    return allow ? undefined : `A person said no${message === undefined ? "." : `: ${message}`}`;
  }
}

const refusal = (text: string): ToolResult => ({ content: [{ type: "text", text }], isError: true });
