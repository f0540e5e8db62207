export interface Statement {
  /** Under which a connection keeps it prepared. */
  readonly name: string;
  readonly text: string;
}

const statement = (name: string, text: string): Statement => ({ name: `ashlar_memory_${name}`, text });

const scope = "(SELECT id FROM memory_scope WHERE tenant = $1 AND memory = $2)";
const range = `SELECT key, value FROM memory_entry WHERE scope = ${scope} AND key >= $3 AND key < $4 ORDER BY key`;

/** One statement is one snapshot: its three parts answer from the same state of the scope. */
export const read: Statement = statement(
  "read",
  `
  SELECT
    (SELECT json_agg(held.value ORDER BY place)
     FROM unnest($3::text[]) WITH ORDINALITY AS asked(key, place)
     LEFT JOIN memory_entry AS held ON held.scope = ${scope} AND held.key = asked.key) AS entries,
    (SELECT json_agg(coalesce(held.value, 0) ORDER BY place)
     FROM unnest($4::text[]) WITH ORDINALITY AS asked(counter, place)
     LEFT JOIN memory_counter AS held ON held.scope = ${scope} AND held.counter = asked.counter) AS counters,
    (SELECT json_agg(coalesce(list, '') ORDER BY place)
     FROM unnest($5::text[]) WITH ORDINALITY AS asked(term, place)
     LEFT JOIN LATERAL (
       SELECT string_agg(document || ',' || frequency || ',' || length, ',' ORDER BY document) AS list
       FROM memory_posting WHERE scope = ${scope} AND term = asked.term
     ) AS held ON true) AS postings`,
);

export const scan: Statement = statement("scan", `${range} LIMIT $5`);
export const scanBack: Statement = statement("scanBack", `${range} DESC LIMIT $5`);

export const commit: Statement = statement(
  "commit",
  `
  SELECT memory_commit($1, $2, $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bigint[],
    $10::text[], $11::bigint[], $12::text[], $13::bigint[], $14::int[], $15::int[]) AS written`,
);

export const version: Statement = statement(
  "version",
  "SELECT version FROM memory_scope WHERE tenant = $1 AND memory = $2",
);

export const scopes: Statement = statement(
  "scopes",
  `
  SELECT tenant, memory FROM memory_scope AS found
  WHERE (tenant, memory) > ($1, $2) AND EXISTS (SELECT FROM memory_entry WHERE scope = found.id)
  ORDER BY tenant, memory LIMIT $3`,
);

export const drop: Statement = statement("drop", "SELECT memory_drop($1, $2)");

/** Writes the tables anew without what was deleted; whoever reads or writes them waits. */
export const compact: readonly string[] = [
  "VACUUM (FULL) memory_entry",
  "VACUUM (FULL) memory_posting",
  "VACUUM (FULL) memory_counter",
];
