import type { LanguageModel } from "ai";
import { z } from "zod";
import type { AgentFactory } from "../agent-catalog.ts";
import { RuntimeError } from "../errors.ts";
import type { Permissions } from "../permissions.ts";
import type { Pricing } from "../pricing.ts";
import type { SessionMemory } from "../session-memory.ts";
import type { ToolSource } from "../tool-source.ts";
import { type LoopAgentOptions, loopAgent } from "./loop-agent.ts";

export interface LoopAgentsDeps {
  /** By the names that definitions use. */
  readonly models: Readonly<Record<string, LanguageModel>> | ((name: string) => LanguageModel | undefined);
  readonly tools?: Readonly<Record<string, ToolSource>>;
  readonly permissions?: Permissions;
  readonly memory?: SessionMemory;
  readonly pricing?: Pricing;
}

const count = z.number().int().min(0);
const positive = z.number().positive();
const tool = z.strictObject({ name: z.string(), description: z.string().optional(), inputSchema: z.json() });
const definition = z.strictObject({
  description: z.string().optional(),
  model: z.string().min(1),
  system: z.string(),
  tools: z.array(z.string()).optional(),
  clientTools: z.array(tool).optional(),
  outsideTools: z
    .array(z.strictObject({ environment: z.string(), tools: z.array(tool), timeoutMs: positive.optional() }))
    .optional(),
  subagents: z
    .array(z.strictObject({ agent: z.string(), qualifier: z.string().optional(), description: z.string() }))
    .optional(),
  allowedTools: z.array(z.string()).optional(),
  policies: z.record(z.string(), z.enum(["always_allow", "always_ask", "auto", "never"])).optional(),
  budget: z
    .strictObject({ tokens: positive.optional(), costMicros: positive.optional(), activeMs: positive.optional() })
    .optional(),
  maxIterations: z.number().int().min(1).optional(),
  outcome: z.strictObject({ rubric: z.string(), maxIterations: z.number().int().min(1).optional() }).optional(),
  grader: z.string().optional(),
  compaction: z.strictObject({ atTokens: positive, model: z.string().optional() }).optional(),
  priority: z.number().int().min(-1_000).max(1_000).optional(),
  requires: z.array(z.string()).optional(),
  expireAfterMs: positive.optional(),
  children: z.strictObject({ depth: count.optional(), count: count.optional() }).optional(),
});

type Plain =
  | ("description" | "system" | "clientTools" | "outsideTools" | "subagents" | "allowedTools" | "policies" | "budget")
  | ("maxIterations" | "outcome" | "priority" | "requires" | "expireAfterMs" | "children");

/** A loop agent as a document: models and tool sources by name, all else as it stands. */
export interface LoopDefinition extends Pick<LoopAgentOptions, Plain> {
  readonly model: string;
  readonly tools?: readonly string[];
  readonly grader?: string;
  readonly compaction?: { readonly atTokens: number; readonly model?: string };
}

/** For an `AgentCatalog`: definitions become agents over the models and tool sources of this process. */
export function loopAgents({ models, tools = {}, ...shared }: LoopAgentsDeps): AgentFactory<LoopDefinition> {
  const modelOf = (name: string): LanguageModel => {
    const found = typeof models === "function" ? models(name) : own(models, name);
    if (found === undefined) throw new RuntimeError("RUNTIME_INVALID", `There is no model by the name ${name} here.`);
    return found;
  };
  const sourceOf = (name: string): ToolSource => {
    const found = own(tools, name);
    if (found !== undefined) return found;
    const known = Object.keys(tools).join(", ");
    throw new RuntimeError("RUNTIME_INVALID", `There is no tool source ${name} here; there are: ${known}.`);
  };
  return {
    parse: (given) => definition.parse(given) as LoopDefinition,
    build: ({ model, tools: sources, grader, compaction, ...rest }, named) =>
      loopAgent(
        defined({
          ...rest,
          ...shared,
          ...named,
          model: modelOf(model),
          tools: sources?.map(sourceOf),
          grader: grader === undefined ? undefined : modelOf(grader),
          compaction: compaction && {
            atTokens: compaction.atTokens,
            ...(compaction.model === undefined ? {} : { model: modelOf(compaction.model) }),
          },
        }),
      ),
  };
}

const own = <T>(named: Readonly<Record<string, T>>, name: string): T | undefined =>
  Object.hasOwn(named, name) ? named[name] : undefined;

/** Without the entries that are not set. */
function defined(options: { readonly [Key in keyof LoopAgentOptions]: unknown }): LoopAgentOptions {
  const set = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(set) as unknown as LoopAgentOptions;
}
