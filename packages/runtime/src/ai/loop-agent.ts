import type { LanguageModel } from "ai";
import type { Agent } from "../agent.ts";
import type { Pricing } from "../pricing.ts";
import type { SessionMemory } from "../session-memory.ts";
import { LoopTurn } from "./loop-turn.ts";
import type { Outcome } from "./outcome.ts";
import type { ToolboxOptions } from "./toolbox.ts";

export interface LoopAgentOptions extends Omit<Agent, "run" | "close">, ToolboxOptions {
  /** Any model of the AI SDK. */
  readonly model: LanguageModel;
  readonly system: string;
  readonly memory?: SessionMemory;
  readonly pricing?: Pricing;
  /** Model calls for one answer. Default 50. */
  readonly maxIterations?: number;
  /** What answers must reach. An input of type `user.define_outcome` brings its own. */
  readonly outcome?: Outcome;
  /** Judges answers. Default: the agent's model. */
  readonly grader?: LanguageModel;
  /** Once a call of the model has come to so many tokens, a summary takes the place of what was said before the next. */
  readonly compaction?: { readonly atTokens: number; readonly model?: LanguageModel };
}

/** An agent that lets a model call tools until it answers; every model call and tool call is a step. */
export function loopAgent(options: LoopAgentOptions): Agent {
  const { name, version, description, priority, requires, budget, expireAfterMs, children } = options;
  const given = { version, description, priority, requires, budget, expireAfterMs, children };
  const set = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  return {
    ...(set as Omit<Agent, "name" | "run">),
    name,
    run: async (session, input) => (await LoopTurn.open(options, session, input)).run(input),
  };
}
