import type { Json } from "../dialect.ts";
import type { SpanRecord } from "../span-record.ts";

/** What stores index of a span: read once from its attributes. */
export interface SpanFacts {
  readonly session?: string;
  readonly agent?: string;
  readonly operation?: string;
  readonly model?: string;
  readonly tool?: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cachedTokens: number;
}

const inference: ReadonlySet<string> = new Set(["chat", "generate_content", "text_completion", "embeddings"]);

export const isInference = (operation: string | undefined): boolean =>
  operation !== undefined && inference.has(operation);

const text = (value: Json | undefined): string | undefined =>
  typeof value === "string" && value !== "" ? value : undefined;
const count = (value: Json | undefined): number =>
  typeof value === "number" && Number.isFinite(value) && value > 0 ? Math.floor(value) : 0;

export function factsOf({ attributes }: Pick<SpanRecord, "attributes">): SpanFacts {
  const session = text(attributes["gen_ai.conversation.id"]);
  const agent = text(attributes["gen_ai.agent.name"]);
  const operation = text(attributes["gen_ai.operation.name"]);
  const model = text(attributes["gen_ai.response.model"]) ?? text(attributes["gen_ai.request.model"]);
  const tool = text(attributes["gen_ai.tool.name"]);
  return {
    ...(session === undefined ? {} : { session }),
    ...(agent === undefined ? {} : { agent }),
    ...(operation === undefined ? {} : { operation }),
    ...(model === undefined ? {} : { model }),
    ...(tool === undefined ? {} : { tool }),
    inputTokens: count(attributes["gen_ai.usage.input_tokens"]),
    outputTokens: count(attributes["gen_ai.usage.output_tokens"]),
    cachedTokens: count(attributes["gen_ai.usage.cache_read.input_tokens"]),
  };
}
