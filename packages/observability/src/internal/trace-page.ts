import { ObservabilityError } from "../errors.ts";

export interface TracePosition {
  readonly startAt: number;
  readonly traceId: string;
}

const invalid = (text: string): ObservabilityError => new ObservabilityError("OBSERVABILITY_INVALID", text);

export function limitOf(
  limit: number | undefined,
  { usual, most }: { readonly usual: number; readonly most: number },
): number {
  if (limit === undefined) return usual;
  if (!Number.isInteger(limit) || limit < 1 || limit > most) {
    throw invalid(`A limit is a whole number from 1 to ${most}; this one is ${limit}.`);
  }
  return limit;
}

export const encodePosition = ({ startAt, traceId }: TracePosition): string =>
  Buffer.from(JSON.stringify([startAt, traceId])).toString("base64url");

export function decodePosition(cursor: string): TracePosition {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(cursor, "base64url").toString("utf8"));
    if (Array.isArray(parsed) && typeof parsed[0] === "number" && typeof parsed[1] === "string") {
      return { startAt: parsed[0], traceId: parsed[1] };
    }
  } catch {
    // Falls through: whatever it was, it is no cursor of ours.
  }
  throw invalid("This cursor was not made by a trace store: pass the one of the page before, or none.");
}
