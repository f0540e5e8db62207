/** The part of OpenTelemetry's GenAI conventions that Ashlar's packages speak, pinned. */
export const GEN_AI_CONVENTIONS_VERSION: string = "0.1.0";

export type AttributeType = "string" | "int" | "double" | "boolean" | "string[]" | "any";

/** Attribute names of the registry, with their types. */
export const genAiAttributes: Readonly<Record<string, AttributeType>> = {
  "gen_ai.operation.name": "string",
  "gen_ai.provider.name": "string",
  "gen_ai.request.model": "string",
  "gen_ai.request.max_tokens": "int",
  "gen_ai.request.choice.count": "int",
  "gen_ai.request.temperature": "double",
  "gen_ai.request.top_p": "double",
  "gen_ai.request.top_k": "double",
  "gen_ai.request.stop_sequences": "string[]",
  "gen_ai.request.frequency_penalty": "double",
  "gen_ai.request.presence_penalty": "double",
  "gen_ai.request.encoding_formats": "string[]",
  "gen_ai.request.seed": "int",
  "gen_ai.request.stream": "boolean",
  "gen_ai.response.id": "string",
  "gen_ai.response.model": "string",
  "gen_ai.response.finish_reasons": "string[]",
  "gen_ai.response.time_to_first_chunk": "double",
  "gen_ai.usage.input_tokens": "int",
  "gen_ai.usage.output_tokens": "int",
  "gen_ai.usage.cache_read.input_tokens": "int",
  "gen_ai.usage.cache_creation.input_tokens": "int",
  "gen_ai.usage.reasoning.output_tokens": "int",
  "gen_ai.token.type": "string",
  "gen_ai.conversation.id": "string",
  "gen_ai.agent.id": "string",
  "gen_ai.agent.name": "string",
  "gen_ai.agent.description": "string",
  "gen_ai.agent.version": "string",
  "gen_ai.workflow.name": "string",
  "gen_ai.output.type": "string",
  "gen_ai.data_source.id": "string",
  "gen_ai.embeddings.dimension.count": "int",
  "gen_ai.tool.name": "string",
  "gen_ai.tool.call.id": "string",
  "gen_ai.tool.description": "string",
  "gen_ai.tool.type": "string",
  "gen_ai.tool.call.arguments": "any",
  "gen_ai.tool.call.result": "any",
  "gen_ai.tool.definitions": "any",
  "gen_ai.input.messages": "any",
  "gen_ai.output.messages": "any",
  "gen_ai.system_instructions": "any",
  "gen_ai.retrieval.documents": "any",
  "gen_ai.retrieval.query.text": "string",
  "gen_ai.evaluation.name": "string",
  "gen_ai.evaluation.score.value": "double",
  "gen_ai.evaluation.score.label": "string",
  "gen_ai.evaluation.explanation": "string",
  "gen_ai.memory.query.text": "string",
  "gen_ai.memory.records": "any",
  "gen_ai.memory.record.count": "int",
  "gen_ai.memory.record.id": "string",
  "gen_ai.memory.store.id": "string",
  "gen_ai.prompt.name": "string",
  "mcp.method.name": "string",
  "mcp.session.id": "string",
  "mcp.resource.uri": "string",
  "mcp.protocol.version": "string",
};

/** Attributes of other conventions that spans of MCP calls carry. */
export const mcpAttributes: Readonly<Record<string, AttributeType>> = {
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
  "gen_ai.prompt": "gen_ai.input.messages",
  "gen_ai.completion": "gen_ai.output.messages",
};

/** By operation: what a span of it must carry, and which attribute ends its name (`chat gpt-5`). */
export const operations: Readonly<Record<string, { readonly required: readonly string[]; readonly named?: string }>> = {
  chat: { required: ["gen_ai.provider.name"], named: "gen_ai.request.model" },
  generate_content: { required: ["gen_ai.provider.name"], named: "gen_ai.request.model" },
  text_completion: { required: ["gen_ai.provider.name"], named: "gen_ai.request.model" },
  embeddings: { required: ["gen_ai.provider.name"], named: "gen_ai.request.model" },
  retrieval: { required: [], named: "gen_ai.data_source.id" },
  invoke_agent: { required: [], named: "gen_ai.agent.name" },
  create_agent: { required: ["gen_ai.provider.name"], named: "gen_ai.agent.name" },
  invoke_workflow: { required: [], named: "gen_ai.workflow.name" },
  execute_tool: { required: ["gen_ai.tool.name"], named: "gen_ai.tool.name" },
};

export type GenAiMetric =
  | "gen_ai.client.token.usage"
  | "gen_ai.client.operation.duration"
  | "gen_ai.invoke_agent.duration"
  | "gen_ai.execute_tool.duration";

/** Metrics that this package derives from spans, with their units and attributes. */
export const genAiMetrics: Readonly<
  Record<GenAiMetric, { readonly unit: string; readonly required: readonly string[] }>
> = {
  "gen_ai.client.token.usage": {
    unit: "{token}",
    required: ["gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.token.type"],
  },
  "gen_ai.client.operation.duration": { unit: "s", required: ["gen_ai.operation.name"] },
  "gen_ai.invoke_agent.duration": { unit: "s", required: [] },
  "gen_ai.execute_tool.duration": { unit: "s", required: ["gen_ai.tool.name"] },
};
