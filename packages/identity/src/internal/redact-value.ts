/** Bytes without what must go, or `undefined` when nothing must. */
export type RedactBytes = (bytes: Uint8Array) => Uint8Array | undefined;

/**
 * Walks a value and returns it without secrets: the same object where nothing had to change, else a copy of the same
 * shape. Keys are values too. Errors keep their class; their message, stack, cause and own properties are cleaned.
 */
export function redactValue<T>(value: T, redact: RedactBytes): T {
  return walk(value, redact, new Map()) as T;
}

function walk(value: unknown, redact: RedactBytes, seen: Map<object, unknown>): unknown {
  if (typeof value === "string") return text(value, redact);
  if (typeof value !== "object" || value === null) return value;
  if (seen.has(value)) return seen.get(value);
  seen.set(value, value);
  const cleaned = clean(value, redact, (inner) => walk(inner, redact, seen));
  seen.set(value, cleaned);
  return cleaned;
}

function clean(value: object, redact: RedactBytes, inner: (value: unknown) => unknown): unknown {
  if (value instanceof Uint8Array) return redact(value) ?? value;
  if (value instanceof ArrayBuffer) return redact(new Uint8Array(value))?.slice().buffer ?? value;
  if (value instanceof URL) {
    const href = text(value.href, redact);
    return href === value.href ? value : href;
  }
  if (Array.isArray(value)) return same(value, value.map(inner)) ? value : value.map(inner);
  if (value instanceof Headers || value instanceof URLSearchParams) return pairs(value, inner);
  if (value instanceof Map) {
    const entries = [...value].flat();
    const cleaned = entries.map(inner);
    return same(entries, cleaned) ? value : new Map([...value].map(([key, of]) => [inner(key), inner(of)]));
  }
  if (value instanceof Set) {
    const entries = [...value];
    const cleaned = entries.map(inner);
    return same(entries, cleaned) ? value : new Set(cleaned);
  }
  return value instanceof Error ? error(value, inner) : record(value, inner);
}

function error(value: Error, inner: (value: unknown) => unknown): Error {
  const names = Object.getOwnPropertyNames(value) as (keyof Error)[];
  const before = names.map((name) => value[name]);
  const after = before.map(inner);
  if (same(before, after)) return value;
  const copy = Object.create(Object.getPrototypeOf(value)) as Error;
  for (const [index, name] of names.entries()) {
    const { enumerable = false } = Object.getOwnPropertyDescriptor(value, name) ?? {};
    Object.defineProperty(copy, name, { value: after[index], enumerable, writable: true, configurable: true });
  }
  return copy;
}

function record(value: object, inner: (value: unknown) => unknown): object {
  const before = Object.entries(value).flat();
  const after = before.map(inner);
  if (same(before, after)) return value;
  const entries = Array.from({ length: after.length / 2 }, (_, index) => [after[2 * index], after[2 * index + 1]]);
  return Object.assign(Object.create(Object.getPrototypeOf(value)), Object.fromEntries(entries));
}

function pairs<T extends Headers | URLSearchParams>(value: T, inner: (value: unknown) => unknown): T {
  const before = [...value];
  const after = before.map((pair) => pair.map((each) => inner(each) as string) as [string, string]);
  if (same(before.flat(), after.flat())) return value;
  return new (value.constructor as new (entries: [string, string][]) => T)(after);
}

function text(value: string, redact: RedactBytes): string {
  const bytes = redact(Buffer.from(value, "utf8"));
  return bytes === undefined ? value : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
}

const same = (before: readonly unknown[], after: readonly unknown[]): boolean =>
  before.every((value, index) => Object.is(value, after[index]));
