import type { SqliteDatabase, SqliteStatement } from "../internal/sqlite.ts";
import type { Posting } from "../memory-store.ts";
import type { Changes } from "./changes.ts";

/** Most scopes whose waiting postings are kept in memory; the one read longest ago goes first. */
const MOST_SCOPES = 256;

interface Row {
  /** `term, document, frequency, length`, again and again. */
  readonly postings: string;
}

/** Postings by term, in the order in which they were made. */
export class Waiting {
  readonly #terms = new Map<string, Map<number, readonly [frequency: number, length: number] | undefined>>();

  set(term: string, document: number, found: readonly [frequency: number, length: number] | undefined): void {
    const documents = this.#terms.get(term);
    if (documents === undefined) this.#terms.set(term, new Map([[document, found]]));
    else documents.set(document, found);
  }

  of(term: string): Changes | undefined {
    return this.#terms.get(term);
  }

  byTerm(): [string, Changes][] {
    return [...this.#terms].sort(([a], [b]) => (a < b ? -1 : 1));
  }
}

/** What commits posted since the lists of their scope were sorted, a row for each commit, numbered from 1. */
export class WaitingPostings {
  readonly #add: SqliteStatement;
  readonly #rows: SqliteStatement;
  readonly #clear: SqliteStatement;
  readonly #kept = new Map<number, { sorted: number; count: number; readonly waiting: Waiting }>();

  constructor(database: SqliteDatabase) {
    this.#add = database.prepare("INSERT INTO memory_waiting VALUES (?, ?, ?)");
    this.#rows = database.prepare("SELECT postings FROM memory_waiting WHERE scope = ? AND number > ? ORDER BY number");
    this.#clear = database.prepare("DELETE FROM memory_waiting WHERE scope = ?");
  }

  add(scope: number, number: number, post: readonly Posting[]): void {
    const postings: (string | number)[] = [];
    for (const { term, document, frequency, length } of post) postings.push(term, document, frequency, length);
    this.#add.run(scope, number, JSON.stringify(postings));
  }

  /** All of them, which wait no longer. */
  take(scope: number): Waiting {
    const waiting = this.#read(scope, 0, new Waiting());
    this.#clear.run(scope);
    return waiting;
  }

  /** Rows stand until they are sorted into lists: only new ones are read. */
  kept(scope: number, now: { readonly waiting: number; readonly sorted: number }): Waiting | undefined {
    const known = this.#kept.get(scope);
    if (now.waiting === 0) {
      this.#kept.delete(scope);
      return undefined;
    }
    const kept = known?.sorted === now.sorted ? known : { sorted: now.sorted, count: 0, waiting: new Waiting() };
    if (kept.count < now.waiting) this.#read(scope, kept.count, kept.waiting);
    kept.count = now.waiting;
    this.#kept.delete(scope);
    this.#kept.set(scope, kept);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > MOST_SCOPES && oldest !== undefined) this.#kept.delete(oldest);
    return kept.waiting;
  }

  /** Rows after the one given, into what is known of those before. */
  #read(scope: number, after: number, into: Waiting): Waiting {
    for (const { postings } of this.#rows.all(scope, after) as Row[]) {
      const list = JSON.parse(postings) as (string | number)[];
      for (let at = 0; at < list.length; at += 4) {
        into.set(list[at] as string, list[at + 1] as number, [list[at + 2] as number, list[at + 3] as number]);
      }
    }
    return into;
  }
}
