import type { CallContext } from "./dialect.ts";

/** What a loop asks of a memory: the scope is the context's principal, and whose memories these are is the provider's law. */
export interface SessionMemory {
  /** The best matches first, at most `limit`. */
  recall(
    context: CallContext,
    query: { readonly text: string; readonly limit?: number },
  ): Promise<readonly { readonly id: string; readonly text: string; readonly score: number; readonly at: number }[]>;
  /** Idempotent by the context's `idempotencyKey`: a turn remembered twice under one key is one. */
  remember(
    context: CallContext,
    turn: { readonly role: "user" | "assistant" | "tool"; readonly text: string; readonly at: number },
  ): Promise<void>;
}
