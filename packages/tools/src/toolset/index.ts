export { agentTools } from "./agent-tools.ts";
export type { TaskState, TaskStatus } from "./background-tasks.ts";
export { codeInterpreterTools } from "./code-interpreter-tools.ts";
export type { SandboxTool, ToolContent, ToolDescription, ToolResult, ToolSession } from "./sandbox-tool.ts";
export { SandboxTools, type SandboxToolsDeps } from "./sandbox-tools.ts";
export type { WebSearch, WebSearchResult } from "./web-search.ts";
export { BraveSearch, SearxngSearch, TavilySearch } from "./web-search-adapters.ts";
export { type WebToolsOptions, webTools } from "./web-tools.ts";
