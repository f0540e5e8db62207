import type { Entry, MemoryStore, Range, Scope } from "../memory-store.ts";

const PAGE = 500;

/** Every entry of a range, read page by page. */
export async function everything(store: MemoryStore, scope: Scope, range: Omit<Range, "limit">): Promise<Entry[]> {
  const all: Entry[] = [];
  for (let { from } = range; ; ) {
    const entries = await store.scan(scope, { from, to: range.to, limit: PAGE });
    all.push(...entries);
    const last = entries.at(-1);
    if (last === undefined || entries.length < PAGE) return all;
    from = `${last.key}!`;
  }
}
