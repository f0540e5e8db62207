import { hash } from "node:crypto";
import { appendFile, mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import type { CallContext } from "../dialect.ts";
import { ToolsError } from "../errors.ts";
import type { RecordingPart, Recordings } from "./recordings.ts";

const FILES: Readonly<Record<RecordingPart, string>> = { log: "log.ndjson", frames: "frames.jpegs" };

/** A folder per recording, for this user alone. Pictures show what the pages showed: keep the folder as such. */
export class FolderRecordings implements Recordings {
  readonly #folder: string;

  constructor({ folder }: { readonly folder: string }) {
    this.#folder = folder;
  }

  async append(context: CallContext, recording: string, part: RecordingPart, data: Uint8Array): Promise<void> {
    const path = this.#path(context, recording);
    await mkdir(path, { recursive: true, mode: 0o700 });
    await appendFile(join(path, FILES[part]), data, { mode: 0o600 });
  }

  async read(
    context: CallContext,
    recording: string,
    part: RecordingPart,
    range?: { readonly offset: number; readonly length: number },
  ): Promise<Uint8Array | undefined> {
    const file = await open(join(this.#path(context, recording), FILES[part])).catch(() => undefined);
    if (file === undefined) return undefined;
    try {
      const { size } = await file.stat();
      const { offset = 0, length = size } = range ?? {};
      const bytes = Buffer.alloc(Math.max(0, Math.min(length, size - offset)));
      await file.read(bytes, 0, bytes.length, offset);
      return bytes;
    } finally {
      await file.close();
    }
  }

  #path({ principal }: CallContext, recording: string): string {
    if (!/^\w{1,100}$/.test(recording)) throw new ToolsError("TOOLS_INVALID", "That is no name of a recording.");
    return join(this.#folder, hash("sha256", principal.tenant, "hex").slice(0, 32), recording);
  }
}
