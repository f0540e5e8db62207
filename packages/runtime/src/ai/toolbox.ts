import { jsonSchema, type ToolSet, tool } from "ai";
import { RuntimeError } from "../errors.ts";
import type { Permissions } from "../permissions.ts";
import type { Session } from "../session.ts";
import type { ToolDescription, ToolResult, ToolSource } from "../tool-source.ts";
import type { ToolCall } from "./model-call.ts";
import { type Offered, type OutsideTools, offered, type Subagent } from "./offered-tools.ts";

/** `auto` asks the `Permissions` port; `always_ask` asks a person. */
export type ToolPolicy = "always_allow" | "always_ask" | "auto" | "never";

export type ToolPolicies = Readonly<Record<string, ToolPolicy>>;

export interface ToolboxOptions {
  readonly tools?: readonly ToolSource[];
  /** Executed by the client: the session waits, without a process, for `sessions.toolResult`. */
  readonly clientTools?: readonly ToolDescription[];
  /** Executed by workers outside: see `OutsideWork`. */
  readonly outsideTools?: readonly OutsideTools[];
  /** Agents that the model may give a task, each in a session of its own. */
  readonly subagents?: readonly Subagent[];
  readonly allowedTools?: readonly string[];
  readonly policies?: ToolPolicies;
  readonly permissions?: Permissions;
}

/** All that a model may call, under its policies. */
export class Toolbox {
  readonly #session: Session;
  readonly #options: ToolboxOptions;
  readonly #tools: ReadonlyMap<string, Offered>;

  private constructor(session: Session, options: ToolboxOptions, tools: ReadonlyMap<string, Offered>) {
    this.#session = session;
    this.#options = options;
    this.#tools = tools;
  }

  static async open(session: Session, options: ToolboxOptions): Promise<Toolbox> {
    const tools = new Map<string, Offered>();
    for await (const each of offered(session, options)) {
      const { name } = each.description;
      if (options.allowedTools?.includes(name) === false) continue;
      if (tools.has(name)) {
        throw new RuntimeError(
          "RUNTIME_INVALID",
          `Two sources offer a tool ${name}: rename one, or give its source a prefix.`,
        );
      }
      tools.set(name, each);
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
  async call(call: ToolCall): Promise<ToolResult> {
    const known = this.#tools.get(call.toolName);
    if (known === undefined)
      return refusal(`There is no tool ${call.toolName}. Choose one of: ${[...this.#tools.keys()].join(", ")}.`);
    const denied = await this.#refused(call);
    return denied === undefined ? known.call(call) : refusal(denied);
  }

  async #refused({ toolName, input }: ToolCall): Promise<string | undefined> {
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

export const refusal = (text: string): ToolResult => ({ content: [{ type: "text", text }], isError: true });
