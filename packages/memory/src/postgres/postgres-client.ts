/** What this store uses of a PostgreSQL driver; a `Pool` of pg has it. */
export interface PostgresPool {
  query(query: PostgresQuery): Promise<PostgresResult>;
  connect(): Promise<PostgresClient>;
  on(event: "error", listener: (error: Error) => void): unknown;
}

export interface PostgresClient {
  query(query: PostgresQuery): Promise<PostgresResult>;
  /** Back to the pool; with `true` the connection is closed. */
  release(destroy?: boolean): void;
}

export interface PostgresQuery {
  /** A prepared statement of this name is kept by the connection. */
  readonly name?: string;
  readonly text: string;
  readonly values?: unknown[];
}

export interface PostgresResult {
  readonly rows: unknown[];
}
