export { bubblewrapModule, processModule, toolsModule, wasmModule } from "./modules.ts";
export {
  CLOCK,
  EGRESS_GATEWAY,
  EGRESS_SUBSTITUTION,
  IDS,
  MIN_ISOLATION,
  SANDBOX_BACKEND,
  SANDBOX_BACKENDS,
  SANDBOX_CHOICE,
  SANDBOX_SESSION_HOST,
  SANDBOX_SPEC,
  SANDBOX_TOOLS,
  WORKSPACES,
} from "./tokens.ts";
export { egressModule, gvisorModule, sandboxToolsModule } from "./toolset-modules.ts";
