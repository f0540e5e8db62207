import type { LanguageModel, ModelMessage } from "ai";
import type { Agent, TurnInput } from "../agent.ts";
import type { Json } from "../dialect.ts";
import { RuntimeError } from "../errors.ts";
import type { Permissions } from "../permissions.ts";
import type { Pricing } from "../pricing.ts";
import type { Session } from "../session.ts";
import type { SessionMemory } from "../session-memory.ts";
import type { ToolSource } from "../tool-source.ts";
import { Conversation } from "./conversation.ts";
import { callModel, retryModel } from "./model-call.ts";
import { Toolbox, type ToolPolicies } from "./toolbox.ts";

export interface LoopAgentOptions extends Omit<Agent, "run"> {
  /** Any model of the AI SDK. */
  readonly model: LanguageModel;
  readonly system: string;
  readonly tools?: readonly ToolSource[];
  /** Tools that the model may see; all that the sources list when absent. */
  readonly allowedTools?: readonly string[];
  /** What happens before a tool is called, by its name; `*` for all others. Default `always_allow`. */
  readonly policies?: ToolPolicies;
  /** Asked before every call of a policy `auto`. */
  readonly permissions?: Permissions;
  readonly memory?: SessionMemory;
  readonly pricing?: Pricing;
  /** Model calls of one turn. Default 50. */
  readonly maxIterations?: number;
}

/** An agent that lets a model call tools until it answers; every model call and tool call is a step. */
export function loopAgent(options: LoopAgentOptions): Agent {
  const { name, version, description, priority, requires, budget, expireAfterMs, children } = options;
  const given = { version, description, priority, requires, budget, expireAfterMs, children };
  const set = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  return { ...(set as Omit<Agent, "name" | "run">), name, run: (session, input) => turn(options, session, input) };
}

async function turn(options: LoopAgentOptions, session: Session, input: TurnInput): Promise<Json> {
  const { model, memory, pricing, maxIterations = 50 } = options;
  const asked = textOf(input.body);
  const toolbox = await Toolbox.open(session, options);
  const conversation = await Conversation.of(session, asked);
  const system = `${options.system}${await recalled(session, memory, asked)}`;

  for (let iteration = 0; iteration < maxIterations; iteration++) {
    const reply = await session.step(
      "model",
      ({ signal }) =>
        callModel({
          ...{ model, system, messages: conversation.messages, tools: toolbox.forModel(), signal },
          delta: (piece) => session.delta("model", piece),
        }),
      { pure: true, retry: retryModel },
    );
    const price = pricing?.price(reply.model, reply.usage);
    await session.meter({
      ...{ model: reply.model, ...reply.usage },
      ...(price === undefined ? {} : { costMicros: price.micros, currency: price.currency }),
    });
    conversation.add(reply.messages as unknown as readonly ModelMessage[]);
    if (reply.calls.length === 0) {
      await session.emit("agent.message", { text: reply.text });
      await remember(session, memory, asked, reply.text);
      return { text: reply.text };
    }
    for (const call of reply.calls) conversation.addResult(call, await toolbox.call(call));
  }
  throw new RuntimeError(
    "RUNTIME_LIMITED",
    `The model called tools ${maxIterations} times without an answer: raise maxIterations or look at its turns.`,
  );
}

/** What the memory holds on this input, as an appendix to the instructions; recalled once per turn. */
async function recalled(session: Session, memory: SessionMemory | undefined, text: string): Promise<string> {
  if (memory === undefined) return "";
  const found = await session.step(
    "memory.recall",
    async () => (await memory.recall(session.context, { text, limit: 8 })).map((each) => ({ ...each })),
    {
      arguments: { text },
      pure: true,
    },
  );
  if (found.length === 0) return "";
  return `\n\nWhat you remember that may matter here:\n${found.map((each) => `- ${each.text}`).join("\n")}`;
}

async function remember(
  session: Session,
  memory: SessionMemory | undefined,
  asked: string,
  answered: string,
): Promise<void> {
  if (memory === undefined) return;
  for (const [role, text] of [
    ["user", asked],
    ["assistant", answered],
  ] as const) {
    await session.step(`memory.remember.${role}`, async ({ idempotencyKey }) => {
      await memory.remember({ ...session.context, idempotencyKey }, { role, text, at: 0 });
      return null;
    });
  }
}

/** A message's text: a string, `{ text }`, or content parts. */
export function textOf(body: Json): string {
  if (typeof body === "string") return body;
  if (Array.isArray(body)) return body.map(textOf).join("\n");
  const { text, content } = (body ?? {}) as { readonly text?: Json; readonly content?: Json };
  if (typeof text === "string") return text;
  return content === undefined ? JSON.stringify(body) : textOf(content);
}
