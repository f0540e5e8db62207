import { readFileSync } from "node:fs";
import Database from "better-sqlite3";
import { parse } from "csv-parse/sync";

export interface Ticket {
  readonly id: string;
  readonly customer_id: string;
  readonly subject: string;
  readonly body: string;
  readonly status: string;
  readonly created_at: string;
}

export interface Charge {
  readonly id: string;
  readonly customer_id: string;
  readonly invoice: string;
  readonly description: string;
  readonly amount_cents: number;
  readonly currency: string;
  readonly status: "settled" | "failed" | "refunded";
  readonly created_at: string;
}

export interface Refund {
  readonly id: number;
  readonly charge_id: string;
  readonly amount_cents: number;
  readonly reason: string;
}

const schema = `
  CREATE TABLE customers (id TEXT PRIMARY KEY, name TEXT, email TEXT, since TEXT, tier TEXT) STRICT;
  CREATE TABLE tickets (id TEXT PRIMARY KEY, customer_id TEXT, subject TEXT, body TEXT, status TEXT, created_at TEXT) STRICT;
  CREATE TABLE charges (id TEXT PRIMARY KEY, customer_id TEXT, invoice TEXT, description TEXT, amount_cents INTEGER,
    currency TEXT, status TEXT, created_at TEXT) STRICT;
  CREATE INDEX charges_by_customer ON charges (customer_id, created_at);
  CREATE TABLE refunds (id INTEGER PRIMARY KEY, charge_id TEXT NOT NULL, amount_cents INTEGER NOT NULL,
    reason TEXT NOT NULL, idempotency_key TEXT UNIQUE) STRICT;
  CREATE TABLE replies (id INTEGER PRIMARY KEY, ticket_id TEXT NOT NULL, text TEXT NOT NULL,
    idempotency_key TEXT UNIQUE) STRICT;
`;

/** The company's own system: filled from the data files when the file is new. */
export function openTickets(path: string): Database.Database {
  const database = new Database(path);
  database.pragma("journal_mode = WAL");
  if (database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'tickets'").get() !== undefined) return database;
  database.transaction(() => {
    database.exec(schema);
    for (const table of ["customers", "tickets", "charges"]) fill(database, table);
  })();
  return database;
}

function fill(database: Database.Database, table: string): void {
  const file = new URL(`data/${table}.csv`, import.meta.url);
  const [columns = [], ...rows] = parse(readFileSync(file)) as string[][];
  const insert = database.prepare(`INSERT INTO ${table} VALUES (${columns.map(() => "?").join(", ")})`);
  const cents = columns.indexOf("amount_cents");
  for (const row of rows) insert.run(row.map((value, index) => (index === cents ? Number(value) : value)));
}
