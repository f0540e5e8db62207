import type { AuditLog } from "./audit-log.ts";
import type {
  CredentialBinding,
  CredentialDescription,
  CredentialOwner,
  CredentialSecret,
  NewCredential,
  Surface,
} from "./credential.ts";
import { type CallContext, type Clock, type IdSource, type Page, systemClock, systemIds } from "./dialect.ts";
import { IdentityError } from "./errors.ts";
import type { IdentityStore } from "./identity-store.ts";
import { additional, CredentialRows, describeRow, type StoredCredential, unknown } from "./internal/credential-rows.ts";
import { envelopeKeyId, rewrapEnvelope } from "./internal/envelope.ts";
import { Grants } from "./internal/grants.ts";
import { parse, requireTenant } from "./internal/parse.ts";
import { parseReference, recordId } from "./internal/reference.ts";
import {
  type CredentialRow,
  type CredentialVersion,
  graceSchema,
  newCredentialSchema,
  rowSchema,
  secretSchema,
} from "./internal/schemas.ts";
import type { Keyring } from "./keyring.ts";

export interface VaultDeps {
  readonly store: IdentityStore;
  readonly keyring: Keyring;
  readonly audit: AuditLog;
  readonly clock?: Clock;
  readonly ids?: IdSource;
}

export interface CredentialTarget {
  /** Whose credential is meant; absent means the tenant's own. */
  readonly owner?: CredentialOwner;
}

/** Credentials go in and never come out: an `Injector` uses them, nothing reads them. All acts are audited. */
export class Vault {
  readonly #store: IdentityStore;
  readonly #keyring: Keyring;
  readonly #audit: AuditLog;
  readonly #clock: Clock;
  readonly #ids: IdSource;
  readonly #rows: CredentialRows;
  readonly #grants: Grants;

  constructor({ store, keyring, audit, clock = systemClock, ids = systemIds }: VaultDeps) {
    this.#store = store;
    this.#keyring = keyring;
    this.#audit = audit;
    this.#clock = clock;
    this.#ids = ids;
    this.#rows = new CredentialRows({ store, keyring, clock });
    this.#grants = new Grants({ store, keyring });
  }

  /** Throws `IDENTITY_CONFLICT` when the reference is taken, unless by an archived credential. */
  async add(context: CallContext, credential: NewCredential): Promise<CredentialDescription> {
    const tenant = requireTenant(context.principal.tenant);
    const parsed = parse(newCredentialSchema, credential, "The credential");
    const secret = parse(secretSchema, parsed.secret, "The secret");
    const reference = parseReference(parsed.reference);
    const id = recordId(reference, parsed.owner);
    const before = await this.#rows.read(tenant, id);
    if (before && before.row.archivedAt === undefined) {
      throw new IdentityError("IDENTITY_CONFLICT", `${reference.text} exists already: rotate it.`);
    }
    const row: CredentialRow = {
      reference: reference.text,
      id: this.#ids.next("crd"),
      kind: secret.kind,
      ...(parsed.owner && { owner: parsed.owner }),
      hosts: parsed.hosts.map((host) => host.toLowerCase()),
      surfaces: [...(parsed.surfaces ?? [defaultSurface(secret)])],
      ...(parsed.principals && { principals: parsed.principals }),
      createdAt: this.#clock.now(),
      versions: [],
    };
    const sealed = await this.#rows.seal(tenant, row, 1, secret);
    row.versions.push({ version: 1, createdAt: row.createdAt, sealed });
    await this.#audit.record(context, { ...audited(row, 1), action: "credential.add" });
    await this.#rows.write(tenant, id, row, before?.recordVersion ?? 0);
    return describeRow(row);
  }

  /** A new version of the same kind; the one before stays open to `@version` for `graceMs` (default 0). */
  async rotate(
    context: CallContext,
    reference: string,
    secret: CredentialSecret,
    { graceMs = 0, owner }: CredentialTarget & { readonly graceMs?: number } = {},
  ): Promise<CredentialDescription> {
    const next = parse(secretSchema, secret, "The secret");
    parse(graceSchema, graceMs, "graceMs");
    return this.#change(context, reference, owner, "credential.rotate", async (row) => {
      if (row.kind !== next.kind) {
        throw new IdentityError("IDENTITY_INVALID", `${row.reference} is of kind ${row.kind}, not ${next.kind}.`);
      }
      const now = this.#clock.now();
      const version = (row.versions.at(-1)?.version ?? 0) + 1;
      const sealed = await this.#rows.seal(context.principal.tenant, row, version, next);
      const older = row.versions.map((each) => ({ ...each, retiresAt: each.retiresAt ?? now + graceMs }));
      return { ...row, versions: [...older.map((each) => purged(each, now)), { version, createdAt: now, sealed }] };
    });
  }

  /** Binds the credential anew: its newest version is opened and sealed again, older ones are purged. */
  async rebind(
    context: CallContext,
    reference: string,
    binding: Partial<CredentialBinding>,
    { owner }: CredentialTarget = {},
  ): Promise<CredentialDescription> {
    return this.#change(context, reference, owner, "credential.rebind", async (row, stored) => {
      const { secret, version } = await this.#rows.openVersion(context.principal.tenant, stored);
      const { surfaces = row.surfaces, hosts = row.hosts, principals = row.principals } = binding;
      const bound = parse(
        newCredentialSchema,
        { reference: row.reference, hosts, surfaces, ...(principals && { principals }), secret },
        "The binding",
      ) as unknown as CredentialRow;
      const next: CredentialRow = {
        ...row,
        hosts: bound.hosts.map((host) => host.toLowerCase()),
        surfaces: [...bound.surfaces],
      };
      if (bound.principals) next.principals = bound.principals;
      const now = this.#clock.now();
      const sealed = await this.#rows.seal(context.principal.tenant, next, version + 1, secret);
      const older = row.versions.map((each) => purged({ ...each, retiresAt: now }, now));
      return { ...next, versions: [...older, { version: version + 1, createdAt: now, sealed }] };
    });
  }

  /** Purges every version's payload and all users' grants; the row and the audit stay. The reference may be used again. */
  async archive(
    context: CallContext,
    reference: string,
    { owner }: CredentialTarget = {},
  ): Promise<CredentialDescription> {
    const now = this.#clock.now();
    return this.#change(context, reference, owner, "credential.archive", async (row, { recordId }) => {
      await this.#grants.removeAll(context.principal.tenant, recordId);
      const versions = row.versions.map((each) => purged({ ...each, retiresAt: now }, now));
      return { ...row, archivedAt: now, versions };
    });
  }

  async describe(
    { principal }: CallContext,
    reference: string,
    { owner }: CredentialTarget = {},
  ): Promise<CredentialDescription | undefined> {
    const found = await this.#rows.read(principal.tenant, recordId(parseReference(reference), owner));
    return found && describeRow(found.row);
  }

  async list(
    { principal }: CallContext,
    query: { readonly vault?: string; readonly cursor?: string; readonly limit?: number } = {},
  ): Promise<Page<CredentialDescription>> {
    const { vault, ...page } = query;
    const prefix = vault === undefined ? "vault://" : `${parseReference(`vault://${vault}/x`).text.slice(0, -1)}`;
    const found = await this.#store.list(requireTenant(principal.tenant), "credential", { ...page, prefix });
    const items = found.items.map(({ body }) => describeRow(parse(rowSchema, body, "A stored credential")));
    return found.cursor === undefined ? { items } : { items, cursor: found.cursor };
  }

  /** Moves data keys to the tenant's current key and purges retired versions. Payloads are not opened. */
  async rewrap(context: CallContext): Promise<{ readonly rewrapped: number }> {
    const tenant = requireTenant(context.principal.tenant);
    const now = this.#clock.now();
    let rewrapped = 0;
    let cursor: string | undefined;
    do {
      const page = await this.#store.list(tenant, "credential", cursor === undefined ? {} : { cursor });
      for (const { id, version: recordVersion, body } of page.items) {
        const row = parse(rowSchema, body, "A stored credential");
        const versions: CredentialVersion[] = [];
        for (const each of row.versions.map((version) => purged(version, now))) {
          versions.push(each.sealed === undefined ? each : { ...each, sealed: await this.#again(tenant, row, each) });
          if (each.sealed !== undefined) rewrapped += 1;
        }
        await this.#rows.write(tenant, id, { ...row, versions }, recordVersion);
      }
      cursor = page.cursor;
    } while (cursor !== undefined);
    await this.#audit.record(context, { action: "credential.rewrap", decision: "allow", details: { rewrapped } });
    return { rewrapped };
  }

  async #again(tenant: string, row: CredentialRow, version: CredentialVersion): Promise<string> {
    const sealed = Buffer.from(version.sealed ?? "", "base64");
    const ring = await this.#keyring.ring(tenant, envelopeKeyId(sealed));
    return rewrapEnvelope(ring, sealed, additional(tenant, row, version.version)).toString("base64");
  }

  async #change(
    context: CallContext,
    reference: string,
    owner: CredentialOwner | undefined,
    action: string,
    change: (row: CredentialRow, stored: StoredCredential) => Promise<CredentialRow>,
  ): Promise<CredentialDescription> {
    const tenant = requireTenant(context.principal.tenant);
    const parsed = parseReference(reference);
    const id = recordId(parsed, owner);
    const stored = await this.#rows.read(tenant, id);
    if (!stored || stored.row.archivedAt !== undefined) throw unknown(parsed);
    const row = await change(stored.row, stored);
    await this.#audit.record(context, { ...audited(row, row.versions.at(-1)?.version ?? 0), action });
    await this.#rows.write(tenant, id, row, stored.recordVersion);
    return describeRow(row);
  }
}

const audited = ({ reference }: CredentialRow, version: number) => ({ decision: "allow", reference, version }) as const;

function purged(version: CredentialVersion, now: number): CredentialVersion {
  if (version.retiresAt === undefined || version.retiresAt > now) return version;
  const { sealed: _, ...rest } = version;
  return rest;
}

function defaultSurface(secret: CredentialSecret): Surface {
  if (secret.kind === "api_key") return { in: secret.in, name: secret.name };
  return { in: "header", name: "authorization" };
}
