import type { CallContext, Clock } from "../dialect.ts";
import { limits } from "../limits.ts";
import type { MemoryStore, Scope } from "../memory-store.ts";
import type { Explanation, Ranking } from "../ranking.ts";
import type { SearchHit, SearchQuery } from "../search.ts";
import type { BestFirst, Ranked } from "./best-first.ts";
import { Scores } from "./bm25.ts";
import { groupOf, positionOf, textOf } from "./document-number.ts";
import { type EventRow, eventOf, textOfEvent } from "./event-row.ts";
import { meets } from "./filters.ts";
import { fuse } from "./fusion.ts";
import { groupLength, type Source, speakerKey, statisticsOf, termKey } from "./indexing.ts";
import { keys } from "./keys.ts";
import { bytesOf, scopeOf, tooLarge } from "./parse.ts";
import { parseSearch } from "./parse-queries.ts";
import { holds, knownAt, type RecordRow } from "./record-row.ts";
import { termsOf, wordsOf } from "./tokens.ts";
import type { Vectors } from "./vectors.ts";

export interface RetrievalDeps {
  readonly store: MemoryStore;
  readonly clock: Clock;
  readonly ranking: Ranking;
  readonly vectors?: Vectors;
}

const MOST_TERMS = 64;
const PAGE = 64;
/** Rows read beyond those wanted, since some turn out to be history. */
const SPARE = 3;
/** How far down two rankings are fused at first; further when too few of those are what was asked for. */
const DEPTH = 100;

interface Order {
  readonly ranked: BestFirst;
  explain(text: number): Explanation;
}

/** Ranks, then reads rows best first until enough of them are what was asked for. */
export class Retrieval {
  readonly #deps: RetrievalDeps;

  constructor(deps: RetrievalDeps) {
    this.#deps = deps;
  }

  async search(context: CallContext, memory: string, query: SearchQuery): Promise<readonly SearchHit[]> {
    const scope = scopeOf(context, memory);
    const { text, topK = 10, sources = ["records", "events"] } = parseSearch(query);
    if (bytesOf(text) > limits.queryBytes) throw tooLarge("The query", bytesOf(text), limits.queryBytes);
    const lists = await Promise.all(sources.map((source) => this.#source(scope, source, query, topK, context.signal)));
    return interleave(lists).slice(0, topK);
  }

  async #source(
    scope: Scope,
    source: Source,
    query: SearchQuery,
    topK: number,
    signal: AbortSignal | undefined,
  ): Promise<readonly SearchHit[]> {
    const terms = [...new Set(termsOf(query.text))].slice(0, MOST_TERMS);
    const { vectors } = this.#deps;
    if (terms.length === 0 && vectors === undefined) return [];
    const lexical = await (source === "events"
      ? this.#rankEvents(scope, terms, query.text)
      : this.#rankRecords(scope, terms));
    const near = await vectors?.near(scope, source, query.text, signal);
    const chosen = near === undefined ? undefined : { lexical: [] as Ranked[], near: [] as Ranked[] };
    const rows = new Map<number, string | undefined>();
    for (;;) {
      if (chosen !== undefined && near !== undefined) {
        const deeper = Math.max(DEPTH, 3 * chosen.near.length);
        chosen.lexical.push(...lexical.ranked.take(deeper));
        chosen.near.push(...near.take(deeper));
      }
      const ranked = chosen === undefined ? lexical.ranked : fuse(chosen.lexical, chosen.near);
      const hits = await this.#hits(scope, source, query, { ranked, topK, rows });
      const exhausted = near === undefined || near.left + lexical.ranked.left === 0;
      if (hits.length < topK && !exhausted) continue;
      if (query.explain !== true) return hits.map(({ hit }) => hit);
      const ranks = new Map(chosen?.near.map(({ text }, rank) => [text, { vectorRank: rank + 1 }]));
      return hits.map(({ hit, text }) => ({ ...hit, explanation: { ...lexical.explain(text), ...ranks.get(text) } }));
    }
  }

  /** Reads rows best first until enough of them are what was asked for. */
  async #hits(
    scope: Scope,
    source: Source,
    query: SearchQuery,
    {
      ranked,
      topK,
      rows,
    }: { readonly ranked: BestFirst; readonly topK: number; readonly rows: Map<number, string | undefined> },
  ): Promise<readonly { readonly text: number; readonly hit: SearchHit }[]> {
    const hits: { text: number; hit: SearchHit }[] = [];
    while (hits.length < topK && ranked.left > 0) {
      const page = ranked.take(Math.min(PAGE, topK - hits.length + SPARE));
      const unread = page.filter(({ text }) => !rows.has(text));
      const { values } = await this.#deps.store.read(scope, {
        keys: unread.map(({ text }) =>
          source === "events" ? keys.event(groupOf(text), positionOf(text)) : keys.record(positionOf(text)),
        ),
      });
      unread.forEach(({ text }, index) => {
        rows.set(text, values[index]);
      });
      for (const each of page) {
        const value = rows.get(each.text);
        if (value === undefined || hits.length >= topK) continue;
        const hit = source === "events" ? this.#event(value, each, query) : this.#record(value, each, query);
        if (hit !== undefined) hits.push({ text: each.text, hit });
      }
    }
    return hits;
  }

  async #rankEvents(scope: Scope, terms: readonly string[], text: string): Promise<Order> {
    const words = [...new Set(wordsOf(text))].slice(0, MOST_TERMS);
    const found = await this.#deps.store.read(scope, {
      counters: statisticsOf("events"),
      terms: [...terms.map((term) => termKey("events", term)), ...words.map(speakerKey)],
    });
    const [passages = 0, length = 0, sessions = 0] = found.counters;
    const scores = new Scores(
      found.postings.slice(0, terms.length),
      { passages, length, sessions },
      this.#deps.ranking,
    );
    const { groups } = scores;
    const named = found.postings.slice(terms.length).filter((list) => list.length > 0);
    const spoken = named.length === 1 ? new Set(named[0]?.filter((_, at) => at % 3 === 0).map(textOf)) : undefined;
    const { counters: lengths } = await this.#deps.store.read(scope, { counters: groups.map(groupLength) });
    return {
      ranked: scores.rank(lengths, spoken),
      explain: (each) => scores.explain(each, terms, lengths, spoken),
    };
  }

  async #rankRecords(scope: Scope, terms: readonly string[]): Promise<Order> {
    const { counters, postings } = await this.#deps.store.read(scope, {
      counters: statisticsOf("records"),
      terms: terms.map((term) => termKey("records", term)),
    });
    const [passages = 0, length = 0] = counters;
    const alone = { ...this.#deps.ranking, before: 0, after: 0, session: 0 };
    const scores = new Scores(postings, { passages, length, sessions: 1 }, alone);
    return { ranked: scores.rank([], undefined), explain: (each) => scores.explain(each, terms, [], undefined) };
  }

  #event(
    value: string,
    { score }: Ranked,
    { actor, session, validAt, asOf, filters = [] }: SearchQuery,
  ): SearchHit | undefined {
    const row = JSON.parse(value) as EventRow;
    const now = asOf ?? this.#deps.clock.now();
    if (row.expiresAt !== undefined && row.expiresAt <= now) return undefined;
    if (asOf !== undefined && row.recordedAt > asOf) return undefined;
    if (validAt !== undefined && row.at > validAt) return undefined;
    if (actor !== undefined && row.actor !== actor) return undefined;
    if (session !== undefined && row.session !== session) return undefined;
    if (!meets(row, filters)) return undefined;
    const text = textOfEvent(row);
    if (text === "") return undefined;
    return { source: "events", id: row.id, text, score, at: row.at, event: eventOf(row) };
  }

  #record(value: string, { score }: Ranked, query: SearchQuery): SearchHit | undefined {
    const row = JSON.parse(value) as RecordRow;
    const { namespace = "/", kinds, actor, asOf } = query;
    if (!holds(row, query, this.#deps.clock.now())) return undefined;
    if (namespace !== "/" && row.namespace !== namespace && !row.namespace.startsWith(`${namespace}/`))
      return undefined;
    if (kinds !== undefined && !kinds.includes(row.kind)) return undefined;
    if (actor !== undefined && row.actor !== actor) return undefined;
    if (!meets({ ...row, at: row.validFrom }, query.filters ?? [])) return undefined;
    const record = knownAt(row, asOf);
    return { source: "records", id: row.id, text: row.text, score, at: row.validFrom, record };
  }
}

function interleave(lists: readonly (readonly SearchHit[])[]): SearchHit[] {
  const longest = Math.max(0, ...lists.map(({ length }) => length));
  return Array.from({ length: longest }, (_, rank) => lists.flatMap((list) => list[rank] ?? [])).flat();
}
