import type { MessagePort } from "node:worker_threads";
import type { OutputPiece } from "../execution.ts";
import type { EngineResult, FileOperation, FileValue } from "./engine.ts";

/** Slots of the shared array: a number other than 0 ends the running program; the other wakes a file call. */
export const INTERRUPT_SLOT = 0;
export const CALL_SLOT = 1;

export interface WorkerStart {
  readonly memoryMiB: number;
  readonly environment: Readonly<Record<string, string>>;
  readonly signals: SharedArrayBuffer;
  readonly files: MessagePort;
}

export type ToWorker =
  | { readonly type: "run"; readonly context: string; readonly code: string; readonly outputBytes: number }
  | { readonly type: "clear"; readonly context: string };

export type FromWorker =
  | ({ readonly type: "output" } & OutputPiece)
  | { readonly type: "truncated" }
  | { readonly type: "done"; readonly result: EngineResult };

export interface FilesCall {
  readonly operation: FileOperation;
  readonly path: string;
  readonly argument?: Uint8Array | string;
}

export type FilesAnswer = { readonly value: FileValue } | { readonly error: string };
