import { ToolsError } from "../errors.ts";
import type { FileEntry, GrepMatch, SandboxFiles } from "../sandbox-files.ts";
import { type ArchiveLimits, packFolder, unpackInto } from "./archive.ts";
import { type MemoryFiles, relative } from "./memory-files.ts";
import { globProgram, grepProgram } from "./search.ts";

const MAX_READ_BYTES = 16 * 1024 * 1024;
const ARCHIVE: ArchiveLimits = { maxBytes: 256 * 1024 * 1024, maxEntries: 10_000 };

/** The files of a WebAssembly sandbox: they live in memory and never touch the host's disk. */
export class WasmFiles implements SandboxFiles {
  readonly #tree: MemoryFiles;
  readonly #evaluate: (program: string) => Promise<unknown>;

  /** `evaluate` runs a program inside the sandbox and gives its value; both throw `ToolsError`. */
  constructor(options: { readonly tree: MemoryFiles; readonly evaluate: (program: string) => Promise<unknown> }) {
    this.#tree = options.tree;
    this.#evaluate = options.evaluate;
  }

  async read(
    path: string,
    {
      offset = 0,
      length,
      maxBytes = MAX_READ_BYTES,
    }: { readonly offset?: number; readonly length?: number; readonly maxBytes?: number } = {},
  ): Promise<Uint8Array> {
    const data = this.#tree.read(this.#tree.resolve(path));
    const part = data.subarray(offset, length === undefined ? undefined : offset + length);
    if (part.byteLength > maxBytes) {
      throw new ToolsError("TOOLS_TOO_LARGE", `${path} has ${part.byteLength} bytes, over the cap of ${maxBytes}.`);
    }
    return new Uint8Array(part);
  }

  async readText(path: string, options?: { readonly maxBytes?: number }): Promise<string> {
    return Buffer.from(await this.read(path, options)).toString("utf8");
  }

  async write(path: string, data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === "string" ? new TextEncoder().encode(data) : new Uint8Array(data);
    this.#tree.write(this.#tree.resolve(path), bytes);
  }

  async edit(
    path: string,
    { find, replace, all = false }: { readonly find: string; readonly replace: string; readonly all?: boolean },
  ): Promise<{ readonly replacements: number }> {
    const text = await this.readText(path);
    const parts = find === "" ? [text] : text.split(find);
    const found = parts.length - 1;
    if (found === 0) throw new ToolsError("TOOLS_INVALID", `The text to replace does not occur in ${path}.`);
    if (found > 1 && !all) {
      throw new ToolsError(
        "TOOLS_INVALID",
        `The text to replace occurs ${found} times in ${path}: give more of its surroundings, or ask for all.`,
      );
    }
    await this.write(path, parts.join(replace));
    return { replacements: found };
  }

  async list(
    path = ".",
    { recursive = false, limit = 1_000 }: { readonly recursive?: boolean; readonly limit?: number } = {},
  ): Promise<readonly FileEntry[]> {
    return this.#tree
      .below(this.#tree.resolve(path), recursive)
      .slice(0, limit)
      .map((each) => this.#tree.entry(each))
      .filter((entry) => entry !== undefined);
  }

  async glob(
    pattern: string,
    { path = ".", limit = 1_000 }: { readonly path?: string; readonly limit?: number } = {},
  ): Promise<readonly string[]> {
    const found = this.#filesBelow(path);
    const named = found.map(({ name }) => name);
    const matches = (await this.#evaluate(globProgram(pattern, named, limit))) as string[];
    const byName = new Map(found.map((each) => [each.name, each.path]));
    return matches.map((name) => byName.get(name)).filter((each) => each !== undefined);
  }

  async grep(
    pattern: string,
    {
      path = ".",
      glob,
      ignoreCase = false,
      limit = 200,
    }: {
      readonly path?: string;
      readonly glob?: string;
      readonly ignoreCase?: boolean;
      readonly limit?: number;
    } = {},
  ): Promise<readonly GrepMatch[]> {
    const files = this.#filesBelow(path);
    const request = { pattern, ignoreCase, limit, files, ...(glob === undefined ? {} : { glob }) };
    return (await this.#evaluate(grepProgram(request))) as GrepMatch[];
  }

  async remove(path: string, { recursive = false }: { readonly recursive?: boolean } = {}): Promise<void> {
    this.#tree.remove(this.#tree.resolve(path), recursive);
  }

  async move(from: string, to: string): Promise<void> {
    this.#tree.move(this.#tree.resolve(from), this.#tree.resolve(to));
  }

  async makeFolder(path: string): Promise<void> {
    this.#tree.makeFolder(this.#tree.resolve(path));
  }

  async upload(
    path: string,
    source: ReadableStream<Uint8Array>,
    { maxBytes = ARCHIVE.maxBytes }: { readonly maxBytes?: number } = {},
  ): Promise<{ readonly bytes: number }> {
    const absolute = this.#tree.resolve(path);
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of source) {
      bytes += chunk.byteLength;
      if (bytes > maxBytes) throw new ToolsError("TOOLS_TOO_LARGE", `The upload is over the cap of ${maxBytes} bytes.`);
      chunks.push(chunk);
    }
    this.#tree.write(absolute, new Uint8Array(Buffer.concat(chunks)));
    return { bytes };
  }

  async download(path: string, options?: { readonly maxBytes?: number }): Promise<ReadableStream<Uint8Array>> {
    const data = await this.read(path, options);
    return new Blob([data as Uint8Array<ArrayBuffer>]).stream() as ReadableStream<Uint8Array>;
  }

  async pack(path = "."): Promise<ReadableStream<Uint8Array>> {
    return packFolder(this.#tree, this.#tree.resolve(path));
  }

  async unpack(
    archive: ReadableStream<Uint8Array>,
    path = ".",
    limits: Partial<ArchiveLimits> = {},
  ): Promise<{ readonly files: number; readonly bytes: number }> {
    return unpackInto(this.#tree, this.#tree.resolve(path), archive, { ...ARCHIVE, ...limits });
  }

  #filesBelow(path: string): { readonly absolute: string; readonly name: string; readonly path: string }[] {
    const base = this.#tree.resolve(path);
    const entry = this.#tree.entry(base);
    const found = entry?.type === "file" ? [base] : this.#tree.below(base, true);
    return found
      .filter((each) => this.#tree.entry(each)?.type === "file")
      .map((absolute) => ({
        absolute,
        name: absolute === base ? absolute.slice(absolute.lastIndexOf("/") + 1) : absolute.slice(base.length + 1),
        path: relative(absolute),
      }));
  }
}
