/** What Ashlar uses of a PostgreSQL driver; a `Pool` of pg has it. */
export interface PostgresPool {
  query(query: PostgresQuery): Promise<PostgresResult>;
  connect(): Promise<PostgresClient>;
  on(event: "error", listener: (error: Error) => void): unknown;
}

export interface PostgresClient {
  query(query: PostgresQuery): Promise<PostgresResult>;
  /** Back to the pool; with `true` the connection is closed. */
  release(destroy?: boolean): void;
  on(event: "notification", listener: (message: PostgresNotification) => void): unknown;
  on(event: "error" | "end", listener: () => void): unknown;
}

export interface PostgresQuery {
  /** A prepared statement of this name is kept by the connection. */
  readonly name?: string;
  readonly text: string;
  readonly values?: unknown[];
}

export interface PostgresResult {
  readonly rows: unknown[];
  readonly rowCount: number | null;
}

export interface PostgresNotification {
  readonly channel: string;
  readonly payload?: string | undefined;
}
