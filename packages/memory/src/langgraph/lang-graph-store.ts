// biome-ignore-all lint/suspicious/noExplicitAny: LangGraph's own signatures say so.
import type { CallContext, Json, Principal } from "../dialect.ts";
import { MemoryError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { Memory } from "../memory.ts";
import type { MemoryRecord, RecordOperation } from "../record.ts";
import type {
  GetOperation,
  Item,
  ListNamespacesOperation,
  Operation,
  OperationResults,
  PutOperation,
  SearchItem,
  SearchOperation,
} from "./base-store.ts";
import { meets } from "./filter.ts";
import { textsAt } from "./texts.ts";

export interface LangGraphStoreDeps {
  readonly memory: Memory;
  /** The memory's name. */
  readonly name: string;
  /** On whose behalf: one store a tenant. */
  readonly principal: Principal;
  /** Paths of the texts to search, where a `put` names none. Default `["$"]`: every text of the value. */
  readonly fields?: readonly string[];
}

const PAGE = 1_000;

/**
 * A memory as LangGraph's `BaseStore`: an item is a record whose external id is its key. A search gives what shares words
 * with the query, or is near it where the memory has an embedder, and never fills up with the rest. Within one `batch`
 * reads see what was there before its puts; puts are one commit for every 500.
 */
export class LangGraphStore {
  readonly #memory: Memory;
  readonly #name: string;
  readonly #context: CallContext;
  readonly #fields: readonly string[];

  constructor({ memory, name, principal, fields = ["$"] }: LangGraphStoreDeps) {
    this.#memory = memory;
    this.#name = name;
    this.#context = { principal };
    this.#fields = fields;
  }

  async batch<Operations extends Operation[]>(operations: Operations): Promise<OperationResults<Operations>> {
    const results: unknown[] = [];
    const puts = new Map<string, PutOperation>();
    for (const operation of operations) {
      if ("namespacePrefix" in operation) results.push(await this.#search(operation));
      else if ("value" in operation) {
        puts.set(JSON.stringify([operation.namespace, operation.key]), operation);
        results.push(undefined);
      } else if ("key" in operation) results.push(await this.#get(operation));
      else results.push(await this.#namespaces(operation));
    }
    await this.#write([...puts.values()]);
    return results as OperationResults<Operations>;
  }

  async get(namespace: string[], key: string): Promise<Item | null> {
    return this.#get({ namespace, key });
  }

  async search(
    namespacePrefix: string[],
    options: Omit<SearchOperation, "namespacePrefix"> = {},
  ): Promise<SearchItem[]> {
    return this.#search({ namespacePrefix, ...options });
  }

  async put(namespace: string[], key: string, value: Record<string, any>, index?: false | string[]): Promise<void> {
    if (namespace[0] === "langgraph") throw invalid("The root label `langgraph` is reserved.");
    await this.#write([{ namespace, key, value, ...(index === undefined ? {} : { index }) }]);
  }

  async delete(namespace: string[], key: string): Promise<void> {
    await this.#write([{ namespace, key, value: null }]);
  }

  async listNamespaces(
    options: { prefix?: string[]; suffix?: string[]; maxDepth?: number; limit?: number; offset?: number } = {},
  ): Promise<string[][]> {
    const { prefix, suffix, maxDepth, limit = 100, offset = 0 } = options;
    return this.#namespaces({
      matchConditions: [
        ...(prefix === undefined ? [] : [{ matchType: "prefix" as const, path: prefix }]),
        ...(suffix === undefined ? [] : [{ matchType: "suffix" as const, path: suffix }]),
      ],
      ...(maxDepth === undefined ? {} : { maxDepth }),
      limit,
      offset,
    });
  }

  start(): void {}

  stop(): void {}

  async #get({ namespace, key }: GetOperation): Promise<Item | null> {
    const reference = { namespace: pathOf(namespace), externalId: key };
    const record = await this.#memory.records.get(this.#context, this.#name, reference);
    return record === undefined ? null : itemOf(record);
  }

  async #search({
    namespacePrefix,
    filter = {},
    limit = 10,
    offset = 0,
    query,
  }: SearchOperation): Promise<SearchItem[]> {
    const namespace = pathOf(namespacePrefix, true);
    const found: SearchItem[] = [];
    const take = (record: MemoryRecord, score?: number): void => {
      if (record.externalId === undefined) return;
      const item = itemOf(record);
      if (meets(item.value, filter)) found.push({ ...item, ...(score === undefined ? {} : { score }) });
    };
    if (query === undefined || query === "") {
      for (let cursor: string | undefined; ; ) {
        const page = await this.#memory.records.list(this.#context, this.#name, {
          namespace,
          limit: PAGE,
          ...(cursor === undefined ? {} : { cursor }),
        });
        for (const record of page.items) take(record);
        cursor = page.cursor;
        if (cursor === undefined || found.length >= offset + limit) break;
      }
    } else {
      const topK = Object.keys(filter).length === 0 ? Math.min(PAGE, offset + limit) : PAGE;
      const hits = await this.#memory.search(this.#context, this.#name, {
        text: query,
        sources: ["records"],
        namespace,
        topK: Math.max(1, topK),
      });
      for (const hit of hits) if (hit.source === "records") take(hit.record, hit.score);
    }
    return found.slice(offset, offset + limit);
  }

  async #namespaces({ matchConditions = [], maxDepth, limit, offset }: ListNamespacesOperation): Promise<string[][]> {
    const found = new Map<string, string[]>();
    for (let cursor: string | undefined; ; ) {
      const page = await this.#memory.records.namespaces(this.#context, this.#name, {
        limit: PAGE,
        ...(cursor === undefined ? {} : { cursor }),
      });
      for (const path of page.items) {
        const labels = labelsOf(path);
        if (labels.length === 0 || !matchConditions.every((condition) => matches(labels, condition))) continue;
        const cut = labels.slice(0, maxDepth);
        found.set(JSON.stringify(cut), cut);
      }
      cursor = page.cursor;
      if (cursor === undefined) break;
    }
    const sorted = [...found.values()].sort((a, b) => a.join("\0").localeCompare(b.join("\0")));
    return sorted.slice(offset, offset + limit);
  }

  async #write(puts: readonly PutOperation[]): Promise<void> {
    const operations = puts.map((put) => this.#operation(put));
    for (let start = 0; start < operations.length; start += limits.batchItems) {
      const part = operations.slice(start, start + limits.batchItems);
      for (const outcome of await this.#memory.records.batch(this.#context, this.#name, part)) {
        if (!outcome.ok && outcome.error.kind !== "not_found") throw outcome.error;
      }
    }
  }

  #operation({ namespace, key, value, index = [...this.#fields] }: PutOperation): RecordOperation {
    const reference = { namespace: pathOf(namespace), externalId: key };
    if (value === null) return { action: "delete", record: reference };
    const kept = JSON.parse(JSON.stringify(value)) as Json;
    const texts = index === false ? [] : index.flatMap((path) => textsAt(kept, path));
    return { action: "put", record: { ...reference, text: texts.join("\n"), value: kept, kind: "custom" } };
  }
}

/** Labels may hold slashes and stand in one segment of our path each. */
function pathOf(labels: readonly string[], mayBeEmpty = false): string {
  if (!Array.isArray(labels) || (labels.length === 0 && !mayBeEmpty)) throw invalid("A namespace is a list of labels.");
  for (const label of labels) {
    if (typeof label !== "string" || label === "" || /[.:\0\p{Surrogate}]/u.test(label)) {
      throw invalid("A label of a namespace is a text that is not empty and has no period, colon or NUL.");
    }
  }
  return `/${labels.map(encodeURIComponent).join("/")}`;
}

const labelsOf = (path: string): string[] =>
  path
    .split("/")
    .filter((each) => each !== "")
    .map(decodeURIComponent);

function itemOf(record: MemoryRecord): Item {
  return {
    key: record.externalId ?? record.id,
    namespace: labelsOf(record.namespace),
    value: (record.value ?? { text: record.text }) as Record<string, any>,
    createdAt: new Date(record.recordedAt),
    updatedAt: new Date(record.updatedAt ?? record.recordedAt),
  };
}

function matches(
  labels: readonly string[],
  { matchType, path }: { readonly matchType: "prefix" | "suffix"; readonly path: readonly string[] },
): boolean {
  const start = matchType === "prefix" ? 0 : labels.length - path.length;
  return start >= 0 && path.every((each, at) => each === "*" || labels[start + at] === each);
}

const invalid = (what: string): MemoryError => new MemoryError("MEMORY_INVALID", what);
