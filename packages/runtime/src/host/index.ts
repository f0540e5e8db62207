export {
  type InProcessChannel,
  InProcessHost,
  type InProcessHostDeps,
  type InProcessProgram,
} from "./in-process-host.ts";
export { ProcessHost, type ProcessHostDeps } from "./process-host.ts";
export { WarmPool, type WarmPoolDeps } from "./warm-pool.ts";
export { type KeptWorkspaces, WorkspaceHost, type WorkspaceHostDeps } from "./workspace-host.ts";
