import type { CallContext } from "./dialect.ts";

/** Keeps the files of a session between sandboxes; per `principal.tenant`. Archives are tar with gzip. */
export interface Workspaces {
  /** `undefined` when nothing was saved under that name yet. */
  restore(context: CallContext, workspace: string): Promise<ReadableStream<Uint8Array> | undefined>;
  /** Replaces what was saved before, whole or not at all. */
  save(context: CallContext, workspace: string, archive: ReadableStream<Uint8Array>): Promise<unknown>;
}
