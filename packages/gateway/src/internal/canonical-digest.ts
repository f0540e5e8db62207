import { createHash } from "node:crypto";
import type { Json } from "../dialect.ts";

/** SHA-256 in hex; the order of an object's keys makes no difference. */
export const canonicalDigest = (value: Json): string =>
  createHash("sha256")
    .update(JSON.stringify(value, (_, each: unknown) => (isObject(each) ? sorted(each) : each)))
    .digest("hex");

const isObject = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const sorted = (value: object): object =>
  Object.fromEntries(Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1)));
