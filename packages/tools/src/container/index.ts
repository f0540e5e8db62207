export { ContainerBackend, type ContainerBackendDeps } from "./container-backend.ts";
export type { ContainerEngine, EngineContainer } from "./container-engine.ts";
