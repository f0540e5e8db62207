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
 * `validAt` before its successor began, but never for now.
 */
export function holds(row: RecordRow, { asOf, validAt = asOf }: Required<Pick<AsOf, "asOf">> & AsOf): boolean {
  if (row.recordedAt > asOf || (row.expiresAt !== undefined && row.expiresAt <= asOf)) return false;
  const superseded = row.supersededAt !== undefined && row.supersededAt <= asOf;
  if (superseded && (row.supersededBy === undefined || validAt >= (row.supersededAt as number))) return false;
  const validTo = superseded ? row.validTo : row.supersededAt === undefined ? row.validTo : row.statedValidTo;
  return row.validFrom <= validAt && (validTo === undefined || validAt < validTo);
}

/** The record as it was known at `asOf`: what happened to it later is left out. */
export function knownAt(row: RecordRow, asOf: number): MemoryRecord {
  if (row.supersededAt === undefined || row.supersededAt <= asOf) return recordOf(row);
  const { supersededAt, supersededBy, validTo, ...record } = recordOf(row);
  return {
    ...record,
    version: row.version - 1,
    ...(row.statedValidTo === undefined ? {} : { validTo: row.statedValidTo }),
  };
}
