import type { ModelMessage } from "ai";
import type { Json } from "../dialect.ts";
import type { Session } from "../session.ts";
import type { SessionEvent } from "../session-event.ts";
import type { ToolResult } from "../tool-source.ts";
import type { ModelReply, ToolCall } from "./model-call.ts";
import { textOf } from "./text-of.ts";

/** The messages that the model is given: earlier turns from the log, then this turn as it grows. */
export class Conversation {
  #messages: ModelMessage[];
  /** Tokens that the last call of the model read and wrote: about what the next will have to read. */
  #tokens: number;

  private constructor(messages: readonly ModelMessage[], tokens: number) {
    this.#messages = [...messages];
    this.#tokens = tokens;
  }

  /** Earlier turns as what was asked and what was answered, from the newest summary on. */
  static async of(session: Session, asked: string): Promise<Conversation> {
    let messages: ModelMessage[] = [];
    let tokens = 0;
    const inputs = new Map<number, string>();
    for await (const event of session.history()) {
      const fields = (event.body ?? {}) as { readonly [key: string]: Json };
      if (event.type === "user.message" || event.type === "user.define_outcome") {
        inputs.set(event.seq, textOf(event.body ?? null));
      }
      if (event.type === "usage.recorded") tokens = Number(fields.inputTokens) + Number(fields.outputTokens);
      if (event.type === "context.compacted") {
        messages = [summarised(String(fields.summary))];
        tokens = 0;
      } else messages.push(...earlier(event, fields, inputs));
    }
    return new Conversation([...messages, { role: "user", content: asked }], tokens);
  }

  get messages(): readonly ModelMessage[] {
    return this.#messages;
  }

  get tokens(): number {
    return this.#tokens;
  }

  addReply({ messages, usage }: ModelReply): void {
    this.#messages.push(...(messages as unknown as readonly ModelMessage[]));
    this.#tokens = usage.inputTokens + usage.outputTokens;
  }

  addUser(content: string): void {
    this.#messages.push({ role: "user", content });
  }

  addResult({ toolCallId, toolName }: ToolCall, result: ToolResult): void {
    const value = resultText(result);
    const output = result.isError === true ? { type: "error-text" as const, value } : { type: "text" as const, value };
    this.#messages.push({ role: "tool", content: [{ type: "tool-result", toolCallId, toolName, output }] });
  }

  /** A summary takes the place of all messages. */
  compact(summary: string): void {
    this.#messages = [summarised(summary)];
    this.#tokens = 0;
  }
}

const summarised = (summary: string): ModelMessage => ({
  role: "user",
  content: `The conversation so far was summarised to save room. Go on from here.\n\n${summary}`,
});

function earlier(
  { type }: SessionEvent,
  fields: { readonly [key: string]: Json },
  inputs: ReadonlyMap<number, string>,
): readonly ModelMessage[] {
  if (type === "turn.started") {
    const asked = inputs.get(Number(fields.input));
    return asked === undefined ? [] : [{ role: "user", content: asked }];
  }
  if (type === "outcome.evaluated" && fields.result === "needs_revision") {
    return [{ role: "user", content: String(fields.feedback) }];
  }
  return type === "agent.message" ? [{ role: "assistant", content: String(fields.text ?? "") }] : [];
}

function resultText({ content, structuredContent }: ToolResult): string {
  const texts = content.flatMap((part) => (part.type === "text" && typeof part.text === "string" ? [part.text] : []));
  if (texts.length > 0) return texts.join("\n");
  return JSON.stringify(structuredContent ?? content);
}
