export { type LoopAgentOptions, loopAgent } from "./loop-agent.ts";
export { type LoopAgentsDeps, type LoopDefinition, loopAgents } from "./loop-agents.ts";
export type { OutsideTools, Subagent } from "./offered-tools.ts";
export type { Outcome } from "./outcome.ts";
export type { ToolboxOptions, ToolPolicies, ToolPolicy } from "./toolbox.ts";
