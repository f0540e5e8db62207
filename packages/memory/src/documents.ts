import { createHash } from "node:crypto";
import { z } from "zod";
import type { CallContext, Clock, IdSource, Page } from "./dialect.ts";
import { MemoryError } from "./errors.ts";
import { part, under } from "./internal/keys.ts";
import { bytesOf, parse, parseCursor, scopeOf, tooLarge } from "./internal/parse.ts";
import type { Transactions } from "./internal/transactions.ts";
import { limits } from "./limits.ts";
import type { MemoryStore, Scope } from "./memory-store.ts";

export interface DocumentsDeps {
  readonly store: MemoryStore;
  readonly transactions: Transactions;
  readonly clock: Clock;
  readonly ids: IdSource;
}

export interface MemoryDocument {
  readonly path: string;
  readonly text: string;
  /** Of the text's UTF-8, in hexadecimal: the precondition of the next write. */
  readonly sha256: string;
  /** Counts up from 1. */
  readonly version: number;
  readonly writtenAt: number;
}

export interface DocumentVersion {
  readonly id: string;
  readonly version: number;
  readonly change: "created" | "written" | "deleted";
  readonly at: number;
  readonly sha256?: string;
  /** Absent for a deletion, and once redacted. */
  readonly text?: string;
  readonly redactedAt?: number;
}

const path = z
  .string()
  .max(1_024)
  .regex(/^(\/[^/\p{Cc}\p{Surrogate}]{1,255})+$/u, "is an absolute path of names, such as /notes/ada.md")
  .refine((value) => !value.split("/").some((name) => name === "." || name === ".."), "has no `.` or `..`")
  .refine(
    (value) => /\p{Surrogate}/u.test(value) || encodeURIComponent(value).length <= 2_000,
    "has over 2,000 characters when percent-encoded",
  );

const listed = z.strictObject({
  prefix: z
    .string()
    .max(1_024)
    .regex(/^\/[^\p{Cc}\p{Surrogate}]*$/u, "begins with a slash, such as /notes/")
    .exactOptional(),
  depth: z.int().min(1).or(z.literal(Number.POSITIVE_INFINITY)).exactOptional(),
  limit: z.int().min(1).max(1_000).exactOptional(),
  cursor: z.string().exactOptional(),
});
const written = z.strictObject({
  path,
  text: z.string(),
  ifSha256: z.string().nullable().exactOptional(),
});
const deleted = z.strictObject({ path, ifSha256: z.string().exactOptional() });

/** Text files by path, each write a version that stays. */
export class Documents {
  readonly #deps: DocumentsDeps;

  constructor(deps: DocumentsDeps) {
    this.#deps = deps;
  }

  /**
   * `ifSha256` is what the caller believes to be there: a hash, or `null` for nothing. When it is something else the
   * write is refused with a conflict, so that nobody overwrites what they have not seen.
   */
  async write(
    context: CallContext,
    memory: string,
    document: { readonly path: string; readonly text: string; readonly ifSha256?: string | null },
  ): Promise<MemoryDocument> {
    const scope = scopeOf(context, memory);
    const { path: at, text, ifSha256 } = parse(written, document, "document");
    if (bytesOf(text) > limits.documentBytes) throw tooLarge("The document", bytesOf(text), limits.documentBytes);
    const sha256 = createHash("sha256").update(text).digest("hex");
    return this.#change(scope, at, ifSha256, (version, change) => {
      const now = this.#deps.clock.now();
      const next: MemoryDocument = { path: at, text, sha256, version, writtenAt: now };
      return {
        next,
        version: { id: this.#deps.ids.next("ver"), version, change, at: now, sha256, text },
        result: next,
      };
    });
  }

  async read(context: CallContext, memory: string, at: string): Promise<MemoryDocument | undefined> {
    const key = keyOf(parse(path, at, "path"));
    const { values } = await this.#deps.store.read(scopeOf(context, memory), { keys: [key] });
    return values[0] === undefined ? undefined : (JSON.parse(values[0]) as MemoryDocument);
  }

  /** Its versions stay until they are redacted. */
  async delete(
    context: CallContext,
    memory: string,
    document: { readonly path: string; readonly ifSha256?: string },
  ): Promise<void> {
    const { path: at, ifSha256 } = parse(deleted, document, "document");
    await this.#change(scopeOf(context, memory), at, ifSha256, (version, change) => {
      if (change === "created") throw new MemoryError("MEMORY_NOT_FOUND", "There is no document at that path.");
      const now = this.#deps.clock.now();
      return {
        next: undefined,
        version: { id: this.#deps.ids.next("ver"), version, change: "deleted", at: now },
        result: undefined,
      };
    });
  }

  /** Paths below `prefix` (`/notes/`, default all), at most `depth` names deeper; without their text. */
  async list(
    context: CallContext,
    memory: string,
    query: {
      readonly prefix?: string;
      readonly depth?: number;
      readonly limit?: number;
      readonly cursor?: string;
    } = {},
  ): Promise<Page<Omit<MemoryDocument, "text">>> {
    const { prefix = "/", depth = Number.POSITIVE_INFINITY, limit = 100, cursor } = parse(listed, query, "query");
    const names = prefix.split("/").filter((name) => name !== "");
    const bounds = under(`document/${names.map((name) => `${part(name)}/`).join("")}`);
    const items: { key: string; document: Omit<MemoryDocument, "text"> }[] = [];
    for (let from = parseCursor(cursor, bounds); ; ) {
      const entries = await this.#deps.store.scan(scopeOf(context, memory), { from, to: bounds.to, limit: limit + 1 });
      for (const { key, value } of entries) {
        const { text, ...document } = JSON.parse(value) as MemoryDocument;
        if (document.path.split("/").length - 1 - names.length <= depth) items.push({ key, document });
      }
      const last = entries.at(-1);
      if (last === undefined || entries.length <= limit || items.length > limit) break;
      from = `${last.key}!`;
    }
    const page = items.slice(0, limit);
    const last = page.at(-1);
    return {
      items: page.map(({ document }) => document),
      ...(items.length > limit && last !== undefined ? { cursor: last.key } : {}),
    };
  }

  /** Oldest first. */
  async versions(context: CallContext, memory: string, at: string): Promise<readonly DocumentVersion[]> {
    const range = under(`version/${keyOf(parse(path, at, "path"))}//`);
    const entries = await this.#deps.store.scan(scopeOf(context, memory), { ...range, limit: 10_000 });
    return entries.map(({ value }) => JSON.parse(value) as DocumentVersion);
  }

  /** Takes the text out of a past version and keeps that there was one. The current text must be overwritten first. */
  async redact(context: CallContext, memory: string, at: string, version: number): Promise<void> {
    const scope = scopeOf(context, memory);
    const key = keyOf(parse(path, at, "path"));
    const number = parse(z.int().min(1), version, "version");
    await this.#deps.transactions.run<void>(scope, async () => {
      const place = versionKey(key, number);
      const { values } = await this.#deps.store.read(scope, { keys: [place, key] });
      const [found, current] = values;
      if (found === undefined) throw new MemoryError("MEMORY_NOT_FOUND", "There is no such version.");
      if (current !== undefined && (JSON.parse(current) as MemoryDocument).version === version) {
        throw new MemoryError("MEMORY_CONFLICT", "This version is the current one: write another or delete it first.");
      }
      const { text, sha256, ...kept } = JSON.parse(found) as DocumentVersion;
      const redacted: DocumentVersion = { ...kept, redactedAt: this.#deps.clock.now() };
      const put = [{ key: place, value: JSON.stringify(redacted) }];
      return { batch: { expect: [{ key: place, value: found }], put }, result: undefined };
    });
  }

  #change<T>(
    scope: Scope,
    at: string,
    ifSha256: string | null | undefined,
    draft: (
      version: number,
      change: DocumentVersion["change"],
    ) => { readonly next: MemoryDocument | undefined; readonly version: DocumentVersion; readonly result: T },
  ): Promise<T> {
    const key = keyOf(at);
    const count = `next/${key}`;
    return this.#deps.transactions.run(scope, async () => {
      const { values } = await this.#deps.store.read(scope, { keys: [key, count] });
      const [found, last] = values;
      const current = found === undefined ? undefined : (JSON.parse(found) as MemoryDocument);
      if (ifSha256 !== undefined && (current?.sha256 ?? null) !== ifSha256) {
        throw new MemoryError("MEMORY_CONFLICT", "The document is not what the precondition says: read it again.");
      }
      const number = Number(last ?? 0) + 1;
      const { next, version, result } = draft(number, current === undefined ? "created" : "written");
      const put = [
        { key: versionKey(key, number), value: JSON.stringify(version) },
        { key: count, value: String(number) },
      ];
      const expect = [
        { key, value: found },
        { key: count, value: last },
      ];
      const batch =
        next === undefined
          ? { expect, put, delete: [key] }
          : { expect, put: [...put, { key, value: JSON.stringify(next) }] };
      return { batch, result };
    });
  }
}

const keyOf = (at: string): string => `document/${at.slice(1).split("/").map(part).join("/")}`;
const versionKey = (key: string, version: number): string => `version/${key}//${String(version).padStart(8, "0")}`;
