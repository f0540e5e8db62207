import { ToolsError } from "../errors.ts";
import type { FileEntry } from "../sandbox-files.ts";

interface Stored {
  readonly data: Uint8Array;
  readonly modifiedAt: number;
}

export interface MemoryFilesOptions {
  readonly maxBytes: number;
  readonly maxEntries: number;
  readonly now: () => number;
}

export const WORKSPACE = "/workspace";
const ROOTS = [WORKSPACE, "/tmp"];

/** Two trees of files in memory, with caps on their bytes and number. There are no links, pipes or devices in it. */
export class MemoryFiles {
  readonly #files = new Map<string, Stored>();
  readonly #folders = new Map<string, number>();
  readonly #maxBytes: number;
  readonly #maxEntries: number;
  readonly #now: () => number;
  #bytes = 0;

  constructor({ maxBytes, maxEntries, now }: MemoryFilesOptions) {
    this.#maxBytes = maxBytes;
    this.#maxEntries = maxEntries;
    this.#now = now;
    for (const root of ROOTS) this.#folders.set(root, now());
  }

  /** The absolute form of a path; relative ones stand under `base`. Refuses what leaves the two roots. */
  resolve(path: string, base: string = WORKSPACE): string {
    if (path.includes("\0")) throw new ToolsError("TOOLS_INVALID", "A path cannot hold a NUL character.");
    const parts: string[] = [];
    for (const part of (path.startsWith("/") ? path : `${base}/${path}`).split("/")) {
      if (part === "" || part === ".") continue;
      if (part === "..") parts.pop();
      else parts.push(part);
    }
    const absolute = `/${parts.join("/")}`;
    if (!ROOTS.some((root) => absolute === root || absolute.startsWith(`${root}/`))) {
      throw new ToolsError("TOOLS_PATH_OUTSIDE", `${path} is outside ${ROOTS.join(" and ")}.`);
    }
    return absolute;
  }

  read(path: string): Uint8Array {
    const file = this.#files.get(path);
    if (file !== undefined) return file.data;
    if (this.#folders.has(path)) throw new ToolsError("TOOLS_FILE_REFUSED", `${path} is a folder, not a file.`);
    throw missing(path);
  }

  /** Takes the bytes as they are: the caller does not change them afterwards. */
  write(path: string, data: Uint8Array): void {
    if (this.#folders.has(path)) throw new ToolsError("TOOLS_FILE_REFUSED", `${path} is a folder, not a file.`);
    const before = this.#files.get(path);
    const bytes = this.#bytes - (before?.data.byteLength ?? 0) + data.byteLength;
    if (bytes > this.#maxBytes) {
      throw new ToolsError(
        "TOOLS_LIMIT_EXCEEDED",
        `Writing ${path} would bring the sandbox's files to ${bytes} bytes; its disk limit is ${this.#maxBytes}.`,
      );
    }
    this.makeFolder(parent(path));
    if (before === undefined) this.#room();
    this.#files.set(path, { data, modifiedAt: this.#now() });
    this.#bytes = bytes;
  }

  makeFolder(path: string): void {
    if (this.#folders.has(path)) return;
    if (this.#files.has(path)) throw new ToolsError("TOOLS_FILE_REFUSED", `${path} is a file, not a folder.`);
    this.makeFolder(parent(path));
    this.#room();
    this.#folders.set(path, this.#now());
  }

  entry(path: string): FileEntry | undefined {
    const file = this.#files.get(path);
    const shown = relative(path);
    if (file !== undefined) {
      return { path: shown, type: "file", bytes: file.data.byteLength, modifiedAt: file.modifiedAt };
    }
    const modifiedAt = this.#folders.get(path);
    return modifiedAt === undefined ? undefined : { path: shown, type: "folder", bytes: 0, modifiedAt };
  }

  /** Absolute paths below a folder, sorted; only its own entries unless `recursive`. */
  below(path: string, recursive = false): string[] {
    if (!this.#folders.has(path)) {
      if (this.#files.has(path)) throw new ToolsError("TOOLS_FILE_REFUSED", `${path} is a file, not a folder.`);
      throw missing(path);
    }
    const prefix = `${path}/`;
    return [...this.#files.keys(), ...this.#folders.keys()]
      .filter((each) => each.startsWith(prefix) && (recursive || !each.slice(prefix.length).includes("/")))
      .sort();
  }

  remove(path: string, recursive: boolean): void {
    const folder = this.#folders.has(path);
    if (!folder && !this.#files.has(path)) throw missing(path);
    if (ROOTS.includes(path)) throw new ToolsError("TOOLS_FILE_REFUSED", `${path} itself cannot be removed.`);
    if (folder && !recursive) {
      throw new ToolsError("TOOLS_FILE_REFUSED", `${path} is a folder: ask for \`recursive\` to remove it.`);
    }
    for (const each of folder ? [path, ...this.below(path, true)] : [path]) this.#drop(each);
  }

  move(from: string, to: string): void {
    const folder = this.#folders.has(from);
    if (!folder && !this.#files.has(from)) throw missing(from);
    if (from === to) return;
    if (ROOTS.includes(from) || this.#folders.has(to) || to.startsWith(`${from}/`) || (folder && this.#files.has(to))) {
      throw new ToolsError("TOOLS_FILE_REFUSED", `${from} cannot be moved to ${to}.`);
    }
    this.makeFolder(parent(to));
    this.#drop(to);
    for (const each of folder ? [from, ...this.below(from, true)] : [from]) {
      const target = to + each.slice(from.length);
      const file = this.#files.get(each);
      const madeAt = this.#folders.get(each);
      if (file !== undefined) this.#files.set(target, file);
      if (madeAt !== undefined) this.#folders.set(target, madeAt);
      this.#files.delete(each);
      this.#folders.delete(each);
    }
  }

  #drop(path: string): void {
    this.#bytes -= this.#files.get(path)?.data.byteLength ?? 0;
    this.#files.delete(path);
    this.#folders.delete(path);
  }

  #room(): void {
    if (this.#files.size + this.#folders.size < this.#maxEntries) return;
    throw new ToolsError("TOOLS_LIMIT_EXCEEDED", `The sandbox holds ${this.#maxEntries} files and folders, its limit.`);
  }
}

/** As `FileEntry.path` has it: relative to the workspace, absolute elsewhere. */
export const relative = (path: string): string =>
  path.startsWith(`${WORKSPACE}/`) ? path.slice(WORKSPACE.length + 1) : path === WORKSPACE ? "." : path;

const parent = (path: string): string => path.slice(0, path.lastIndexOf("/"));

const missing = (path: string): ToolsError => new ToolsError("TOOLS_FILE_NOT_FOUND", `${path} does not exist.`);
