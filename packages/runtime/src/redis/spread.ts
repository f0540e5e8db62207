import { RuntimeError } from "../errors.ts";

/** What keys begin with: a hash tag each, and so a slot of a Cluster each. */
export function spreading(prefix: string, count: number): readonly string[] {
  if (!Number.isInteger(count) || count < 1 || count > 1024 || /[{}]/.test(prefix)) {
    throw new RuntimeError(
      "RUNTIME_INVALID",
      "Redis keys spread over 1 to 1,024 parts, under a prefix without braces.",
    );
  }
  return Array.from({ length: count }, (_, number) => `${prefix}{${number}}:`);
}

/** FNV-1a over the name's bytes: where a name belongs must never change. */
export function spread<T>(over: readonly T[], name: string): T {
  let value = 0x811c9dc5;
  for (const byte of Buffer.from(name)) value = Math.imul(value ^ byte, 0x01000193) >>> 0;
  return over[value % over.length] as T;
}
