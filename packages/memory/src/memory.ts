import { Definitions } from "./definitions.ts";
import type { CallContext, Clock, IdSource } from "./dialect.ts";
import { systemClock, systemIds } from "./dialect.ts";
import { Documents } from "./documents.ts";
import type { Embedder } from "./embedder.ts";
import { MemoryError } from "./errors.ts";
import { Events } from "./events.ts";
import { ExtractionJobs } from "./extraction.ts";
import type { Strategy } from "./extractor.ts";
import { scopeOf } from "./internal/parse.ts";
import { Retrieval } from "./internal/retrieval.ts";
import { COUNT, onRecords } from "./internal/spans.ts";
import { Transactions } from "./internal/transactions.ts";
import { Vectors } from "./internal/vectors.ts";
import { Lifecycle } from "./lifecycle.ts";
import type { MemoryStore } from "./memory-store.ts";
import { defaultRanking, type Ranking } from "./ranking.ts";
import { Records } from "./records.ts";
import { Reflections } from "./reflection.ts";
import type { Reflector } from "./reflector.ts";
import { RuleReflector } from "./rule-reflector.ts";
import type { SearchHit, SearchQuery } from "./search.ts";
import { Transfer } from "./transfer.ts";

export interface MemoryDeps {
  readonly store: MemoryStore;
  /** Default: the system's. */
  readonly clock?: Clock;
  readonly ids?: IdSource;
  readonly ranking?: Partial<Ranking>;
  /** Takes part in the ranking, by reciprocal rank fusion, with what `reembed` has embedded. Default: none. */
  readonly embedder?: Embedder;
  /** Finds what `reflections` propose. Default: rules. */
  readonly reflector?: Reflector;
  /** How records are drawn from events. Default: none are. */
  readonly strategies?: readonly Strategy[];
}

/**
 * What agents remember, in named memories. The scope of every call is the pair of `context.principal.tenant` and the
 * memory's name; nothing in a payload can change it.
 */
export class Memory {
  readonly events: Events;
  readonly records: Records;
  readonly documents: Documents;
  readonly reflections: Reflections;
  readonly extraction: ExtractionJobs;
  readonly lifecycle: Lifecycle;
  readonly transfer: Transfer;
  readonly definitions: Definitions;
  readonly #retrieval: Retrieval;
  readonly #vectors: Vectors | undefined;

  constructor({
    store,
    clock = systemClock,
    ids = systemIds,
    ranking = {},
    strategies = [],
    embedder,
    reflector = new RuleReflector(),
  }: MemoryDeps) {
    const transactions = new Transactions(store);
    this.events = new Events({ store, transactions, clock, ids });
    this.records = new Records({ store, transactions, clock, ids });
    this.documents = new Documents({ store, transactions, clock, ids });
    const { events, records } = this;
    this.reflections = new Reflections({ records, events, reflector });
    this.extraction = new ExtractionJobs({ store, clock, events, records, strategies });
    this.lifecycle = new Lifecycle({ store, transactions, clock, ids });
    this.transfer = new Transfer({ store, ids });
    this.definitions = new Definitions({ store, transactions, clock });
    this.#vectors = embedder === undefined ? undefined : new Vectors({ store, embedder, ids });
    this.#retrieval = new Retrieval({
      store,
      clock,
      ranking: { ...defaultRanking, ...ranking },
      ...(this.#vectors === undefined ? {} : { vectors: this.#vectors }),
    });
  }

  /** The texts that say most about the query, best first. */
  async search(context: CallContext, memory: string, query: SearchQuery): Promise<readonly SearchHit[]> {
    return onRecords("search_memory", scopeOf(context, memory), {}, async (span) => {
      const hits = await this.#retrieval.search(context, memory, query);
      span.setAttribute(COUNT, hits.length);
      return hits;
    });
  }

  /**
   * Embeds the records and events that have no vector of this embedder yet, and returns how many. Ingest never waits
   * for an embedder: call this from a job. May be cut off and called again.
   */
  async reembed(context: CallContext, memory: string): Promise<number> {
    if (this.#vectors === undefined) return 0;
    const scope = scopeOf(context, memory);
    const named = (await this.definitions.get(context, memory))?.embedder;
    if (named !== undefined && named !== this.#vectors.embedderId) {
      throw new MemoryError(
        "MEMORY_CONFLICT",
        `This memory is defined with the embedder ${named}: bind that, or define anew.`,
      );
    }
    const records = await this.#vectors.embed(scope, "records", context.signal);
    return records + (await this.#vectors.embed(scope, "events", context.signal));
  }
}
