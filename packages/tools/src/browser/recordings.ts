import type { CallContext } from "../dialect.ts";
import type { BrowserEvent } from "./browser-event.ts";

/** `log` is one JSON entry per line; `frames` are JPEG pictures, one after another, found by the entries. */
export type RecordingPart = "log" | "frames";

export interface RecordingEntry {
  /** Since the start of the recording. */
  readonly atMs: number;
  readonly event?: BrowserEvent;
  readonly frame?: { readonly offset: number; readonly length: number };
}

/** Keeps recordings; per `principal.tenant`. */
export interface Recordings {
  /** In order; what was appended can be read, also when the recording has no end. */
  append(context: CallContext, recording: string, part: RecordingPart, data: Uint8Array): Promise<void>;
  /** `undefined` when there is no such recording. Without a range, the whole part. */
  read(
    context: CallContext,
    recording: string,
    part: RecordingPart,
    range?: { readonly offset: number; readonly length: number },
  ): Promise<Uint8Array | undefined>;
}
