import type { SessionQuery } from "../session-log.ts";

/** The condition of a search and its parameters. */
export function searchOf(
  tenant: string,
  { status, agent, externalId, parent, metadata = {}, archived = false }: SessionQuery,
  before: string | undefined,
): { readonly where: string; readonly parameters: readonly unknown[] } {
  const terms = ["tenant = ?", archived ? "archived_at IS NOT NULL" : "archived_at IS NULL"];
  const parameters: unknown[] = [tenant];
  const add = (term: string, ...values: readonly unknown[]) => {
    terms.push(term);
    parameters.push(...values);
  };
  if (status !== undefined) add("status = ?", status);
  // Said twice, since only these words let SQLite use the small index of the sessions that are neither.
  if (status !== undefined && status !== "idle" && status !== "ended") add("status NOT IN ('idle', 'ended')");
  if (agent !== undefined) add("agent = ?", agent);
  if (externalId !== undefined) add("external_id = ?", externalId);
  if (parent !== undefined) add("parent = ?", parent);
  if (before !== undefined) add("id < ?", before);
  for (const [key, value] of Object.entries(metadata)) {
    add(
      `EXISTS (SELECT 1 FROM json_each(metadata) AS entry
       WHERE entry.key = ? AND entry.type IN (?, ?) AND entry.value = ?)`,
      key,
      typeof value === "string" ? "text" : typeof value === "number" ? "integer" : String(value),
      typeof value === "number" ? "real" : null,
      typeof value === "boolean" ? Number(value) : value,
    );
  }
  return { where: terms.join(" AND "), parameters };
}
