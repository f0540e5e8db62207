import type { CustomizeVariantOptions } from "quickjs-emscripten-core";

type Memory = Extract<CustomizeVariantOptions["wasmMemory"], { readonly buffer: unknown }>;

/** The part of the platform's `WebAssembly` that is used; Node has it, its types leave it to the DOM's. */
declare const WebAssembly: {
  readonly Memory: new (pages: { readonly initial: number; readonly maximum: number }) => Memory;
};

const PAGES_PER_MIB = 16;

export const cappedMemory = (initialMiB: number, maximumMiB: number): Memory =>
  new WebAssembly.Memory({ initial: initialMiB * PAGES_PER_MIB, maximum: maximumMiB * PAGES_PER_MIB });
