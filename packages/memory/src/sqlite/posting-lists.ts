import type { SqliteDatabase } from "../internal/sqlite.ts";
import type { Batch, PostingList } from "../memory-store.ts";
import { type Changes, joined, revise } from "./changes.ts";
import { ListCache } from "./list-cache.ts";
import { plucked } from "./plucked.ts";
import { Waiting, WaitingPostings } from "./waiting-postings.ts";

/** Commits that may wait; also the most that a first search of a scope reads beside its lists. */
const MOST_WAITING = 64;
/** A commit that posts more does not wait: it pays for its pages by itself. */
const MOST_POSTINGS = 512;

interface State {
  readonly waiting: number;
  readonly sorted: number;
}

/** The inverted index in SQLite: lists in pieces, and what waits to become pieces. */
export class PostingLists {
  readonly #statements: Statements;
  readonly #waiting: WaitingPostings;
  readonly #cache = new ListCache();

  constructor(database: SqliteDatabase) {
    this.#statements = prepare(database);
    this.#waiting = new WaitingPostings(database);
  }

  /** Part of a commit. */
  write(scope: number, { unpost = [], post = [] }: Pick<Batch, "unpost" | "post">): void {
    if (unpost.length === 0 && post.length === 0) return;
    if (unpost.length === 0 && post.length <= MOST_POSTINGS) {
      const waiting = this.#statements.wait.get(scope) as number;
      this.#waiting.add(scope, waiting, post);
      if (waiting >= MOST_WAITING) this.#sort(scope, this.#waiting.take(scope));
      return;
    }
    const waiting = this.#waiting.take(scope);
    if (unpost.length > 0) {
      this.#sort(scope, waiting);
      const gone = new Waiting();
      for (const { term, document } of unpost) gone.set(term, document, undefined);
      for (const [term, documents] of gone.byTerm()) this.#remove(scope, term, documents);
    }
    const posted = unpost.length > 0 ? new Waiting() : waiting;
    for (const { term, document, frequency, length } of post) posted.set(term, document, [frequency, length]);
    this.#sort(scope, posted);
  }

  /** Part of a read. */
  read(scope: number, terms: readonly string[]): PostingList[] {
    const state = this.#statements.state.get(scope) as State;
    const waiting = this.#waiting.kept(scope, state);
    return terms.map((term) => {
      const list = this.#cache.list(scope, term, state.sorted, () => this.#list(scope, term));
      const changes = waiting?.of(term);
      return changes === undefined ? list : revise(list, changes);
    });
  }

  #list(scope: number, term: string): PostingList {
    const pieces = this.#statements.list.all(scope, term);
    return pieces.length === 0 ? [] : joined(JSON.parse(`[${pieces.join()}]`) as number[]);
  }

  /** A piece for each term, after those that it has. */
  #sort(scope: number, posted: Waiting): void {
    const number = this.#statements.sorted.get(scope);
    for (const [term, documents] of posted.byTerm()) {
      this.#statements.put.run(scope, term, number, revise([], documents).join());
    }
  }

  #remove(scope: number, term: string, documents: Changes): void {
    const { pieces, put, remove } = this.#statements;
    for (const { number, list } of pieces.all(scope, term) as { number: number; list: string }[]) {
      const before = JSON.parse(`[${list}]`) as number[];
      const left = revise(before, documents);
      if (left.length === 0) remove.run(scope, term, number);
      else if (left.length < before.length) put.run(scope, term, number, left.join());
    }
  }
}

type Statements = ReturnType<typeof prepare>;

function prepare(database: SqliteDatabase) {
  const pluck = (source: string) => plucked(database, source);
  return {
    state: database.prepare("SELECT waiting, sorted FROM memory_scopes WHERE id = ?"),
    wait: pluck("UPDATE memory_scopes SET waiting = waiting + 1 WHERE id = ? RETURNING waiting"),
    sorted: pluck("UPDATE memory_scopes SET waiting = 0, sorted = sorted + 1 WHERE id = ? RETURNING sorted"),
    list: pluck("SELECT list FROM memory_lists WHERE scope = ? AND term = ? ORDER BY number"),
    pieces: database.prepare("SELECT number, list FROM memory_lists WHERE scope = ? AND term = ?"),
    put: database.prepare("INSERT OR REPLACE INTO memory_lists VALUES (?, ?, ?, ?)"),
    remove: database.prepare("DELETE FROM memory_lists WHERE scope = ? AND term = ? AND number = ?"),
  };
}
