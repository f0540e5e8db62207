import type { CredentialOwner } from "../credential.ts";
import { IdentityError } from "../errors.ts";

export interface Reference {
  /** In full, without a version: `vault://default/stripe`. */
  readonly text: string;
  readonly version?: number;
}

const form = /^(?:vault:\/\/([A-Za-z0-9][\w.-]{0,63})\/)?([A-Za-z0-9][\w.-]{0,127})(?:@([1-9]\d{0,5}))?$/;

export function parseReference(text: unknown): Reference {
  const found = typeof text === "string" ? form.exec(text) : null;
  if (!found) {
    throw new IdentityError(
      "IDENTITY_INVALID",
      "A credential reference has the form vault://vault/name, or name, with @version to pin one.",
    );
  }
  const [, vault = "default", name = "", version] = found;
  return { text: `vault://${vault}/${name}`, ...(version === undefined ? {} : { version: Number(version) }) };
}

/** The record's id. The owner is escaped, so that no name can be taken for another's. */
export function recordId({ text }: Reference, owner?: CredentialOwner): string {
  if (owner === undefined) return text;
  const [kind, name] = "user" in owner ? ["user", owner.user] : ["agent", owner.agent];
  return `${text}/${kind}/${encodeURIComponent(name)}`;
}
