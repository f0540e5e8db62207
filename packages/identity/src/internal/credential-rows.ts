import type { CredentialDescription, CredentialOwner, CredentialSecret } from "../credential.ts";
import type { CallContext, Clock, Json, Principal } from "../dialect.ts";
import { IdentityError } from "../errors.ts";
import type { IdentityStore, StoredRecord } from "../identity-store.ts";
import type { Keyring } from "../keyring.ts";
import { additionalData, envelopeKeyId, openEnvelope, sealEnvelope } from "./envelope.ts";
import { parse, parseJson, requireTenant } from "./parse.ts";
import { parseReference, type Reference, recordId } from "./reference.ts";
import { type CredentialRow, rowSchema } from "./schemas.ts";

export interface StoredCredential {
  readonly recordId: string;
  readonly recordVersion: number;
  readonly row: CredentialRow;
}

export interface OpenedCredential extends StoredCredential {
  readonly version: number;
  readonly secret: CredentialSecret;
}

/** Reads, opens and writes credentials. Stays inside the package: only those who make the call see a value. */
export class CredentialRows {
  readonly #store: IdentityStore;
  readonly #keyring: Keyring;
  readonly #clock: Clock;

  constructor({ store, keyring, clock }: { store: IdentityStore; keyring: Keyring; clock: Clock }) {
    this.#store = store;
    this.#keyring = keyring;
    this.#clock = clock;
  }

  async read(tenant: string, id: string): Promise<StoredCredential | undefined> {
    const found = await this.#store.get(requireTenant(tenant), "credential", id);
    return found && credentialOf(found);
  }

  /** The credential that a reference means for this principal: the user's own, the agent's, the tenant's. */
  async resolve({ principal }: CallContext, reference: Reference): Promise<StoredCredential> {
    const ids = owners(principal).map((owner) => recordId(reference, owner));
    for (const found of await this.#store.getMany(requireTenant(principal.tenant), "credential", ids)) {
      if (found === undefined) continue;
      const credential = credentialOf(found);
      if (credential.row.archivedAt === undefined) return credential;
    }
    throw unknown(reference);
  }

  async open(context: CallContext, text: string): Promise<OpenedCredential> {
    const reference = parseReference(text);
    const stored = await this.resolve(context, reference);
    return this.openVersion(context.principal.tenant, stored, reference.version);
  }

  async openVersion(tenant: string, stored: StoredCredential, pinned?: number): Promise<OpenedCredential> {
    const { versions } = stored.row;
    const wanted = pinned === undefined ? versions.at(-1) : versions.find(({ version }) => version === pinned);
    const retired = wanted?.retiresAt !== undefined && wanted.retiresAt <= this.#clock.now();
    if (wanted?.sealed === undefined || retired) throw unknown({ text: stored.row.reference });
    const sealed = Buffer.from(wanted.sealed, "base64");
    const ring = await this.#keyring.ring(tenant, envelopeKeyId(sealed));
    const plain = openEnvelope(ring, sealed, additional(tenant, stored.row, wanted.version));
    const secret = parseJson(plain.toString("utf8"), "A credential") as CredentialSecret;
    plain.fill(0);
    return { ...stored, version: wanted.version, secret };
  }

  async seal(tenant: string, row: CredentialRow, version: number, secret: CredentialSecret): Promise<string> {
    const ring = await this.#keyring.ring(tenant);
    return sealEnvelope(ring, Buffer.from(JSON.stringify(secret)), additional(tenant, row, version)).toString("base64");
  }

  async write(tenant: string, id: string, row: CredentialRow, expected: number): Promise<void> {
    const body = JSON.parse(JSON.stringify(row)) as Json;
    if (await this.#store.put(tenant, "credential", id, { body, expected })) return;
    throw new IdentityError(
      "IDENTITY_CONFLICT",
      expected === 0 ? `${row.reference} exists already: rotate it.` : `${row.reference} was changed meanwhile.`,
    );
  }
}

/** The row's binding is covered too: who changes hosts in the database gets a row that does not open. */
export function additional(tenant: string, row: CredentialRow, version: number): Buffer {
  const { reference, id, kind, owner, hosts, surfaces, principals } = row;
  const bound = [owner ?? null, hosts, surfaces.map((each) => [each.in, each.name])];
  const who = [principals?.agents ?? null, principals?.users ?? null];
  return additionalData("credential", tenant, reference, id, version, kind, bound, who);
}

export function describeRow({ versions, ...row }: CredentialRow): CredentialDescription {
  return {
    ...row,
    versions: versions.map(({ sealed: _, ...version }) => version),
  };
}

export function mayUse({ principals }: Pick<CredentialRow, "principals">, { agent, user }: Principal): boolean {
  const allows = (names: readonly string[] | undefined, name: string | undefined) =>
    names === undefined || (name !== undefined && names.includes(name));
  return allows(principals?.agents, agent) && allows(principals?.users, user);
}

/** Every live credential that the principal may use: its own, its agent's and the tenant's. */
export async function usableRows(store: IdentityStore, principal: Principal): Promise<readonly StoredCredential[]> {
  const { user, agent } = principal;
  const found: StoredCredential[] = [];
  let cursor: string | undefined;
  do {
    const query = cursor === undefined ? {} : { cursor };
    const page = await store.list(requireTenant(principal.tenant), "credential", query);
    for (const each of page.items) {
      const credential = credentialOf(each);
      const { row } = credential;
      const { owner } = row;
      const own = owner === undefined || ("user" in owner ? owner.user === user : owner.agent === agent);
      if (own && row.archivedAt === undefined && mayUse(row, principal)) {
        found.push(credential);
      }
    }
    cursor = page.cursor;
  } while (cursor !== undefined);
  return found;
}

const credentialOf = ({ id, version, body }: StoredRecord): StoredCredential => ({
  recordId: id,
  recordVersion: version,
  row: parse(rowSchema, body, "A stored credential"),
});

const owners = ({ user, agent }: Principal): readonly (CredentialOwner | undefined)[] => [
  ...(user === undefined ? [] : [{ user }]),
  ...(agent === undefined ? [] : [{ agent }]),
  undefined,
];

/** The same words whether it never was, is another tenant's, or was archived. */
export const unknown = ({ text }: Reference): IdentityError =>
  new IdentityError("IDENTITY_REFERENCE_UNKNOWN", `There is no credential ${text} for this principal.`);
