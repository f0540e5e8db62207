import type { SessionQuery } from "../session-log.ts";

/** The condition of a search and its parameters. */
export function searchOf(
  tenant: string,
  { status, agent, externalId, parent, metadata = {}, archived = false }: SessionQuery,
  before: string | undefined,
): { readonly where: string; readonly parameters: readonly unknown[] } {
  const terms = ["tenant = $1", archived ? "archived_at IS NOT NULL" : "archived_at IS NULL"];
  const parameters: unknown[] = [tenant];
  const add = (term: string, value: unknown) => {
    parameters.push(value);
    terms.push(`${term} $${parameters.length}`);
  };
  if (status !== undefined) add("status =", status);
  // Said twice, since only these words let PostgreSQL use the small index of the sessions that are neither.
  if (status !== undefined && status !== "idle" && status !== "ended") terms.push("status NOT IN ('idle', 'ended')");
  if (agent !== undefined) add("agent =", agent);
  if (externalId !== undefined) add("external_id =", externalId);
  if (parent !== undefined) add("parent =", parent);
  if (before !== undefined) add("id <", before);
  if (Object.keys(metadata).length > 0) add("metadata @>", JSON.stringify(metadata));
  return { where: terms.join(" AND "), parameters };
}
