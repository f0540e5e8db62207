export type DerivedMetric =
  | "gen_ai.client.token.usage"
  | "gen_ai.client.operation.duration"
  | "gen_ai.invoke_agent.duration"
  | "gen_ai.execute_tool.duration"
  | "mcp.client.operation.duration"
  | "mcp.server.operation.duration"
  | "ashlar.client.cache_read.tokens";

interface MetricModel {
  readonly unit: string;
  readonly required: readonly string[];
}

/** Metrics that this package derives from spans: the conventions', and one of our own where they have none. */
export const derivedMetrics: Readonly<Record<DerivedMetric, MetricModel>> = {
  "gen_ai.client.token.usage": {
    unit: "{token}",
    required: ["gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.token.type"],
  },
  "gen_ai.client.operation.duration": { unit: "s", required: ["gen_ai.operation.name"] },
  "gen_ai.invoke_agent.duration": { unit: "s", required: ["gen_ai.operation.name"] },
  "gen_ai.execute_tool.duration": { unit: "s", required: ["gen_ai.tool.name"] },
  "mcp.client.operation.duration": { unit: "s", required: ["mcp.method.name"] },
  "mcp.server.operation.duration": { unit: "s", required: ["mcp.method.name"] },
  "ashlar.client.cache_read.tokens": { unit: "{token}", required: ["gen_ai.operation.name", "gen_ai.provider.name"] },
};
