import type { Permissions, ToolSource } from "@ashlar/gateway";
import type { Agent, Pricing, SessionMemory } from "@ashlar/runtime";
import { loopAgent } from "@ashlar/runtime/ai";
import type { VersionedAgent } from "./agent-versions.ts";
import type { Models } from "./models.ts";

export interface AgentParts {
  readonly tenant: string;
  readonly models: Models;
  /** The gateway's. */
  readonly tools: ToolSource;
  readonly permissions: Permissions;
  readonly memory: (name: string) => SessionMemory;
  readonly pricing: Pricing;
}

/** A definition as an agent of the built-in loop. */
export async function agentOf({ name, version, definition }: VersionedAgent, parts: AgentParts): Promise<Agent> {
  const {
    description,
    system,
    tools,
    policies = { "*": "auto" },
    limits,
    memory,
    max_iterations,
    ...rest
  } = definition;
  return loopAgent({
    ...{ name, version, system, policies, permissions: parts.permissions, pricing: parts.pricing },
    model: await parts.models.model(definition.model, { tenant: parts.tenant, agent: name }),
    tools: [only(tools, parts.tools)],
    budget: {
      ...(limits.tokens === undefined ? {} : { tokens: limits.tokens }),
      ...(limits.cost_micros === undefined ? {} : { costMicros: limits.cost_micros }),
      ...(limits.active_ms === undefined ? {} : { activeMs: limits.active_ms }),
    },
    ...(description === undefined ? {} : { description }),
    ...(memory === undefined ? {} : { memory: parts.memory(memory) }),
    ...(max_iterations === undefined ? {} : { maxIterations: max_iterations }),
    ...(rest.priority === undefined ? {} : { priority: rest.priority }),
    ...(rest.requires === undefined ? {} : { requires: rest.requires }),
  });
}

/** The tools whose names fit one of the patterns. */
function only(patterns: readonly string[], source: ToolSource): ToolSource {
  const fits = patterns.map((pattern) => new RegExp(`^${pattern.split("*").map(literally).join(".*")}$`));
  return {
    list: async (context) => (await source.list(context)).filter(({ name }) => fits.some((each) => each.test(name))),
    call: (context, name, args) => source.call(context, name, args),
  };
}

const literally = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
