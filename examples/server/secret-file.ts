import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";

/** Bytes made once and kept in a file that only this user reads. */
export async function secretFile(path: string, bytes: number): Promise<Uint8Array> {
  try {
    const made = randomBytes(bytes);
    await writeFile(path, made, { mode: 0o600, flag: "wx" });
    return made;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    return readFile(path);
  }
}
