import type { KeyObject } from "node:crypto";
import { open, readFile, stat } from "node:fs/promises";
import { IdentityError } from "./errors.ts";
import { LocalKey, newKeyText, readKeyText } from "./internal/local-key.ts";
import type { KeyWrapper } from "./key-wrapper.ts";

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
    await file.writeFile(`${newKeyText()}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Wraps with a key from a local file, read once at first use. The file is made by `createKeyFile`. */
export class KeyFileWrapper implements KeyWrapper {
  readonly #key: LocalKey;

  constructor({ path }: { readonly path: string }) {
    this.#key = new LocalKey({ read: () => readKeyFile(path), place: path });
  }

  wrap(tenant: string, key: Uint8Array): Promise<Uint8Array> {
    return this.#key.wrap(tenant, key);
  }

  unwrap(tenant: string, wrapped: Uint8Array): Promise<Uint8Array> {
    return this.#key.unwrap(tenant, wrapped);
  }
}

async function readKeyFile(path: string): Promise<KeyObject> {
  const text = await readFile(path, "latin1").catch((error: NodeJS.ErrnoException) => {
    throw new IdentityError(
      "IDENTITY_KEY_MISSING",
      `The key file ${path} cannot be read (${error.code}). Restore it, or make one for a new store with createKeyFile.`,
    );
  });
  const key = readKeyText(text);
  if (key === undefined) {
    throw new IdentityError("IDENTITY_KEY_MISSING", `The file ${path} is not a key file: make one with createKeyFile.`);
  }
  const { mode } = await stat(path);
  if ((mode & 0o077) !== 0) {
    process.emitWarning(`The key file ${path} is open to other users: chmod 600 it.`, { code: "ASHLAR_KEY_FILE_OPEN" });
  }
  return key;
}
