export interface FileEntry {
  /** Relative to the workspace, or absolute below `/tmp`. */
  readonly path: string;
  readonly type: "file" | "folder" | "link" | "other";
  readonly bytes: number;
  readonly modifiedAt: number;
}

export interface GrepMatch {
  readonly path: string;
  /** From 1. */
  readonly line: number;
  readonly text: string;
}

/**
 * Files of a sandbox. All work is done inside it, so that no path, link or device in there can reach the host.
 * Paths are relative to the workspace or absolute; both must stay, links followed, in the workspace or in `/tmp`
 * (`TOOLS_PATH_OUTSIDE`). Only regular files are read and written: a pipe or device is refused, not waited for.
 */
export interface SandboxFiles {
  /** `TOOLS_FILE_NOT_FOUND` when absent, `TOOLS_TOO_LARGE` over `maxBytes` (default 16 MiB). */
  read(
    path: string,
    options?: { readonly offset?: number; readonly length?: number; readonly maxBytes?: number },
  ): Promise<Uint8Array>;
  /** As `read`, decoded as UTF-8 with replacement. */
  readText(path: string, options?: { readonly maxBytes?: number }): Promise<string>;
  /** Creates parent folders; replaces a file whole or not at all. */
  write(path: string, data: string | Uint8Array): Promise<void>;
  /** Replaces `find` exactly once, or everywhere with `all`; `TOOLS_INVALID` when it occurs not at all or too often. */
  edit(
    path: string,
    change: { readonly find: string; readonly replace: string; readonly all?: boolean },
  ): Promise<{ readonly replacements: number }>;
  /** Sorted by path; at most `limit` (default 1,000) entries. */
  list(
    path?: string,
    options?: { readonly recursive?: boolean; readonly limit?: number },
  ): Promise<readonly FileEntry[]>;
  /** `*`, `**`, `?` and `[…]`; sorted; at most `limit` (default 1,000) paths. */
  glob(pattern: string, options?: { readonly path?: string; readonly limit?: number }): Promise<readonly string[]>;
  /** A regular expression of the sandbox's own language over text files; at most `limit` (default 200) matches. */
  grep(
    pattern: string,
    options?: {
      readonly path?: string;
      readonly glob?: string;
      readonly ignoreCase?: boolean;
      readonly limit?: number;
    },
  ): Promise<readonly GrepMatch[]>;
  /** A folder needs `recursive`. Absence is an error, so that a mistyped path is seen. */
  remove(path: string, options?: { readonly recursive?: boolean }): Promise<void>;
  move(from: string, to: string): Promise<void>;
  makeFolder(path: string): Promise<void>;
  /** Streams in under back-pressure; a source that fails or is over `maxBytes` leaves nothing behind. */
  upload(
    path: string,
    source: ReadableStream<Uint8Array>,
    options?: { readonly maxBytes?: number },
  ): Promise<{ readonly bytes: number }>;
  download(path: string, options?: { readonly maxBytes?: number }): Promise<ReadableStream<Uint8Array>>;
  /** A gzip-compressed tar archive of a folder, of at most 1 GiB and 100,000 entries; default the workspace. */
  pack(path?: string): Promise<ReadableStream<Uint8Array>>;
  /**
   * Unpacks `tar`, `tar.gz` or `zip`, told by content. Entries that would leave the folder, links, devices, and
   * archives whose real content is over `maxBytes` or `maxEntries` are refused, whatever their headers claim.
   */
  unpack(
    archive: ReadableStream<Uint8Array>,
    path?: string,
    options?: { readonly maxBytes?: number; readonly maxEntries?: number },
  ): Promise<{ readonly files: number; readonly bytes: number }>;
}
