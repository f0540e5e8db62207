export { ProcessBackend, type ProcessBackendDeps } from "./process-backend.ts";
