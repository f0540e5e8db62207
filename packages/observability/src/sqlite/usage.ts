import type { SqliteDatabase } from "../internal/sqlite.ts";
import type { UsageQuery, UsageRow } from "../trace-store.ts";

const inference = "operation IN ('chat', 'generate_content', 'text_completion', 'embeddings')";

const columns = { session: "session", agent: "agent", model: "model", tool: "tool" } as const;

export function selectUsage(
  database: SqliteDatabase,
  tenant: string,
  { by, session, from, until }: UsageQuery,
): readonly UsageRow[] {
  const key = columns[by];
  const tool = by === "tool";
  const where = ["tenant = @tenant", "open = 0", tool ? "operation = 'execute_tool'" : inference, `${key} IS NOT NULL`];
  if (session !== undefined) where.push("session = @session");
  if (from !== undefined) where.push("start_at >= @from");
  if (until !== undefined) where.push("start_at < @until");
  const sum = (column: string): string => (tool ? "0" : `sum(${column})`);
  const sql = `
    SELECT ${key} AS key, ${tool ? "NULL" : "model"} AS model, count(*) AS calls,
      sum(status = 'error') AS errors, ${sum("input_tokens")} AS inputTokens, ${sum("output_tokens")} AS outputTokens,
      ${sum("cached_tokens")} AS cachedTokens, sum(end_at - start_at) AS durationMs
    FROM ashlar_spans WHERE ${where.join(" AND ")} GROUP BY 1, 2 ORDER BY 1, 2`;
  const rows = database
    .prepare(sql)
    .all({ tenant, session: session ?? null, from: from ?? null, until: until ?? null }) as Row[];
  return rows.map(({ model, ...row }) => ({ ...row, ...(model === null ? {} : { model }) }));
}

interface Row extends Omit<UsageRow, "model"> {
  readonly model: string | null;
}
