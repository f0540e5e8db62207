import { createSecretKey, type KeyObject, randomBytes } from "node:crypto";
import { IdentityError } from "../errors.ts";
import { additionalData, decrypt, encrypt } from "./envelope.ts";

const HEADER = "ashlar-key-1:";

/** A new random key, as text to be kept somewhere safe. */
export const newKeyText = (): string => `${HEADER}${randomBytes(32).toString("base64")}`;

/** `undefined` when the text is no key. */
export function readKeyText(text: string): KeyObject | undefined {
  const bytes = Buffer.from(text.startsWith(HEADER) ? text.slice(HEADER.length).trim() : "", "base64");
  return bytes.length === 32 ? createSecretKey(bytes) : undefined;
}

/** Wraps with a key that is read once, at first use, and held by this process. */
export class LocalKey {
  readonly #read: () => Promise<KeyObject>;
  readonly #place: string;
  #key: Promise<KeyObject> | undefined;

  constructor({ read, place }: { readonly read: () => Promise<KeyObject>; readonly place: string }) {
    this.#read = read;
    this.#place = place;
  }

  async wrap(tenant: string, key: Uint8Array): Promise<Uint8Array> {
    return encrypt(await this.#load(), key, additionalData("key-encryption key", tenant));
  }

  async unwrap(tenant: string, wrapped: Uint8Array): Promise<Uint8Array> {
    const key = await this.#load();
    try {
      return decrypt(key, wrapped, additionalData("key-encryption key", tenant));
    } catch {
      throw new IdentityError(
        "IDENTITY_KEY_MISMATCH",
        `The key in ${this.#place} does not open this store: it is another store's key, or the store was changed.`,
      );
    }
  }

  #load(): Promise<KeyObject> {
    this.#key ??= this.#read().catch((error) => {
      this.#key = undefined;
      throw error;
    });
    return this.#key;
  }
}
