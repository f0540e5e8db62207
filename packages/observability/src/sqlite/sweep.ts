import type { SqliteDatabase } from "../internal/sqlite.ts";

export interface SweepOptions {
  readonly endedBefore: number;
  readonly tenant?: string;
  readonly limit: number;
}

/** Oldest traces first. A trace larger than what is left of the limit goes in parts, over several calls. */
export function sweepTraces(
  database: SqliteDatabase,
  { endedBefore, tenant, limit }: SweepOptions,
): { removed: number; more: boolean } {
  const due = database.prepare(
    `SELECT tenant, trace_id FROM ashlar_traces
     WHERE end_at < ? ${tenant === undefined ? "" : "AND tenant = ?"} ORDER BY end_at LIMIT 1`,
  );
  const dropSpans = database.prepare(
    `DELETE FROM ashlar_spans WHERE tenant = ? AND trace_id = ? AND span_id IN
       (SELECT span_id FROM ashlar_spans WHERE tenant = ? AND trace_id = ? LIMIT ?)`,
  );
  const dropTrace = database.prepare("DELETE FROM ashlar_traces WHERE tenant = ? AND trace_id = ?");
  const parameters = tenant === undefined ? [endedBefore] : [endedBefore, tenant];
  return database
    .transaction(() => {
      let removed = 0;
      for (;;) {
        const next = due.get(...parameters) as { tenant: string; trace_id: string } | undefined;
        if (next === undefined) return { removed, more: false };
        if (removed >= limit) return { removed, more: true };
        const left = limit - removed;
        const { changes } = dropSpans.run(next.tenant, next.trace_id, next.tenant, next.trace_id, left);
        removed += changes;
        if (changes < left) dropTrace.run(next.tenant, next.trace_id);
      }
    })
    .immediate();
}
