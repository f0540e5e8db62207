import { RuntimeError } from "../errors.ts";
import type { PostgresPool } from "./postgres-client.ts";

const OLDEST = 14;

interface Server {
  readonly version: number;
  readonly standby: boolean;
  readonly settings: Readonly<Record<string, string>>;
}

const warned = new Set<string>();

/** Refuses a server on which sessions cannot live, and warns once of one that forgets more than it says. */
export async function checkPostgres(pool: PostgresPool): Promise<void> {
  const { rows } = await pool.query({
    text: `SELECT current_setting('server_version_num')::int / 10000 AS version, pg_is_in_recovery() AS standby,
      json_object_agg(name, setting) AS settings FROM pg_settings
      WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit')`,
  });
  const { version, standby, settings } = rows[0] as Server;
  if (version < OLDEST) {
    throw refused(`is version ${version}. Sessions need ${OLDEST} or later: upgrade it.`);
  }
  if (standby) {
    throw refused("is a read-only standby. Connect to the primary, or promote this server.");
  }
  for (const [setting, loss] of Object.entries(losses)) {
    if (settings[setting] !== "off" || warned.has(setting)) continue;
    warned.add(setting);
    process.emitWarning(`PostgreSQL runs with ${setting} = off: ${loss}. Set it to on.`, {
      code: "ASHLAR_WEAK_POSTGRES",
    });
  }
}

const losses: Readonly<Record<string, string>> = {
  fsync: "a loss of power can corrupt the database",
  full_page_writes: "a loss of power can corrupt the database",
  synchronous_commit: "acknowledged events of the last moments are lost when the server dies",
};

const refused = (what: string): RuntimeError => new RuntimeError("RUNTIME_INVALID", `This PostgreSQL ${what}`);
