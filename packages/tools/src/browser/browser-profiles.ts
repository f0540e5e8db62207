import type { CallContext } from "../dialect.ts";

/** Keeps sealed profiles; per `principal.tenant`. What it is given is encrypted already. */
export interface BrowserProfiles {
  /** `undefined` when nothing was saved under that name yet. */
  load(context: CallContext, profile: string): Promise<Uint8Array | undefined>;
  /** Replaces what was saved before, whole or not at all. */
  save(context: CallContext, profile: string, sealed: Uint8Array): Promise<void>;
}
