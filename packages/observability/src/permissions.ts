import type { CallContext, Json } from "./dialect.ts";

/** Decides who may do what. Identity's class fits. */
export interface Permissions {
  decide(
    context: CallContext,
    request: { readonly action: string; readonly resource: string; readonly arguments?: Json },
  ): Promise<{ readonly effect: "allow" | "deny" | "ask"; readonly reason: string; readonly policy?: string }>;
}
