import type { CallContext } from "../dialect.ts";

/** Encrypts what is kept; what was sealed opens only for the same tenant and purpose. */
export interface Sealer {
  seal(context: CallContext, plain: Uint8Array, purpose: string): Promise<Uint8Array>;
  open(context: CallContext, sealed: Uint8Array, purpose: string): Promise<Uint8Array>;
}
