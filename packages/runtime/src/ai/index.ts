export { type LoopAgentOptions, loopAgent } from "./loop-agent.ts";
export type { ToolPolicies, ToolPolicy } from "./toolbox.ts";
