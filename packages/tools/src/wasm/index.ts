export { WasmBackend, type WasmBackendDeps } from "./wasm-backend.ts";
