/** One step per schema version: `steps[0]` makes version 1 of an empty schema. Steps are only ever appended. */
export interface PostgresSchema {
  readonly store: string;
  readonly steps: readonly string[];
}

/** Texts are compared byte by byte, as JavaScript does. A commit locks its scope's row: writers of a scope take turns. */
export const schema: PostgresSchema = {
  store: "memory",
  steps: [
    `
    CREATE TABLE memory_scope (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tenant text COLLATE "C" NOT NULL,
      memory text COLLATE "C" NOT NULL, version bigint NOT NULL DEFAULT 0, UNIQUE (tenant, memory)
    ) WITH (fillfactor = 50);
    CREATE TABLE memory_entry (
      scope bigint NOT NULL, key text COLLATE "C" NOT NULL, value text NOT NULL, PRIMARY KEY (scope, key)
    ) WITH (fillfactor = 90);
    CREATE TABLE memory_counter (
      scope bigint NOT NULL, counter text COLLATE "C" NOT NULL, value bigint NOT NULL, PRIMARY KEY (scope, counter)
    ) WITH (fillfactor = 50);
    CREATE TABLE memory_posting (
      scope bigint NOT NULL, term text COLLATE "C" NOT NULL, document bigint NOT NULL, frequency int NOT NULL,
      length int NOT NULL, PRIMARY KEY (scope, term, document)
    );

    CREATE FUNCTION memory_commit(
      for_tenant text, for_memory text, expected_keys text[], expected_values text[], deleted text[],
      put_keys text[], put_values text[], counters text[], amounts bigint[],
      unposted_terms text[], unposted_documents bigint[],
      posted_terms text[], posted_documents bigint[], frequencies int[], lengths int[]
    ) RETURNS boolean LANGUAGE plpgsql AS $$
    DECLARE number bigint;
    BEGIN
      LOOP
        SELECT id INTO number FROM memory_scope
        WHERE tenant = for_tenant AND memory = for_memory FOR NO KEY UPDATE;
        EXIT WHEN FOUND;
        INSERT INTO memory_scope (tenant, memory) VALUES (for_tenant, for_memory) ON CONFLICT DO NOTHING;
      END LOOP;
      IF EXISTS (
        SELECT FROM unnest(expected_keys, expected_values) AS expected(key, value)
        LEFT JOIN memory_entry AS held ON held.scope = number AND held.key = expected.key
        WHERE held.value IS DISTINCT FROM expected.value
      ) THEN RETURN false; END IF;
      DELETE FROM memory_entry WHERE scope = number AND key = ANY (deleted);
      INSERT INTO memory_entry SELECT number, key, value FROM unnest(put_keys, put_values) AS put(key, value)
        ON CONFLICT (scope, key) DO UPDATE SET value = excluded.value;
      INSERT INTO memory_counter AS held
        SELECT number, counter, amount FROM unnest(counters, amounts) AS added(counter, amount)
        ON CONFLICT (scope, counter) DO UPDATE SET value = held.value + excluded.value;
      DELETE FROM memory_posting USING unnest(unposted_terms, unposted_documents) AS gone(term, document)
        WHERE scope = number AND memory_posting.term = gone.term AND memory_posting.document = gone.document;
      INSERT INTO memory_posting
        SELECT number, term, document, frequency, length
        FROM unnest(posted_terms, posted_documents, frequencies, lengths) AS post(term, document, frequency, length)
        ON CONFLICT (scope, term, document) DO UPDATE
        SET frequency = excluded.frequency, length = excluded.length;
      UPDATE memory_scope SET version = version + 1 WHERE id = number;
      RETURN true;
    END $$;

    CREATE FUNCTION memory_drop(for_tenant text, for_memory text) RETURNS void LANGUAGE plpgsql AS $$
    DECLARE number bigint;
    BEGIN
      UPDATE memory_scope SET version = version + 1 WHERE tenant = for_tenant AND memory = for_memory
      RETURNING id INTO number;
      DELETE FROM memory_entry WHERE scope = number;
      DELETE FROM memory_counter WHERE scope = number;
      DELETE FROM memory_posting WHERE scope = number;
    END $$;
    `,
  ],
};
