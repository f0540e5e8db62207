import type { ModelMessage } from "ai";
import type { Json } from "../dialect.ts";
import type { Session } from "../session.ts";
import type { SessionEvent } from "../session-event.ts";
import type { ToolResult } from "../tool-source.ts";
import { textOf } from "./loop-agent.ts";
import type { ToolCall } from "./model-call.ts";

/** The messages that the model is given: earlier turns from the log, then this turn as it grows. */
export class Conversation {
  readonly #messages: ModelMessage[];

  constructor(messages: readonly ModelMessage[]) {
    this.#messages = [...messages];
  }

  /** Earlier turns as what was asked and what was answered. */
  static async of(session: Session, asked: string): Promise<Conversation> {
    const messages: ModelMessage[] = [];
    const inputs = new Map<number, string>();
    for await (const event of session.history()) {
      if (event.type === "user.message") inputs.set(event.seq, textOf(event.body ?? null));
      messages.push(...earlier(event, inputs));
    }
    return new Conversation([...messages, { role: "user", content: asked }]);
  }

  get messages(): readonly ModelMessage[] {
    return this.#messages;
  }

  add(messages: readonly ModelMessage[]): void {
    this.#messages.push(...messages);
  }

  addResult({ toolCallId, toolName }: ToolCall, result: ToolResult): void {
    const value = resultText(result);
    const output = result.isError === true ? { type: "error-text" as const, value } : { type: "text" as const, value };
    this.#messages.push({ role: "tool", content: [{ type: "tool-result", toolCallId, toolName, output }] });
  }
}

function earlier({ type, body }: SessionEvent, inputs: ReadonlyMap<number, string>): readonly ModelMessage[] {
  const fields = (body ?? {}) as { readonly [key: string]: Json };
  if (type === "turn.started") {
    const asked = inputs.get(Number(fields.input));
    return asked === undefined ? [] : [{ role: "user", content: asked }];
  }
  return type === "agent.message" ? [{ role: "assistant", content: String(fields.text ?? "") }] : [];
}

function resultText({ content, structuredContent }: ToolResult): string {
  const texts = content.flatMap((part) => (part.type === "text" && typeof part.text === "string" ? [part.text] : []));
  if (texts.length > 0) return texts.join("\n");
  return JSON.stringify(structuredContent ?? content);
}
