import type { Pool } from "pg";
import type { PostgresPool } from "./postgres-client.ts";

/** The slice is one that pg's pool has. */
export const pools: readonly ((pool: never) => PostgresPool)[] = [(pool: Pool): PostgresPool => pool];
