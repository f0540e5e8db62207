import type { CallContext, Clock, IdSource } from "./dialect.ts";
import { systemClock, systemIds } from "./dialect.ts";
import { Documents } from "./documents.ts";
import { Events } from "./events.ts";
import { ExtractionJobs } from "./extraction.ts";
import type { Strategy } from "./extractor.ts";
import { Retrieval } from "./internal/retrieval.ts";
import { Transactions } from "./internal/transactions.ts";
import { Lifecycle } from "./lifecycle.ts";
import type { MemoryStore } from "./memory-store.ts";
import { defaultRanking, type Ranking } from "./ranking.ts";
import { Records } from "./records.ts";
import { Reflections } from "./reflection.ts";
import type { SearchHit, SearchQuery } from "./search.ts";
import { Transfer } from "./transfer.ts";

export interface MemoryDeps {
  readonly store: MemoryStore;
  /** Default: the system's. */
  readonly clock?: Clock;
  readonly ids?: IdSource;
  readonly ranking?: Partial<Ranking>;
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
  readonly #retrieval: Retrieval;

  constructor({ store, clock = systemClock, ids = systemIds, ranking = {}, strategies = [] }: MemoryDeps) {
    const transactions = new Transactions(store);
    this.events = new Events({ store, transactions, clock, ids });
    this.records = new Records({ store, transactions, clock, ids });
    this.documents = new Documents({ store, transactions, clock, ids });
    const { events, records } = this;
    this.reflections = new Reflections({ records });
    this.extraction = new ExtractionJobs({ store, clock, events, records, strategies });
    this.lifecycle = new Lifecycle({ store, transactions, clock, ids });
    this.transfer = new Transfer(store);
    this.#retrieval = new Retrieval({ store, clock, ranking: { ...defaultRanking, ...ranking } });
  }

  /** The texts that say most about the query, best first. */
  search(context: CallContext, memory: string, query: SearchQuery): Promise<readonly SearchHit[]> {
    return this.#retrieval.search(context, memory, query);
  }
}
