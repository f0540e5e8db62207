import type { PostingList } from "../memory-store.ts";

/** Most numbers of all lists together: some 16 MB. */
const CAPACITY = 2_000_000;

interface Kept {
  readonly version: number;
  readonly list: PostingList;
}

/** Lists that were read, each good for as long as its scope's version stands still. */
export class PostingCache {
  readonly #kept = new Map<string, Kept>();
  #size = 0;

  /** `version` must have been read in the same transaction in which `read` reads. */
  list(scope: number, term: string, version: number, read: () => PostingList): PostingList {
    const name = `${scope} ${term}`;
    const kept = this.#kept.get(name);
    if (kept?.version === version) return kept.list;
    const list = read();
    this.#forget(name, kept);
    this.#kept.set(name, { version, list });
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
