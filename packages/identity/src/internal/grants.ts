import { createHash } from "node:crypto";
import type { OpenedGrant } from "../access-tokens.ts";
import type { CredentialSecret } from "../credential.ts";
import type { CallContext, Principal } from "../dialect.ts";
import { IdentityError } from "../errors.ts";
import type { IdentityStore } from "../identity-store.ts";
import type { Keyring } from "../keyring.ts";
import { additionalData, envelopeKeyId, openEnvelope, sealEnvelope } from "./envelope.ts";
import type { TokenSet } from "./oauth-server.ts";
import { parseJson } from "./parse.ts";

/** What is kept of a grant. */
export interface Grant extends TokenSet {
  /** Written ahead of a refresh and gone with its answer: found later, it tells of one that was cut off. */
  readonly refreshingSince?: number;
  /** The server takes the refresh token no more: nothing is asked of it until the user agrees again. */
  readonly ended?: { readonly at: number; readonly interrupted: boolean };
}

export interface StoredGrant {
  readonly recordVersion: number;
  readonly grant: Grant;
}

/** Token sets, sealed in the store: one per client and, where grants are a user's own, per user. */
export class Grants {
  readonly #store: IdentityStore;
  readonly #keyring: Keyring;

  constructor({ store, keyring }: { store: IdentityStore; keyring: Keyring }) {
    this.#store = store;
    this.#keyring = keyring;
  }

  async read(tenant: string, id: string): Promise<StoredGrant | undefined> {
    const found = await this.#store.get(tenant, "grant", id);
    if (found === undefined) return undefined;
    const sealed = Buffer.from(String(found.body), "base64");
    const ring = await this.#keyring.ring(tenant, envelopeKeyId(sealed));
    const plain = openEnvelope(ring, sealed, additionalData("grant", tenant, id));
    return { recordVersion: found.version, grant: parseJson(plain.toString("utf8"), "A grant") as Grant };
  }

  /** The record's version as it now stands, or `undefined` when somebody else wrote first. */
  async write(tenant: string, id: string, grant: Grant, expected: number): Promise<number | undefined> {
    const ring = await this.#keyring.ring(tenant);
    const sealed = sealEnvelope(ring, Buffer.from(JSON.stringify(grant)), additionalData("grant", tenant, id));
    const body = sealed.toString("base64");
    return (await this.#store.put(tenant, "grant", id, { body, expected }))?.version;
  }

  async remove(tenant: string, id: string): Promise<void> {
    await this.#store.take(tenant, "grant", id);
  }

  /** Everybody's, of every client that the credential ever named. */
  async removeAll(tenant: string, recordId: string): Promise<void> {
    for (;;) {
      const { items } = await this.#store.list(tenant, "grant", { prefix: `${recordId}@` });
      if (items.length === 0) return;
      for (const { id } of items) await this.remove(tenant, id);
    }
  }
}

/**
 * A user's consent is to a client: it outlives a new client secret or binding, and no other client gets it. Tokens
 * that the client asks for by itself are kept per version.
 */
export function grantId(context: CallContext, opened: Omit<OpenedGrant, "reference">): string {
  const secret = opened.secret as CredentialSecret;
  const { issuer, tokenEndpoint, clientId, resource, audience } = opened.secret;
  const client = [issuer, tokenEndpoint, clientId, resource, audience].map((each) => each ?? null);
  const of = secret.kind === "oauth2_authorization_code" ? client : [opened.version];
  const digest = createHash("sha256")
    .update(JSON.stringify([opened.credential, of]))
    .digest("hex")
    .slice(0, 32);
  const { user, agent, session } = holderOf(context, secret);
  return `${opened.recordId}@${digest}#${[user, agent, session].map((name) => encodeURIComponent(name ?? "")).join("/")}`;
}

/** Whose token it is: one of the installation, of a user, or of the very principal that is named in it. */
function holderOf({ principal }: CallContext, secret: CredentialSecret): Partial<Principal> {
  if (secret.kind === "token_exchange") return principal;
  if (secret.kind !== "oauth2_authorization_code" || secret.grants === "shared") return {};
  if (principal.user === undefined) {
    throw new IdentityError("IDENTITY_CONSENT_REQUIRED", "This credential is a user's own, and no user is named.");
  }
  return { user: principal.user };
}
