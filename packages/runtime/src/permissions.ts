import type { CallContext, Json } from "./dialect.ts";

export interface Permissions {
  decide(
    context: CallContext,
    request: { readonly action: string; readonly resource: string; readonly arguments?: Json },
  ): Promise<{
    readonly effect: "allow" | "deny" | "ask";
    readonly reason: string;
    readonly policy?: string;
  }>;
}
