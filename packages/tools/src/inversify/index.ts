export { browserModule } from "./browser-modules.ts";
export { bubblewrapModule, processModule, toolsModule, wasmModule } from "./modules.ts";
export {
  BROWSER_PROFILES,
  BROWSER_RECORDINGS,
  BROWSERS,
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
  SEALER,
  WORKSPACES,
} from "./tokens.ts";
export { egressModule, gvisorModule, sandboxToolsModule } from "./toolset-modules.ts";
