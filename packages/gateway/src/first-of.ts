import type { Caller, InboundAuthenticator } from "./inbound-authenticator.ts";

/**
 * Several ways to come in. The first that knows the credentials decides; when none does, the first refusal is told.
 */
export function firstOf(...authenticators: readonly InboundAuthenticator[]): InboundAuthenticator {
  return {
    async authenticate(request: Request): Promise<Caller | undefined> {
      let refusal: unknown;
      for (const each of authenticators) {
        try {
          const found = await each.authenticate(request);
          if (found !== undefined) return found;
        } catch (error) {
          if ((error as { readonly kind?: unknown }).kind !== "unauthenticated") throw error;
          refusal ??= error;
        }
      }
      if (refusal !== undefined) throw refusal;
      return undefined;
    },
  };
}
