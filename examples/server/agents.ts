import type { Permissions, ToolSource } from "@ashlar/gateway";
import {
  type Agent,
  AgentCatalog,
  type AgentSource,
  type Catalog,
  type Pricing,
  type SessionMemory,
} from "@ashlar/runtime";
import { loopAgent } from "@ashlar/runtime/ai";
import { type AgentDefinition, agentDefinition } from "./definition.ts";
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

/** Every definition that an agent has had: a session goes on with the one that it was opened with. */
export const agentCatalog = (catalog: Catalog, parts: () => AgentParts): AgentCatalog<AgentDefinition> =>
  new AgentCatalog({
    catalog,
    factory: {
      parse: (given) => agentDefinition.parse(given),
      build: (definition, named) => agentOf(definition, named, parts()),
    },
  });

/** The server's agents serve all who come in; sessions stay apart by tenant. */
export function forEveryTenant(agents: AgentSource, tenant: string): AgentSource {
  const ours = { principal: { tenant } };
  return {
    find: (_context, name, qualifier) => agents.find(ours, name, qualifier),
    list: (_context, query) => agents.list(ours, query),
  };
}

/** A definition as an agent of the built-in loop. */
function agentOf(
  {
    description,
    model,
    system,
    tools,
    policies = { "*": "auto" },
    limits,
    memory,
    max_iterations,
    ...rest
  }: AgentDefinition,
  { name, version }: { readonly name: string; readonly version: string },
  parts: AgentParts,
): Agent {
  return loopAgent({
    ...{ name, version, system, policies, permissions: parts.permissions, pricing: parts.pricing },
    model: parts.models.model(model, { tenant: parts.tenant, agent: name }),
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
