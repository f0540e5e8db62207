import { IdentityError } from "./errors.ts";
import type { KeyWrapper } from "./key-wrapper.ts";

/** The two operations this wrapper sends; the AWS SDK's `KMS` class has them. */
export interface KmsClient {
  encrypt(input: {
    KeyId: string;
    Plaintext: Uint8Array;
    EncryptionContext: Record<string, string>;
  }): Promise<{ readonly CiphertextBlob?: Uint8Array | undefined }>;
  decrypt(input: {
    KeyId: string;
    CiphertextBlob: Uint8Array;
    EncryptionContext: Record<string, string>;
  }): Promise<{ readonly Plaintext?: Uint8Array | undefined }>;
}

export interface AwsKmsWrapperDeps {
  readonly kms: KmsClient;
  /** Id, ARN or alias of a symmetric key. */
  readonly keyId: string;
}

const MISMATCHES = new Set(["InvalidCiphertextException", "IncorrectKeyException"]);

/** Wraps with a key of AWS KMS; the tenant is in the encryption context. The wrapping key never leaves AWS. */
export class AwsKmsWrapper implements KeyWrapper {
  readonly #kms: KmsClient;
  readonly #keyId: string;

  constructor({ kms, keyId }: AwsKmsWrapperDeps) {
    this.#kms = kms;
    this.#keyId = keyId;
  }

  async wrap(tenant: string, key: Uint8Array): Promise<Uint8Array> {
    const input = { KeyId: this.#keyId, Plaintext: key, EncryptionContext: contextOf(tenant) };
    const { CiphertextBlob } = await this.#kms.encrypt(input).catch(explain);
    if (CiphertextBlob === undefined) throw unavailable("an empty answer");
    return CiphertextBlob;
  }

  async unwrap(tenant: string, wrapped: Uint8Array): Promise<Uint8Array> {
    const input = { KeyId: this.#keyId, CiphertextBlob: wrapped, EncryptionContext: contextOf(tenant) };
    const { Plaintext } = await this.#kms.decrypt(input).catch(explain);
    if (Plaintext === undefined) throw unavailable("an empty answer");
    return Plaintext;
  }
}

const contextOf = (tenant: string): Record<string, string> => ({ "ashlar:tenant": tenant });

function explain(error: unknown): never {
  const name = (error as { name?: unknown }).name;
  if (typeof name === "string" && MISMATCHES.has(name)) {
    throw new IdentityError("IDENTITY_KEY_MISMATCH", "The KMS key does not open this store.");
  }
  throw unavailable(typeof name === "string" ? name : "no answer");
}

const unavailable = (detail: string): IdentityError =>
  new IdentityError("IDENTITY_KEY_UNAVAILABLE", `AWS KMS did not serve (${detail}).`);
