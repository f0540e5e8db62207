import type { Batch } from "../memory-store.ts";

/** One batch that does what all of them do; no two may touch the same key. */
export function merge(...batches: readonly Batch[]): Batch {
  return {
    expect: batches.flatMap(({ expect = [] }) => expect),
    delete: batches.flatMap((batch) => batch.delete ?? []),
    put: batches.flatMap(({ put = [] }) => put),
    add: batches.flatMap(({ add = [] }) => add),
    unpost: batches.flatMap(({ unpost = [] }) => unpost),
    post: batches.flatMap(({ post = [] }) => post),
  };
}
