import { createSecretKey, type KeyObject, randomBytes, type ScryptOptions, scrypt } from "node:crypto";
import { promisify } from "node:util";
import { IdentityError } from "./errors.ts";
import { BoundedMap } from "./internal/cache.ts";
import { additionalData, decrypt, encrypt } from "./internal/envelope.ts";
import type { KeyWrapper } from "./key-wrapper.ts";

/** scrypt (RFC 7914) with N = 2^17, r = 8, p = 1: 128 MiB and some 0.3 s for a guess. */
const COST: ScryptOptions = { N: 2 ** 17, r: 8, p: 1, maxmem: 256 * 1024 * 1024 };
const SALT = 16;
const derive = promisify<string, Uint8Array, number, ScryptOptions, Buffer>(scrypt);

/** Wraps with a key derived from a passphrase; each process salts its own wrappings. */
export class PassphraseWrapper implements KeyWrapper {
  readonly #passphrase: string;
  readonly #salt = randomBytes(SALT);
  readonly #keys = new BoundedMap<string, Promise<KeyObject>>(16);

  constructor({ passphrase }: { readonly passphrase: string }) {
    if (passphrase.length < 12) {
      throw new IdentityError("IDENTITY_INVALID", "A passphrase needs at least 12 characters.");
    }
    this.#passphrase = passphrase;
  }

  async wrap(tenant: string, key: Uint8Array): Promise<Uint8Array> {
    return Buffer.concat([this.#salt, encrypt(await this.#key(this.#salt), key, additional(tenant))]);
  }

  async unwrap(tenant: string, wrapped: Uint8Array): Promise<Uint8Array> {
    try {
      return decrypt(await this.#key(wrapped.subarray(0, SALT)), wrapped.subarray(SALT), additional(tenant));
    } catch {
      throw new IdentityError(
        "IDENTITY_KEY_MISMATCH",
        "The passphrase does not open this store: it is another one, or the store was changed.",
      );
    }
  }

  #key(salt: Uint8Array): Promise<KeyObject> {
    const name = Buffer.from(salt).toString("hex");
    const known = this.#keys.get(name);
    if (known) return known;
    const key = derive(this.#passphrase, salt, 32, COST).then((bytes) => createSecretKey(bytes));
    this.#keys.set(name, key);
    return key;
  }
}

const additional = (tenant: string): Buffer => additionalData("passphrase", tenant);
