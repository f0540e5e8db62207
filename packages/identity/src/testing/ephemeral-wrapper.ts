import { createSecretKey, randomBytes } from "node:crypto";
import { IdentityError } from "../errors.ts";
import { additionalData, decrypt, encrypt } from "../internal/envelope.ts";
import type { KeyWrapper } from "../key-wrapper.ts";

/** A wrapper for tests: its key lives and dies with the process. */
export function ephemeralWrapper(key: Uint8Array = randomBytes(32)): KeyWrapper {
  const secret = createSecretKey(key);
  return {
    wrap: async (tenant, plain) => encrypt(secret, plain, additionalData(tenant)),
    async unwrap(tenant, wrapped) {
      try {
        return decrypt(secret, wrapped, additionalData(tenant));
      } catch {
        throw new IdentityError("IDENTITY_KEY_MISMATCH", "The key does not open this store.");
      }
    },
  };
}
