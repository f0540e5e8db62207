import type { KeyObject } from "node:crypto";
import { IdentityError } from "./errors.ts";
import { LocalKey, newKeyText, readKeyText } from "./internal/local-key.ts";
import type { KeyWrapper } from "./key-wrapper.ts";

/** One entry of the operating system's keychain; an `AsyncEntry` of `@napi-rs/keyring` is one. */
export interface KeychainEntry {
  getPassword(): Promise<string | null | undefined>;
  setPassword(password: string): Promise<void>;
}

/** Puts a new random key into the entry. Throws `IDENTITY_CONFLICT` when there is something in it. */
export async function createKeychainKey(entry: KeychainEntry): Promise<void> {
  const before = await entry.getPassword().catch(unavailable);
  if (before != null) throw new IdentityError("IDENTITY_CONFLICT", "The keychain's entry holds something already.");
  await entry.setPassword(newKeyText()).catch(unavailable);
}

/**
 * Wraps with a key from the operating system's keychain (Keychain, Credential Manager, Secret Service), read once at
 * first use. The entry is filled by `createKeychainKey`.
 */
export class KeychainWrapper implements KeyWrapper {
  readonly #key: LocalKey;

  constructor({ entry }: { readonly entry: KeychainEntry }) {
    this.#key = new LocalKey({ read: () => readEntry(entry), place: "the keychain" });
  }

  wrap(tenant: string, key: Uint8Array): Promise<Uint8Array> {
    return this.#key.wrap(tenant, key);
  }

  unwrap(tenant: string, wrapped: Uint8Array): Promise<Uint8Array> {
    return this.#key.unwrap(tenant, wrapped);
  }
}

async function readEntry(entry: KeychainEntry): Promise<KeyObject> {
  const text = await entry.getPassword().catch(unavailable);
  const key = text == null ? undefined : readKeyText(text);
  if (key !== undefined) return key;
  throw new IdentityError(
    "IDENTITY_KEY_MISSING",
    `The keychain's entry holds ${text == null ? "nothing" : "something that is no key"}: make one with createKeychainKey.`,
  );
}

function unavailable(): never {
  throw new IdentityError("IDENTITY_KEY_UNAVAILABLE", "The keychain is locked or not there. Unlock it and try again.");
}
