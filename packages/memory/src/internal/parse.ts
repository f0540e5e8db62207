import { z } from "zod";
import type { CallContext, Json, Metadata } from "../dialect.ts";
import { MemoryError } from "../errors.ts";
import type { BranchKey, EventItem, NewEvent, Turn } from "../event.ts";
import { limits } from "../limits.ts";
import type { Scope } from "../memory-store.ts";
import type { NewRecord, RecordChanges, RecordKind, RecordReference } from "../record.ts";
import { keys } from "./keys.ts";
import { externalKey } from "./record-changes.ts";

export const bytesOf = (text: string): number => Buffer.byteLength(text, "utf8");

const half = /\p{Surrogate}/u;
const wellFormed = z.string().refine((text) => !half.test(text), "has half of a surrogate pair");
/** A key has at most 4,096 characters on every backend: what enters one is measured as it stands there. */
const keyed = (characters: number, encoded: number): z.ZodString =>
  wellFormed
    .min(1)
    .max(characters)
    .refine(
      (text) => half.test(text) || encodeURIComponent(text).length <= encoded,
      `has over ${encoded} characters when percent-encoded`,
    );
export const name: z.ZodType<string> = keyed(256, 768);
export const instant: z.ZodType<number> = z.number().int().min(0).max(8.64e15);
const metadata = z
  .record(name, z.union([wellFormed, z.number(), z.boolean()]))
  .refine((value) => bytesOf(JSON.stringify(value)) <= limits.metadataBytes, {
    message: `is over ${limits.metadataBytes} bytes`,
    params: { large: true },
  });
const json = z.json() as z.ZodType<Json>;

const item = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("conversational"),
    role: z.enum(["user", "assistant", "tool", "system"]),
    text: wellFormed,
    speaker: name.exactOptional(),
  }),
  z.strictObject({ type: z.literal("json"), value: json }),
  z.strictObject({ type: z.literal("blob"), mediaType: name, base64: z.base64() }),
]);

const branchKey = { actor: name, session: name, branch: name.exactOptional() };
const eventOptions = {
  metadata: metadata.exactOptional(),
  at: instant.exactOptional(),
  expiresAt: instant.exactOptional(),
};

const newEvent = z.strictObject({ ...branchKey, ...eventOptions, items: z.array(item).min(1).max(limits.batchItems) });
const branch = z.strictObject(branchKey);

/** `/a/b` as its segments; `/` is the root. */
export const namespacePath: z.ZodType<string> = keyed(1_024, 1_200).regex(
  /^\/([^/]+(\/[^/]+)*)?$/,
  "is a path such as /facts/ada: it begins with a slash and has no empty part",
);

export const kind: z.ZodType<RecordKind> = z.enum(["fact", "preference", "summary", "episode", "reflection", "custom"]);

const large = { message: `is over ${limits.recordBytes} bytes`, params: { large: true } };

const recordFields = z.strictObject({
  text: wellFormed.refine((text) => bytesOf(text) <= limits.recordBytes, large),
  value: json.refine((value) => bytesOf(JSON.stringify(value)) <= limits.recordBytes, large).exactOptional(),
  externalId: keyed(1_024, 1_200).exactOptional(),
  namespace: namespacePath.exactOptional(),
  kind: kind.exactOptional(),
  metadata: metadata.exactOptional(),
  evidence: z.array(name).max(1_000).exactOptional(),
  confidence: z.number().min(0).max(1).exactOptional(),
  author: name.exactOptional(),
  actor: name.exactOptional(),
  subject: name.exactOptional(),
  validFrom: instant.exactOptional(),
  validTo: instant.exactOptional(),
  expiresAt: instant.exactOptional(),
});
const said = ({ text, value }: { readonly text?: string; readonly value?: Json }): boolean =>
  text !== "" || value !== undefined;
const newRecord = recordFields.refine(said, "has neither words nor a value");
const recordChanges = z.strictObject({
  ...Object.fromEntries(Object.entries(recordFields.shape).map(([field, type]) => [field, z.exactOptional(type)])),
  version: z.int().min(1).exactOptional(),
}) as z.ZodType<RecordChanges>;
const externalReference = z.strictObject({
  namespace: namespacePath.exactOptional(),
  externalId: keyed(1_024, 1_200),
});

/** Throws `MEMORY_INVALID` with what is wrong and where, never with the value itself. */
export function parse<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issues = result.error.issues.slice(0, 5).map(({ path, message }) => `${path.join(".") || "it"}: ${message}`);
  const large = result.error.issues.some((issue) => issue.code === "custom" && issue.params?.large === true);
  throw new MemoryError(
    large ? "MEMORY_TOO_LARGE" : "MEMORY_INVALID",
    `This ${what} cannot be taken. ${issues.join("; ")}.`,
  );
}

const scopeSchema = z.object({ tenant: name, memory: name });

export const scopeOf = (context: CallContext, memory: string): Scope =>
  parse(scopeSchema, { tenant: context?.principal?.tenant, memory }, "scope");

const idempotencyKey = keyed(1_024, 2_048);

/** Where a call's idempotency key is kept; `undefined` when it has none. */
export const onceOf = (context: CallContext, what: "event" | "record"): string | undefined =>
  context.idempotencyKey === undefined
    ? undefined
    : keys.once(`${what} ${parse(idempotencyKey, context.idempotencyKey, "idempotency key")}`);

export const parseBranch = (value: BranchKey): Required<BranchKey> => ({
  branch: "main",
  ...parse(branch, value, "branch"),
});

export const parseRecord = (value: NewRecord): NewRecord => parse(newRecord, value, "record");

export const parseChanges = (value: RecordChanges): RecordChanges => parse(recordChanges, value, "change");

export const parseId = (value: string): string => parse(keyed(1_024, 2_048), value, "id");

/** The key under which the place of a record is found. */
export function parseReference(value: RecordReference): string {
  if (typeof value === "string") return keys.id(parseId(value));
  const { namespace = "/", externalId } = parse(externalReference, value, "reference");
  return externalKey(namespace, externalId);
}

export interface ParsedEvent extends Required<BranchKey> {
  readonly items: readonly EventItem[];
  readonly metadata: Metadata;
  readonly at?: number;
  readonly expiresAt?: number;
}

export function parseEvent(value: NewEvent | Turn): ParsedEvent {
  if (typeof value !== "object" || value === null) throw new MemoryError("MEMORY_INVALID", "An event is an object.");
  const { role, text, speaker, ...rest } = value as Turn;
  const long =
    "items" in value
      ? value
      : { ...rest, items: [turnItem({ role, text, ...(speaker === undefined ? {} : { speaker }) })] };
  refuseLarge(long.items);
  const parsed = parse(newEvent, long, "event");
  return { metadata: {}, branch: "main", ...parsed };
}

const turnItem = (turn: object): EventItem => ({ type: "conversational", ...turn }) as EventItem;

function refuseLarge(items: readonly EventItem[]): void {
  let total = 0;
  for (const each of Array.isArray(items) ? items : []) {
    const bytes = bytesOf(written(each));
    total += bytes;
    if (bytes > limits.itemBytes) throw tooLarge("An item of the event", bytes, limits.itemBytes);
  }
  if (total > limits.eventBytes) throw tooLarge("The event", total, limits.eventBytes);
}

/** What is no JSON at all, the parser says. */
function written(value: unknown): string {
  try {
    return JSON.stringify(value) ?? "";
  } catch {
    return "";
  }
}

/** A cursor leads on within the range that it was made in, and nowhere else. */
export function parseCursor(
  cursor: string | undefined,
  { from, to }: { readonly from: string; readonly to: string },
): string {
  if (cursor === undefined) return from;
  if (typeof cursor === "string" && cursor >= from && cursor < to) return `${cursor}!`;
  throw new MemoryError("MEMORY_INVALID", "This cursor is of another list: give back the one that this list returned.");
}

export const tooLarge = (what: string, found: number, most: number): MemoryError =>
  new MemoryError(
    "MEMORY_TOO_LARGE",
    `${what} has ${found} bytes; at most ${most} are taken. Split it, or keep it elsewhere and remember where.`,
  );
