export { GvisorBackend, type GvisorBackendDeps } from "./gvisor-backend.ts";
