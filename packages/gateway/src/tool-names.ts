import { createHash } from "node:crypto";

/** Between a target's name and a tool's, as in `tickets___refund`. */
export const SEPARATOR = "___";
export const MAX_NAME = 64;

/** `target___tool` in the characters and the length that every model's API takes; a cut name ends in a digest of the whole. */
export function prefixedName(target: string, tool: string): string {
  const name = `${target}${SEPARATOR}${tool}`;
  return safeName(name);
}

/** The name itself if it is at most 64 of `A-Z a-z 0-9 _ -`; else made so, still telling different names apart. */
export function safeName(name: string): string {
  const plain = name.replaceAll(/[^A-Za-z0-9_-]/g, "_");
  if (plain === name && name.length <= MAX_NAME) return name;
  const digest = createHash("sha256").update(name).digest("hex").slice(0, 8);
  return `${plain.slice(0, MAX_NAME - digest.length - 1)}_${digest}`;
}

export const isTargetName = (name: string): boolean => /^[A-Za-z0-9_-]{1,32}$/.test(name) && !name.includes(SEPARATOR);

export const isAlias = (name: string): boolean => /^[A-Za-z0-9_-]{1,64}$/.test(name) && !name.includes(SEPARATOR);
