import type { PostingList } from "../memory-store.ts";

/** Most numbers of all lists together: some 16 MB. */
const CAPACITY = 2_000_000;

interface Kept {
  readonly sorted: number;
  readonly list: PostingList;
}

/** Lists that were read, each good for as long as its scope's lists stand still. */
export class ListCache {
  readonly #kept = new Map<string, Kept>();
  #size = 0;

  /** `sorted` must have been read in the same transaction in which `read` reads. */
  list(scope: number, term: string, sorted: number, read: () => PostingList): PostingList {
    const name = `${scope} ${term}`;
    const kept = this.#kept.get(name);
    if (kept?.sorted === sorted) return kept.list;
    const list = read();
    this.#forget(name, kept);
    this.#kept.set(name, { sorted, list });
    this.#size += list.length + 1;
    for (const [oldest, each] of this.#kept) {
      if (this.#size <= CAPACITY) break;
      this.#forget(oldest, each);
    }
    return list;
  }

  #forget(name: string, kept: Kept | undefined): void {
    if (kept === undefined) return;
    this.#kept.delete(name);
    this.#size -= kept.list.length + 1;
  }
}
