import type { Batch, Entry } from "../memory-store.ts";
import { indexing, unindexing, withoutVector } from "./indexing.ts";
import { keys } from "./keys.ts";
import { merge } from "./merge.ts";
import { type RecordRow, recordIndexing } from "./record-row.ts";

export const segments = (namespace: string): string[] => namespace.split("/").filter((each) => each !== "");

export const externalKey = (namespace: string, externalId: string): string =>
  keys.external(segments(namespace), externalId);

export const allocation = (next: string | undefined, count: number): Batch =>
  count === 0
    ? {}
    : {
        expect: [{ key: keys.nextRecord, value: next }],
        put: [{ key: keys.nextRecord, value: String(Number(next ?? 0) + count) }],
      };

/** The row and everything that leads to it. */
function entries(row: RecordRow): Entry[] {
  const at = keys.record(row.ordinal);
  return [
    { key: at, value: JSON.stringify(row) },
    { key: keys.id(row.id), value: at },
    { key: keys.namespace(segments(row.namespace), row.ordinal), value: at },
    ...(row.externalId === undefined ? [] : [{ key: externalKey(row.namespace, row.externalId), value: at }]),
    ...(row.once === undefined ? [] : [{ key: row.once, value: row.id }]),
    ...(row.actor === undefined ? [] : [{ key: keys.about(row.actor, row.ordinal), value: at }]),
    ...(row.expiresAt === undefined ? [] : [{ key: keys.expiry(row.expiresAt, row.id), value: at }]),
  ];
}

const unchanged = (row: RecordRow): Required<Pick<Batch, "expect">> => ({
  expect: [{ key: keys.record(row.ordinal), value: JSON.stringify(row) }],
});

export function placing(row: RecordRow): Batch {
  const once = row.once === undefined ? {} : { expect: [{ key: row.once, value: undefined }] };
  return merge({ ...once, put: entries(row) }, indexing(recordIndexing(row)));
}

export function removing(row: RecordRow): Batch {
  const at = keys.record(row.ordinal);
  return merge(
    {
      expect: [{ key: keys.id(row.id), value: at }],
      delete: entries(row).map(({ key }) => key),
    },
    withoutVector("records", row.ordinal),
    unindexing(recordIndexing(row)),
  );
}

/** In place: index and vector follow the text. */
export function updating(old: RecordRow, changed: RecordRow): Batch {
  const moved = { ...unchanged(old), delete: entries(old).map(({ key }) => key), put: entries(changed) };
  if (old.text === changed.text) return moved;
  return merge(
    moved,
    withoutVector("records", old.ordinal),
    unindexing(recordIndexing(old)),
    indexing(recordIndexing(changed)),
  );
}

/** Of a record that ends only history is left: the caller's name for it is free again. */
export function ending(
  old: RecordRow,
  at: number,
  end: Partial<RecordRow> = {},
): readonly [row: RecordRow, batch: Batch] {
  const { externalId, ...kept } = old;
  const ended: RecordRow = {
    ...kept,
    ...(old.validTo === undefined ? {} : { statedValidTo: old.validTo }),
    ...end,
    supersededAt: at,
    version: old.version + 1,
  };
  const batch: Batch = {
    ...unchanged(old),
    delete: externalId === undefined ? [] : [externalKey(old.namespace, externalId)],
    put: [{ key: keys.record(old.ordinal), value: JSON.stringify(ended) }],
  };
  return [ended, batch];
}

export const closing = (old: RecordRow, next: RecordRow, at: number = next.recordedAt): Batch =>
  ending(old, at, {
    validTo: Math.min(old.validTo ?? next.validFrom, next.validFrom),
    supersededBy: next.id,
  })[1];
