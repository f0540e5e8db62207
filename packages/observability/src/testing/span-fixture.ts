import type { SpanRecord } from "../span-record.ts";

/** A finished span with the given parts; the rest is made up, alike each time. */
export function spanFixture(parts: Partial<SpanRecord> = {}): SpanRecord {
  return {
    traceId: "0af7651916cd43dd8448eb211c80319c",
    spanId: "b7ad6b7169203331",
    name: "chat example-model",
    kind: "client",
    startAt: Date.UTC(2026, 0, 1),
    endAt: Date.UTC(2026, 0, 1) + 120,
    status: "unset",
    scope: "ashlar.example",
    service: "example",
    attributes: {},
    ...parts,
  };
}

/** Hexadecimal identifiers that a test can foresee: `traceIdOf(1)` ends in `01`. */
export const traceIdOf = (number: number): string => number.toString(16).padStart(32, "0");
export const spanIdOf = (number: number): string => number.toString(16).padStart(16, "0");
