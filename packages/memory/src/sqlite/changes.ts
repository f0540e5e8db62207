import type { PostingList } from "../memory-store.ts";

/** Of each document: what it is posted with from now on, or `undefined` where it is taken out. */
export type Changes = ReadonlyMap<number, readonly [frequency: number, length: number] | undefined>;

/** The list as it is after the changes. */
export function revise(list: PostingList, changes: Changes): number[] {
  const documents = [...changes.keys()].sort((a, b) => a - b);
  const revised: number[] = [];
  let at = 0;
  for (const document of documents) {
    for (; at < list.length && (list[at] as number) < document; at += 3) {
      revised.push(list[at] as number, list[at + 1] as number, list[at + 2] as number);
    }
    if (list[at] === document) at += 3;
    const found = changes.get(document);
    if (found !== undefined) revised.push(document, found[0], found[1]);
  }
  for (; at < list.length; at++) revised.push(list[at] as number);
  return revised;
}

/** One list of several that stand one after the other: as it is where documents rise, else sorted anew. */
export function joined(list: readonly number[]): PostingList {
  for (let at = 3; at < list.length; at += 3) {
    if ((list[at] as number) > (list[at - 3] as number)) continue;
    const found = new Map<number, readonly [number, number]>();
    for (let each = 0; each < list.length; each += 3) {
      found.set(list[each] as number, [list[each + 1] as number, list[each + 2] as number]);
    }
    return revise([], found);
  }
  return list;
}
