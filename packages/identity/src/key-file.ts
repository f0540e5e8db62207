import { createSecretKey, type KeyObject, randomBytes } from "node:crypto";
import { open, readFile, stat } from "node:fs/promises";
import { IdentityError } from "./errors.ts";
import { additionalData, decrypt, encrypt } from "./internal/envelope.ts";
import type { KeyWrapper } from "./key-wrapper.ts";

const HEADER = "ashlar-key-1:";

/**
 * Writes a new random key to `path`, readable by its owner only. Throws `IDENTITY_CONFLICT` when the file exists: a
 * key that is overwritten takes everything sealed under it along.
 */
export async function createKeyFile(path: string): Promise<void> {
  const file = await open(path, "wx", 0o600).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "EEXIST") throw new IdentityError("IDENTITY_CONFLICT", `The key file ${path} exists already.`);
    throw new IdentityError("IDENTITY_KEY_MISSING", `The key file ${path} cannot be written (${error.code}).`);
  });
  try {
    await file.writeFile(`${HEADER}${randomBytes(32).toString("base64")}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Wraps with a key from a local file, read once at first use. The file is made by `createKeyFile`. */
export class KeyFileWrapper implements KeyWrapper {
  readonly #path: string;
  #key: Promise<KeyObject> | undefined;

  constructor({ path }: { readonly path: string }) {
    this.#path = path;
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
        `The key in ${this.#path} does not open this store: it is another store's key, or the store was changed.`,
      );
    }
  }

  #load(): Promise<KeyObject> {
    this.#key ??= readKey(this.#path).catch((error) => {
      this.#key = undefined;
      throw error;
    });
    return this.#key;
  }
}

async function readKey(path: string): Promise<KeyObject> {
  const text = await readFile(path, "latin1").catch((error: NodeJS.ErrnoException) => {
    throw new IdentityError(
      "IDENTITY_KEY_MISSING",
      `The key file ${path} cannot be read (${error.code}). Restore it, or make one for a new store with createKeyFile.`,
    );
  });
  const { mode } = await stat(path);
  if ((mode & 0o077) !== 0) {
    process.emitWarning(`The key file ${path} is open to other users: chmod 600 it.`, { code: "ASHLAR_KEY_FILE_OPEN" });
  }
  const bytes = Buffer.from(text.startsWith(HEADER) ? text.slice(HEADER.length).trim() : "", "base64");
  if (bytes.length !== 32) {
    throw new IdentityError("IDENTITY_KEY_MISSING", `The file ${path} is not a key file: make one with createKeyFile.`);
  }
  return createSecretKey(bytes);
}
