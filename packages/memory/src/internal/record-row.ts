import type { AsOf, MemoryRecord } from "../record.ts";
import type { Indexed } from "./indexing.ts";

/** A record as it is stored. */
export interface RecordRow extends MemoryRecord {
  readonly ordinal: number;
  readonly once?: string;
  /** What `validTo` said before a successor ended it. */
  readonly statedValidTo?: number;
}

export const recordOf = ({ ordinal, once, statedValidTo, ...record }: RecordRow): MemoryRecord => record;

export const recordIndexing = ({ ordinal, text }: RecordRow): Indexed => ({
  source: "records",
  group: 0,
  position: ordinal,
  text,
  context: "",
});

/**
 * Whether a record is the truth that is asked for. One that was superseded still tells of the past: it holds for a
 * `validAt` before its successor began, but never for now. Where no instant is asked for everything counts that was
 * recorded, so that a clock that steps back neither hides a record nor brings an old one back.
 */
export function holds(row: RecordRow, { asOf, validAt }: AsOf, now: number): boolean {
  const known = asOf ?? Number.POSITIVE_INFINITY;
  if (row.recordedAt > known || (row.expiresAt !== undefined && row.expiresAt <= (asOf ?? now))) return false;
  const at = validAt ?? asOf ?? Math.max(now, row.recordedAt);
  const superseded = row.supersededAt !== undefined && row.supersededAt <= known;
  if (superseded && (row.supersededBy === undefined || (validAt ?? Number.POSITIVE_INFINITY) >= row.supersededAt)) {
    return false;
  }
  const validTo = superseded || row.supersededAt === undefined ? row.validTo : row.statedValidTo;
  return row.validFrom <= at && (validTo === undefined || at < validTo);
}

/** The record as it was known at `asOf`: what happened to it later is left out. */
export function knownAt(row: RecordRow, asOf: number = Number.POSITIVE_INFINITY): MemoryRecord {
  if (row.supersededAt === undefined || row.supersededAt <= asOf) return recordOf(row);
  const { supersededAt, supersededBy, validTo, ...record } = recordOf(row);
  return {
    ...record,
    version: row.version - 1,
    ...(row.statedValidTo === undefined ? {} : { validTo: row.statedValidTo }),
  };
}
