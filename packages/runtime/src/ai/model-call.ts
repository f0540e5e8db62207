import { type LanguageModel, type ModelMessage, streamText, type ToolSet } from "ai";
import type { Json } from "../dialect.ts";
import { inSpan, SpanKind } from "../engine/spans.ts";

export interface ToolCall {
  readonly toolCallId: string;
  readonly toolName: string;
  readonly input: Json;
}

/** A type, not an interface: it is kept as JSON. */
export type ModelReply = {
  readonly text: string;
  readonly calls: readonly (ToolCall & { readonly [key: string]: Json })[];
  /** The assistant's message in the AI SDK's shape, with what the provider wants to see again. */
  readonly messages: readonly Json[];
  readonly model: string;
  readonly usage: { readonly inputTokens: number; readonly outputTokens: number; readonly cachedTokens: number };
};

export interface ModelCall {
  readonly model: LanguageModel;
  readonly system: string;
  readonly messages: readonly ModelMessage[];
  readonly tools: ToolSet;
  readonly signal: AbortSignal;
  readonly delta: (piece: Json) => void;
}

/** One call of the model, streamed; its tools are not executed here. */
export async function callModel({ model, system, messages, tools, signal, delta }: ModelCall): Promise<ModelReply> {
  const name = typeof model === "string" ? model : model.modelId;
  const provider = typeof model === "string" ? "gateway" : (model.provider.split(".")[0] ?? "unknown");
  const attributes = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": provider,
    "gen_ai.request.model": name,
    "gen_ai.request.stream": true,
  };
  return inSpan(
    `chat ${name}`,
    attributes,
    async (span) => {
      const result = streamText({
        ...{ model, tools, abortSignal: signal, maxRetries: 0, onError: () => {} },
        instructions: system,
        messages: [...messages],
      });
      const calls: ToolCall[] = [];
      let text = "";
      for await (const part of result.fullStream) {
        if (part.type === "error") throw part.error;
        if (part.type === "abort") throw signal.reason ?? new Error("The model's stream was cut.");
        if (part.type === "tool-call") {
          calls.push({ toolCallId: part.toolCallId, toolName: part.toolName, input: part.input as Json });
        }
        if (part.type !== "text-delta") continue;
        text += part.text;
        delta({ text: part.text });
      }
      const { inputTokens = 0, outputTokens = 0, inputTokenDetails } = await result.usage;
      const response = await result.response;
      const cachedTokens = inputTokenDetails?.cacheReadTokens ?? 0;
      span.setAttributes({
        "gen_ai.response.id": response.id,
        "gen_ai.response.model": response.modelId,
        "gen_ai.usage.input_tokens": inputTokens,
        "gen_ai.usage.output_tokens": outputTokens,
        "gen_ai.usage.cache_read.input_tokens": cachedTokens,
        "gen_ai.response.finish_reasons": [await result.finishReason],
      });
      return JSON.parse(
        JSON.stringify({
          ...{ text, calls, messages: response.messages, model: name },
          usage: { inputTokens, outputTokens, cachedTokens },
        }),
      ) as ModelReply;
    },
    { kind: SpanKind.CLIENT },
  );
}

/** The provider says whether trying again can help; three tries more, each after twice the wait. */
export function retryModel(error: unknown, attempt: number): number | undefined {
  const { isRetryable } = (error ?? {}) as { readonly isRetryable?: unknown };
  return isRetryable === true && attempt <= 3 ? 500 * 2 ** (attempt - 1) : undefined;
}
