/** One step per schema version: `steps[0]` makes version 1 of an empty schema. Steps are only ever appended. */
export interface PostgresSchema {
  readonly store: string;
  readonly steps: readonly string[];
}

/**
 * Names are compared byte by byte, as JavaScript does. An event is JSON as text: PostgreSQL's own JSON cannot hold what
 * JavaScript's can. `last_input` and `head` stand in the row that an append locks, so that a release sees every input.
 */
export const SESSION_LOG_SCHEMA: PostgresSchema = {
  store: "runtime_session_log",
  steps: [
    `
    CREATE TABLE runtime_session (
      number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id text COLLATE "C" NOT NULL UNIQUE,
      tenant text COLLATE "C" NOT NULL, agent text COLLATE "C" NOT NULL, agent_version text NOT NULL,
      external_id text COLLATE "C", parent text COLLATE "C", status text NOT NULL, metadata jsonb NOT NULL,
      state text NOT NULL, created_at float8 NOT NULL, updated_at float8 NOT NULL, archived_at float8, fence text,
      owner text COLLATE "C", wake_at float8, head int NOT NULL, last_input int NOT NULL DEFAULT 0
    ) WITH (fillfactor = 70);
    CREATE INDEX runtime_session_tenant ON runtime_session (tenant, id);
    CREATE INDEX runtime_session_live ON runtime_session (tenant, status, id) WHERE status NOT IN ('idle', 'ended');
    CREATE UNIQUE INDEX runtime_session_external ON runtime_session (tenant, agent, external_id)
      WHERE external_id IS NOT NULL;
    CREATE INDEX runtime_session_parent ON runtime_session (tenant, parent, id) WHERE parent IS NOT NULL;
    CREATE INDEX runtime_session_owner ON runtime_session (owner) WHERE owner IS NOT NULL;
    CREATE INDEX runtime_session_wake ON runtime_session (wake_at, id) WHERE wake_at IS NOT NULL;
    CREATE TABLE runtime_event (
      session bigint NOT NULL, seq int NOT NULL, type text NOT NULL, fence text NOT NULL, key text COLLATE "C",
      event text NOT NULL, PRIMARY KEY (session, seq)
    );
    CREATE UNIQUE INDEX runtime_event_key ON runtime_event (session, key) WHERE key IS NOT NULL;
    CREATE TABLE runtime_snapshot (session bigint PRIMARY KEY, seq int NOT NULL, body text NOT NULL);
    CREATE TABLE runtime_session_lease (owner text COLLATE "C" PRIMARY KEY, expires_at float8 NOT NULL);

    CREATE FUNCTION runtime_now(given float8) RETURNS float8 LANGUAGE sql AS $$
      SELECT coalesce(given, floor(extract(epoch FROM clock_timestamp()) * 1000)::float8)
    $$;

    CREATE FUNCTION runtime_live(leaseholder text, at float8) RETURNS boolean LANGUAGE sql STABLE AS $$
      SELECT EXISTS (SELECT FROM runtime_session_lease WHERE owner = leaseholder AND expires_at > at)
    $$;

    CREATE FUNCTION runtime_append(
      for_tenant text, for_session text, for_fence text, events json, change boolean, to_status text,
      to_metadata jsonb, to_state text, archive boolean, to_archived float8, at float8
    ) RETURNS TABLE (seq int, known_fence text, known text) LANGUAGE plpgsql AS $$
    DECLARE row_number bigint; last int; item record;
    BEGIN
      SELECT number, head INTO row_number, last FROM runtime_session
      WHERE id = for_session AND tenant = for_tenant AND fence = for_fence AND owner IS NOT NULL FOR NO KEY UPDATE;
      IF NOT FOUND THEN RETURN QUERY SELECT 0, NULL::text, NULL::text; RETURN; END IF;
      FOR item IN SELECT * FROM json_to_recordset(events) AS given(type text, key text, event text) LOOP
        IF item.key IS NOT NULL THEN
          SELECT placed.seq, placed.fence, placed.event INTO seq, known_fence, known
          FROM runtime_event AS placed WHERE placed.session = row_number AND placed.key = item.key;
          IF FOUND THEN RETURN NEXT; CONTINUE; END IF;
        END IF;
        last := last + 1;
        INSERT INTO runtime_event VALUES (row_number, last, item.type, for_fence, item.key, item.event);
        seq := last; known_fence := NULL; known := NULL;
        RETURN NEXT;
      END LOOP;
      UPDATE runtime_session SET head = last, status = coalesce(to_status, status),
        metadata = coalesce(to_metadata, metadata), state = coalesce(to_state, state),
        archived_at = CASE WHEN archive THEN to_archived ELSE archived_at END,
        updated_at = CASE WHEN change THEN runtime_now(at) ELSE updated_at END
      WHERE number = row_number;
    END $$;

    CREATE FUNCTION runtime_deposit(
      for_tenant text, for_session text, for_type text, for_key text, for_event text, wake boolean, at float8
    ) RETURNS TABLE (outcome text, seq int, known_fence text, known text) LANGUAGE plpgsql AS $$
    DECLARE row_number bigint; was text;
    BEGIN
      SELECT number, status, head + 1 INTO row_number, was, seq FROM runtime_session
      WHERE id = for_session AND tenant = for_tenant FOR NO KEY UPDATE;
      IF NOT FOUND THEN RETURN QUERY SELECT 'absent', 0, NULL::text, NULL::text; RETURN; END IF;
      IF for_key IS NOT NULL THEN
        RETURN QUERY SELECT 'known', placed.seq, placed.fence, placed.event FROM runtime_event AS placed
        WHERE placed.session = row_number AND placed.key = for_key;
        IF FOUND THEN RETURN; END IF;
      END IF;
      IF was = 'ended' THEN RETURN QUERY SELECT 'ended', 0, NULL::text, NULL::text; RETURN; END IF;
      INSERT INTO runtime_event VALUES (row_number, seq, for_type, 'input', for_key, for_event);
      UPDATE runtime_session SET head = runtime_deposit.seq, last_input = runtime_deposit.seq,
        wake_at = CASE WHEN wake THEN least(wake_at, runtime_now(at)) ELSE wake_at END,
        status = CASE WHEN wake AND was = 'idle' THEN 'queued' ELSE status END
      WHERE number = row_number;
      outcome := 'placed';
      RETURN NEXT;
    END $$;
    `,
    `
    CREATE FUNCTION runtime_release(
      for_tenant text, for_session text, for_fence text, seen int, next_wake float8, at float8, OUT woken boolean
    ) LANGUAGE sql AS $$
      UPDATE runtime_session SET owner = NULL,
        wake_at = CASE WHEN status = 'ended' THEN NULL WHEN last_input > seen THEN runtime_now(at) ELSE next_wake END,
        status = CASE WHEN last_input > seen AND status = 'idle' THEN 'queued' ELSE status END
      WHERE id = for_session AND tenant = for_tenant AND fence = for_fence AND owner IS NOT NULL
      RETURNING status <> 'ended' AND last_input > seen
    $$;

    CREATE FUNCTION runtime_append_and_release(
      for_tenant text, for_session text, for_fence text, events json, change boolean, to_status text,
      to_metadata jsonb, to_state text, archive boolean, to_archived float8, at float8, seen int, next_wake float8
    ) RETURNS TABLE (seq int, known_fence text, known text) LANGUAGE plpgsql AS $$
    BEGIN
      RETURN QUERY SELECT * FROM runtime_append(
        for_tenant, for_session, for_fence, events, change, to_status, to_metadata, to_state, archive, to_archived, at);
      PERFORM runtime_release(for_tenant, for_session, for_fence, seen, next_wake, at);
    END $$;
    `,
  ],
};

/**
 * One row per session, whether it waits (`token` absent) or is in work: its lock decides between a put and a take. Who
 * counts against a limit takes that key's advisory lock first; to give a place back needs none. The tables are unlogged:
 * a server that crashes has an empty queue, and what was in it is put in again from the log.
 */
export const WORK_QUEUE_SCHEMA: PostgresSchema = {
  store: "runtime_work_queue",
  steps: [
    `
    CREATE TABLE runtime_job (
      session text COLLATE "C" PRIMARY KEY, lane text COLLATE "C" NOT NULL, available_at float8 NOT NULL,
      token text, owner text COLLATE "C", again_lane text COLLATE "C", again_at float8
    ) WITH (fillfactor = 70);
    CREATE INDEX runtime_job_lane ON runtime_job (lane, available_at) WHERE token IS NULL;
    CREATE INDEX runtime_job_owner ON runtime_job (owner) WHERE token IS NOT NULL;
    CREATE TABLE runtime_held (key text COLLATE "C", session text COLLATE "C", PRIMARY KEY (key, session));
    CREATE INDEX runtime_held_session ON runtime_held (session);
    CREATE TABLE runtime_rate (key text COLLATE "C" PRIMARY KEY, arrival float8 NOT NULL);
    CREATE TABLE runtime_queue_lease (owner text COLLATE "C" PRIMARY KEY, expires_at float8 NOT NULL);

    CREATE FUNCTION runtime_queue_now(given float8) RETURNS float8 LANGUAGE sql AS $$
      SELECT coalesce(given, floor(extract(epoch FROM clock_timestamp()) * 1000)::float8)
    $$;

    CREATE FUNCTION runtime_job_wait(sessions text[]) RETURNS void LANGUAGE sql AS $$
      DELETE FROM runtime_held WHERE session = ANY (sessions);
      UPDATE runtime_job SET lane = coalesce(again_lane, lane), available_at = least(available_at, again_at),
        token = NULL, owner = NULL, again_lane = NULL, again_at = NULL
      WHERE session = ANY (sessions)
    $$;

    CREATE FUNCTION runtime_job_reclaim(now float8) RETURNS void LANGUAGE plpgsql AS $$
    DECLARE lost text[];
    BEGIN
      SELECT array_agg(session) INTO lost FROM (
        SELECT session FROM runtime_job WHERE token IS NOT NULL
          AND NOT EXISTS (SELECT FROM runtime_queue_lease AS lease WHERE lease.owner = runtime_job.owner AND expires_at > now)
        FOR UPDATE SKIP LOCKED) AS lost_jobs;
      IF lost IS NOT NULL THEN PERFORM runtime_job_wait(lost); END IF;
    END $$;

    CREATE FUNCTION runtime_job_put(jobs json, at float8) RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
      PERFORM runtime_job_reclaim(runtime_queue_now(at));
      INSERT INTO runtime_job AS job (session, lane, available_at)
      SELECT * FROM json_to_recordset(jobs) AS given(session text, lane text, available_at float8) ORDER BY 1
      ON CONFLICT (session) DO UPDATE SET
        lane = CASE WHEN job.token IS NULL THEN excluded.lane ELSE job.lane END,
        available_at = CASE WHEN job.token IS NULL THEN least(job.available_at, excluded.available_at)
          ELSE job.available_at END,
        again_lane = CASE WHEN job.token IS NOT NULL THEN excluded.lane END,
        again_at = CASE WHEN job.token IS NOT NULL THEN least(job.again_at, excluded.available_at) END;
    END $$;

    CREATE FUNCTION runtime_job_lanes(at float8) RETURNS TABLE (lane text, next_at float8) LANGUAGE plpgsql AS $$
    BEGIN
      PERFORM runtime_job_reclaim(runtime_queue_now(at));
      RETURN QUERY WITH RECURSIVE step AS (
        (SELECT job.lane, job.available_at FROM runtime_job AS job WHERE token IS NULL
         ORDER BY job.lane, job.available_at LIMIT 1)
        UNION ALL
        SELECT next.lane, next.available_at FROM step, LATERAL (
          SELECT job.lane, job.available_at FROM runtime_job AS job WHERE token IS NULL AND job.lane > step.lane
          ORDER BY job.lane, job.available_at LIMIT 1) AS next)
      SELECT step.lane, step.available_at FROM step;
    END $$;

    CREATE FUNCTION runtime_job_take(
      from_lane text, for_owner text, tokens text[], concurrency json, rates json, at float8
    ) RETURNS TABLE (session text, available_at float8, token text, limited text, until float8) LANGUAGE plpgsql AS $$
    DECLARE now float8; each record; free_at float8;
    BEGIN
      FOR each IN SELECT DISTINCT hashtextextended(given.key, 0) AS lock FROM (
        SELECT value->>'key' AS key FROM json_array_elements(concurrency)
        UNION ALL SELECT value->>'key' FROM json_array_elements(rates)) AS given ORDER BY 1
      LOOP PERFORM pg_advisory_xact_lock(each.lock); END LOOP;
      now := runtime_queue_now(at);
      PERFORM runtime_job_reclaim(now);
      IF NOT EXISTS (SELECT FROM runtime_queue_lease AS lease WHERE lease.owner = for_owner AND expires_at > now) THEN
        RETURN;
      END IF;
      FOR session, available_at, token IN
        SELECT ready.session, ready.available_at, tokens[row_number() OVER ()] FROM (
          SELECT job.session, job.available_at FROM runtime_job AS job
          WHERE job.lane = from_lane AND job.token IS NULL AND job.available_at <= now
          ORDER BY job.available_at LIMIT cardinality(tokens) FOR UPDATE SKIP LOCKED) AS ready
      LOOP
        FOR each IN SELECT value->>'key' AS key, (value->>'limit')::float8 AS most FROM json_array_elements(concurrency)
        LOOP
          IF (SELECT count(*) FROM runtime_held WHERE key = each.key) >= each.most THEN
            RETURN QUERY SELECT NULL::text, NULL::float8, NULL::text, each.key, NULL::float8;
            RETURN;
          END IF;
        END LOOP;
        FOR each IN SELECT * FROM json_to_recordset(rates) AS given(key text, "limit" float8, "perMs" float8) LOOP
          SELECT arrival - each."perMs" + each."perMs" / each."limit" INTO free_at FROM runtime_rate WHERE key = each.key;
          IF free_at > now THEN
            RETURN QUERY SELECT NULL::text, NULL::float8, NULL::text, each.key, ceil(free_at);
            RETURN;
          END IF;
        END LOOP;
        UPDATE runtime_job AS job SET token = runtime_job_take.token, owner = for_owner
        WHERE job.session = runtime_job_take.session;
        INSERT INTO runtime_held SELECT value->>'key', runtime_job_take.session FROM json_array_elements(concurrency)
        ON CONFLICT DO NOTHING;
        INSERT INTO runtime_rate AS rate
        SELECT key, now + "perMs" / "limit" FROM json_to_recordset(rates) AS given(key text, "limit" float8, "perMs" float8)
        ON CONFLICT (key) DO UPDATE SET arrival = greatest(rate.arrival, now) + excluded.arrival - now;
        RETURN NEXT;
      END LOOP;
    END $$;

    CREATE FUNCTION runtime_job_give_back(for_session text, for_token text, back_at float8, OUT news boolean)
    LANGUAGE plpgsql AS $$
    DECLARE again float8;
    BEGIN
      SELECT again_at INTO again FROM runtime_job WHERE session = for_session AND token = for_token FOR UPDATE;
      news := FOUND;
      IF NOT FOUND THEN RETURN; END IF;
      IF back_at IS NULL AND again IS NULL THEN
        DELETE FROM runtime_held WHERE session = for_session;
        news := FOUND;
        DELETE FROM runtime_job WHERE session = for_session;
        RETURN;
      END IF;
      UPDATE runtime_job SET available_at = coalesce(back_at, again) WHERE session = for_session;
      PERFORM runtime_job_wait(ARRAY[for_session]);
    END $$;
    `,
    `
    ALTER TABLE runtime_job SET UNLOGGED;
    ALTER TABLE runtime_held SET UNLOGGED;
    ALTER TABLE runtime_rate SET UNLOGGED;
    ALTER TABLE runtime_queue_lease SET UNLOGGED;
    `,
  ],
};

export const CATALOG_SCHEMA: PostgresSchema = {
  store: "runtime_catalog",
  steps: [
    `
    CREATE TABLE runtime_document_name (
      tenant text COLLATE "C", kind text COLLATE "C", name text COLLATE "C", last int NOT NULL, newest int NOT NULL,
      PRIMARY KEY (tenant, kind, name)
    );
    CREATE INDEX runtime_document_kind ON runtime_document_name (kind, tenant) WHERE newest > 0;
    CREATE TABLE runtime_document (
      tenant text COLLATE "C", kind text COLLATE "C", name text COLLATE "C", version int, at float8 NOT NULL,
      body text NOT NULL, PRIMARY KEY (tenant, kind, name, version)
    );
    `,
  ],
};

/** A body is its pieces in order under a number of its own; the name points to the newest. */
export const BLOB_SCHEMA: PostgresSchema = {
  store: "runtime_blob",
  steps: [
    `
    CREATE SEQUENCE runtime_blob_number;
    CREATE TABLE runtime_blob (
      tenant text COLLATE "C", key text COLLATE "C", number bigint NOT NULL, pieces int NOT NULL,
      PRIMARY KEY (tenant, key)
    );
    CREATE TABLE runtime_blob_piece (number bigint, piece int, bytes bytea NOT NULL, PRIMARY KEY (number, piece));
    ALTER TABLE runtime_blob_piece ALTER COLUMN bytes SET STORAGE EXTERNAL;
    CREATE TABLE runtime_blob_replaced (number bigint PRIMARY KEY, at float8 NOT NULL);
    `,
  ],
};
