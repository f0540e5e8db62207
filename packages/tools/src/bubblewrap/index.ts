export { BubblewrapBackend, type BubblewrapBackendDeps } from "./bubblewrap-backend.ts";
