import type { AuditEntry, AuditRow, AuditStore } from "./audit-store.ts";
import { type CallContext, type Clock, systemClock } from "./dialect.ts";
import { IdentityError } from "./errors.ts";
import { requireTenant } from "./internal/parse.ts";
import type { Keyring } from "./keyring.ts";

export interface AuditLogDeps {
  readonly store: AuditStore;
  readonly keyring: Keyring;
  readonly clock?: Clock;
}

/** A point of the chain, to be kept where the database's owner cannot write. */
export interface AuditAnchor {
  readonly seq: number;
  readonly hash: string;
}

export type AuditVerdict =
  | { readonly intact: true; readonly rows: number; readonly head?: AuditAnchor }
  | { readonly intact: false; readonly rows: number; readonly seq: number; readonly problem: string };

const START = "0".repeat(64);

/**
 * The record of every use of a credential: one chain per tenant, each row's hash an HMAC-SHA-256 over the row and the
 * hash before it, under a key of the tenant. Who can write the database but lacks the key cannot change, drop or add a
 * row unseen, except to cut the newest rows off: `verify` with an anchor kept elsewhere sees that too.
 */
export class AuditLog {
  readonly #store: AuditStore;
  readonly #keyring: Keyring;
  readonly #clock: Clock;
  readonly #tails = new Map<string, Promise<AuditAnchor | undefined>>();

  constructor({ store, keyring, clock = systemClock }: AuditLogDeps) {
    this.#store = store;
    this.#keyring = keyring;
    this.#clock = clock;
  }

  /** Resolves when the row is durable. Agent, session and user are taken from the principal. */
  async record({ principal }: CallContext, entry: AuditEntry): Promise<AuditAnchor> {
    const tenant = requireTenant(principal.tenant);
    const { agent, session, user } = principal;
    const full = copy({ agent, session, user, ...entry });
    const appended = (this.#tails.get(tenant) ?? Promise.resolve(undefined))
      .catch(() => undefined)
      .then((tail) => this.#append(tenant, full, tail));
    this.#tails.set(tenant, appended);
    appended.catch(() => this.#tails.delete(tenant));
    return appended;
  }

  /** Rows in the order they were written. `limit` defaults to 500. */
  read(
    { principal }: CallContext,
    query?: { readonly after?: number; readonly limit?: number },
  ): Promise<readonly AuditRow[]> {
    return this.#store.read(requireTenant(principal.tenant), query);
  }

  /** Recomputes the tenant's whole chain; with `anchor`, also that the chain still holds that point. */
  async verify({ principal }: CallContext, { anchor }: { readonly anchor?: AuditAnchor } = {}): Promise<AuditVerdict> {
    const tenant = requireTenant(principal.tenant);
    const mac = await this.#keyring.mac(tenant, "audit");
    let head: AuditAnchor = { seq: 0, hash: START };
    let anchored = anchor === undefined;
    for (;;) {
      const rows = await this.#store.read(tenant, { after: head.seq });
      if (rows.length === 0) break;
      for (const row of rows) {
        const seq = head.seq + 1;
        if (row.seq !== seq) return { intact: false, rows: head.seq, seq, problem: "a row is missing" };
        if (row.hash !== digest(mac, row, head.hash)) {
          return { intact: false, rows: head.seq, seq, problem: "the row is not the one that was written" };
        }
        head = { seq, hash: row.hash };
        if (anchor?.seq === seq) {
          anchored = anchor.hash === row.hash;
          if (!anchored) return { intact: false, rows: seq, seq, problem: "the row differs from the anchor" };
        }
      }
    }
    if (!anchored) return { intact: false, rows: head.seq, seq: head.seq + 1, problem: "the chain was cut" };
    return head.seq === 0 ? { intact: true, rows: 0 } : { intact: true, rows: head.seq, head };
  }

  async #append(tenant: string, entry: AuditEntry, tail: AuditAnchor | undefined): Promise<AuditAnchor> {
    const mac = await this.#keyring.mac(tenant, "audit");
    let head = tail;
    for (let attempt = 0; attempt < 100; attempt++) {
      head ??= (await this.#store.head(tenant)) ?? { seq: 0, hash: START };
      const row = { tenant, seq: head.seq + 1, at: this.#clock.now(), entry };
      const hash = digest(mac, row, head.hash);
      if (await this.#store.append({ ...row, hash })) return { seq: row.seq, hash };
      head = undefined;
    }
    throw new IdentityError("IDENTITY_BACKEND_FAILED", "The audit log is too contended to append to. Try again.");
  }
}

/** As it will be read back: without what is undefined, and apart from the caller's object. */
function copy({ details, ...entry }: { readonly [Key in keyof AuditEntry]: AuditEntry[Key] | undefined }): AuditEntry {
  const present = Object.entries(entry).filter(([, value]) => value !== undefined);
  if (details !== undefined) present.push(["details", JSON.parse(JSON.stringify(details))]);
  return Object.fromEntries(present) as unknown as AuditEntry;
}

function digest(mac: (data: string) => Buffer, row: Omit<AuditRow, "hash">, previous: string): string {
  const { tenant, seq, at, entry } = row;
  return mac(JSON.stringify([previous, tenant, seq, at, sorted(entry)])).toString("hex");
}

/** The same text for the same content, whatever order a backend returns keys in. */
function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  return Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, inner]) => [key, sorted(inner)]);
}
