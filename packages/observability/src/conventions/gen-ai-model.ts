/** OpenTelemetry's GenAI conventions, of which Ashlar's packages speak a part: names, types and what is required. */
export const GEN_AI_CONVENTIONS_VERSION: string = "0.1.0";
export const GEN_AI_SCHEMA_URL: string = `https://opentelemetry.io/schemas/gen-ai/${GEN_AI_CONVENTIONS_VERSION}`;

export type AttributeType = "string" | "int" | "double" | "boolean" | "string[]" | "any";
export type Attributes = Readonly<Record<string, AttributeType>>;

const under = (prefix: string, names: Attributes): [string, AttributeType][] =>
  Object.entries(names).map(([name, type]) => [`${prefix}.${name}`, type]);

/** Attribute names of the registry, with their types. */
export const genAiAttributes: Attributes = Object.fromEntries([
  ...under("gen_ai", {
    "conversation.id": "string",
    "conversation.compacted": "boolean",
    "data_source.id": "string",
    "embeddings.dimension.count": "int",
    "input.messages": "any",
    "operation.name": "string",
    "output.messages": "any",
    "output.type": "string",
    "prompt.name": "string",
    "prompt.version": "string",
    "provider.name": "string",
    system_instructions: "any",
    "token.type": "string",
  }),
  ...under("gen_ai.agent", { id: "string", name: "string", description: "string", version: "string" }),
  ...under("gen_ai.evaluation", {
    name: "string",
    "score.value": "double",
    "score.label": "string",
    explanation: "string",
  }),
  ...under("gen_ai.memory", {
    "query.text": "string",
    records: "any",
    "record.count": "int",
    "record.id": "string",
    "store.id": "string",
  }),
  ...under("gen_ai.request", {
    "choice.count": "int",
    encoding_formats: "string[]",
    frequency_penalty: "double",
    max_tokens: "int",
    model: "string",
    presence_penalty: "double",
    "previous_response.id": "string",
    "reasoning.level": "string",
    seed: "int",
    stop_sequences: "string[]",
    stream: "boolean",
    stream_cursor: "string",
    temperature: "double",
    top_k: "int",
    top_p: "double",
  }),
  ...under("gen_ai.response", {
    finish_reasons: "string[]",
    id: "string",
    model: "string",
    status: "string",
    time_to_first_chunk: "double",
  }),
  ...under("gen_ai.retrieval", { documents: "any", "query.text": "string", top_k: "int" }),
  ...under("gen_ai.tool", {
    "call.arguments": "any",
    "call.id": "string",
    "call.result": "any",
    definitions: "any",
    description: "string",
    name: "string",
    type: "string",
  }),
  ...under("gen_ai.usage", {
    input_tokens: "int",
    output_tokens: "int",
    "cache_read.input_tokens": "int",
    "cache_write.input_tokens": "int",
    "reasoning.output_tokens": "int",
    "text.input_tokens": "int",
    "text.output_tokens": "int",
    "text.cache_read.input_tokens": "int",
    "audio.input_tokens": "int",
    "audio.output_tokens": "int",
    "audio.cache_read.input_tokens": "int",
    "image.input_tokens": "int",
    "image.output_tokens": "int",
    "image.cache_read.input_tokens": "int",
    "video.input_tokens": "int",
  }),
  ...under("mcp", {
    "method.name": "string",
    "session.id": "string",
    "resource.uri": "string",
    "protocol.version": "string",
  }),
]);

/** Attributes of other conventions that spans of MCP calls carry. */
export const mcpAttributes: Attributes = {
  "jsonrpc.request.id": "string",
  "jsonrpc.protocol.version": "string",
  "rpc.response.status_code": "string",
  "network.transport": "string",
  "network.protocol.name": "string",
  "error.type": "string",
};

/** Names that were replaced, and by what. */
export const deprecatedAttributes: Readonly<Record<string, string>> = {
  "gen_ai.system": "gen_ai.provider.name",
  "gen_ai.usage.prompt_tokens": "gen_ai.usage.input_tokens",
  "gen_ai.usage.completion_tokens": "gen_ai.usage.output_tokens",
  "gen_ai.usage.cache_creation.input_tokens": "gen_ai.usage.cache_write.input_tokens",
  "gen_ai.prompt": "gen_ai.input.messages",
  "gen_ai.completion": "gen_ai.output.messages",
  "gen_ai.workflow.name": "gen_ai.agent.name",
};

interface Operation {
  readonly required: readonly string[];
  /** The attribute that ends its name: `chat gpt-5`. */
  readonly named?: string;
}

const inference: Operation = { required: ["gen_ai.provider.name"], named: "gen_ai.request.model" };
const memory: Operation = { required: [] };

/** By operation: what a span of it must carry. */
export const operations: Readonly<Record<string, Operation>> = {
  chat: inference,
  generate_content: inference,
  text_completion: inference,
  embeddings: inference,
  fetch_response: { required: ["gen_ai.provider.name"] },
  retrieval: { required: [], named: "gen_ai.data_source.id" },
  create_agent: { required: ["gen_ai.provider.name"], named: "gen_ai.agent.name" },
  invoke_agent: { required: [], named: "gen_ai.agent.name" },
  invoke_workflow: { required: [], named: "gen_ai.agent.name" },
  plan: { required: [], named: "gen_ai.agent.name" },
  execute_tool: { required: ["gen_ai.tool.name"], named: "gen_ai.tool.name" },
  create_memory_store: memory,
  delete_memory_store: memory,
  search_memory: memory,
  create_memory: memory,
  update_memory: memory,
  upsert_memory: memory,
  delete_memory: memory,
};
