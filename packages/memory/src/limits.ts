/** Sizes are bytes of UTF-8, counts are items. Over a limit a call is refused with `MEMORY_TOO_LARGE`. */
export interface Limits {
  readonly itemBytes: number;
  readonly eventBytes: number;
  readonly recordBytes: number;
  readonly documentBytes: number;
  readonly metadataBytes: number;
  readonly queryBytes: number;
  readonly batchItems: number;
}

export const limits: Limits = {
  itemBytes: 100_000,
  eventBytes: 10_000_000,
  recordBytes: 100_000,
  documentBytes: 1_000_000,
  metadataBytes: 16_384,
  queryBytes: 16_384,
  batchItems: 500,
};
