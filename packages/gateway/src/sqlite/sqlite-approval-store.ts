import type { ApprovalAnswer, ApprovalRecord, ApprovalStore } from "../approval-store.ts";
import type { Page } from "../dialect.ts";
import { GatewayError } from "../errors.ts";
import { migrate, type SqliteDatabase } from "../internal/sqlite.ts";
import { schema } from "./schema.ts";

interface Row {
  readonly record: string;
  readonly answer: string | null;
}

/** Keeps its tables in a database that somebody else opened and will close. */
export class SqliteApprovalStore implements ApprovalStore {
  readonly #database: SqliteDatabase;

  constructor({ database }: { readonly database: SqliteDatabase }) {
    migrate(database, schema);
    this.#database = database;
  }

  async hold(record: ApprovalRecord): Promise<ApprovalRecord> {
    const { id, principal, requestedAt, expiresAt } = record;
    const row = this.#get(
      `INSERT INTO gateway_approvals VALUES (?, ?, ?, ?, ?, NULL) ON CONFLICT (tenant, id) DO UPDATE SET
        requested_at = iif(expires_at > excluded.requested_at, requested_at, excluded.requested_at),
        record = iif(expires_at > excluded.requested_at, record, excluded.record),
        answer = iif(expires_at > excluded.requested_at, answer, NULL),
        expires_at = iif(expires_at > excluded.requested_at, expires_at, excluded.expires_at)
      RETURNING record, answer`,
      [principal.tenant, id, requestedAt, expiresAt, JSON.stringify(record)],
    );
    return row === undefined ? record : recordOf(row);
  }

  async open(
    tenant: string,
    { now, cursor, limit = 100 }: { readonly now: number; readonly cursor?: string; readonly limit?: number },
  ): Promise<Page<ApprovalRecord>> {
    const split = cursor?.indexOf(":") ?? 0;
    const rows = this.#guarded(() =>
      this.#database
        .prepare(
          `SELECT record, answer FROM gateway_approvals
          WHERE tenant = ? AND answer IS NULL AND expires_at > ? AND (requested_at, id) > (?, ?)
          ORDER BY requested_at, id LIMIT ?`,
        )
        .all(
          tenant,
          now,
          cursor === undefined ? -1 : Number(cursor.slice(0, split)),
          cursor?.slice(split + 1) ?? "",
          limit + 1,
        ),
    ) as readonly Row[];
    const items = rows.slice(0, limit).map(recordOf);
    const last = items.at(-1);
    return {
      items,
      ...(last === undefined || rows.length <= limit ? {} : { cursor: `${last.requestedAt}:${last.id}` }),
    };
  }

  async answer(tenant: string, id: string, answer: ApprovalAnswer): Promise<boolean> {
    const row = this.#get(
      `UPDATE gateway_approvals SET answer = ?
      WHERE tenant = ? AND id = ? AND answer IS NULL AND expires_at > ? RETURNING record, answer`,
      [JSON.stringify(answer), tenant, id, answer.at],
    );
    return row !== undefined;
  }

  async take(tenant: string, id: string): Promise<ApprovalRecord | undefined> {
    const row = this.#get(
      "DELETE FROM gateway_approvals WHERE tenant = ? AND id = ? AND answer IS NOT NULL RETURNING record, answer",
      [tenant, id],
    );
    return row === undefined ? undefined : recordOf(row);
  }

  async close(): Promise<void> {}

  #get(statement: string, parameters: readonly unknown[]): Row | undefined {
    return this.#guarded(() => this.#database.prepare(statement).get(...parameters) as Row | undefined);
  }

  #guarded<T>(body: () => T): T {
    try {
      return body();
    } catch (cause) {
      throw new GatewayError("GATEWAY_BACKEND_FAILED", "The gateway's database could not be used.", { cause });
    }
  }
}

function recordOf({ record, answer }: Row): ApprovalRecord {
  const kept = JSON.parse(record) as ApprovalRecord;
  return answer === null ? kept : { ...kept, answer: JSON.parse(answer) as ApprovalAnswer };
}
