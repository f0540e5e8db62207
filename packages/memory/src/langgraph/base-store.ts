// biome-ignore-all lint/suspicious/noExplicitAny: LangGraph's own signatures say so, and a narrower one would not fit them.
// biome-ignore-all lint/suspicious/noConfusingVoidType: as above.

/** The shapes of `BaseStore` of `@langchain/langgraph-checkpoint` 1.x, so that nothing of it needs to be installed. */
export interface Item {
  value: Record<string, any>;
  key: string;
  namespace: string[];
  createdAt: Date;
  updatedAt: Date;
}

export interface SearchItem extends Item {
  score?: number;
}

export interface GetOperation {
  namespace: string[];
  key: string;
}

export interface PutOperation extends GetOperation {
  /** `null` deletes. */
  value: Record<string, any> | null;
  /** Paths of the texts to search; `false`: none. Default: those of the store. */
  index?: false | string[];
}

export interface SearchOperation {
  namespacePrefix: string[];
  filter?: Record<string, any>;
  limit?: number;
  offset?: number;
  query?: string;
}

export interface ListNamespacesOperation {
  matchConditions?: { matchType: "prefix" | "suffix"; path: (string | "*")[] }[];
  maxDepth?: number;
  limit: number;
  offset: number;
}

export type Operation = GetOperation | SearchOperation | PutOperation | ListNamespacesOperation;

export type OperationResults<Tuple extends readonly Operation[]> = {
  [K in keyof Tuple]: Tuple[K] extends PutOperation
    ? void
    : Tuple[K] extends SearchOperation
      ? SearchItem[]
      : Tuple[K] extends GetOperation
        ? Item | null
        : Tuple[K] extends ListNamespacesOperation
          ? string[][]
          : never;
};
