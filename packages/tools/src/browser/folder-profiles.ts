import { hash, randomUUID } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { CallContext } from "../dialect.ts";
import type { BrowserProfiles } from "./browser-profiles.ts";

/** A file per profile, for this user alone. */
export class FolderProfiles implements BrowserProfiles {
  readonly #folder: string;

  constructor({ folder }: { readonly folder: string }) {
    this.#folder = folder;
  }

  async load(context: CallContext, profile: string): Promise<Uint8Array | undefined> {
    try {
      return await readFile(this.#path(context, profile));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
  }

  async save(context: CallContext, profile: string, sealed: Uint8Array): Promise<void> {
    const path = this.#path(context, profile);
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const fresh = `${path}.${randomUUID()}`;
    await writeFile(fresh, sealed, { mode: 0o600, flush: true });
    await rename(fresh, path);
  }

  #path({ principal }: CallContext, profile: string): string {
    return join(this.#folder, `${hash("sha256", JSON.stringify([principal.tenant, profile]), "hex")}.sealed`);
  }
}
