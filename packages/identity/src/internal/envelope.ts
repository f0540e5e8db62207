import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, randomBytes } from "node:crypto";
import { IdentityError } from "../errors.ts";
import type { BoundedMap } from "./cache.ts";

/**
 * `1 | length of key id | key id | wrapped data key (12 + 32 + 16) | nonce (12) | ciphertext | tag (16)`.
 * Every sealed thing has a data key of its own (AES-256-GCM), so that a nonce never meets its key twice.
 */
const FORMAT = 1;
const NONCE = 12;
const TAG = 16;
const DATA_KEY = 32;
const WRAPPED = NONCE + DATA_KEY + TAG;

export interface KeyRing {
  readonly current: string;
  readonly keys: ReadonlyMap<string, KeyObject>;
  /** Data keys that were opened, by their wrapped bytes: here as long as the keys that open them, and no longer. */
  readonly dataKeys: BoundedMap<string, KeyObject>;
}

export function sealEnvelope(ring: KeyRing, plain: Uint8Array, additional: Uint8Array): Buffer {
  const dataKey = randomBytes(DATA_KEY);
  const head = wrapDataKey(ring, dataKey, additional);
  const sealed = Buffer.concat([head, encrypt(createSecretKey(dataKey), plain, additional)]);
  dataKey.fill(0);
  return sealed;
}

export function openEnvelope(ring: KeyRing, sealed: Uint8Array, additional: Uint8Array): Buffer {
  const start = headLength(sealed);
  const head = Buffer.from(sealed.buffer, sealed.byteOffset, start).toString("latin1");
  let key = ring.dataKeys.get(head);
  if (key === undefined) {
    const { dataKey } = unwrapDataKey(ring, sealed, additional);
    key = createSecretKey(dataKey);
    dataKey.fill(0);
    ring.dataKeys.set(head, key);
  }
  return decrypt(key, sealed.subarray(start), additional);
}

/** Wraps the data key with the ring's current key; the payload's bytes stay as they are. */
export function rewrapEnvelope(ring: KeyRing, sealed: Uint8Array, additional: Uint8Array): Buffer {
  const { dataKey, payload } = unwrapDataKey(ring, sealed, additional);
  const rewrapped = Buffer.concat([wrapDataKey(ring, dataKey, additional), payload]);
  dataKey.fill(0);
  return rewrapped;
}

export function envelopeKeyId(sealed: Uint8Array): string {
  return Buffer.from(sealed.subarray(2, headLength(sealed) - WRAPPED)).toString("latin1");
}

/** Where the payload begins. */
function headLength(sealed: Uint8Array): number {
  const length = 2 + (sealed[1] ?? 0) + WRAPPED;
  if (sealed[0] !== FORMAT || sealed.length < length + NONCE + TAG) throw refused();
  return length;
}

/** AES-256-GCM as `nonce | ciphertext | tag`. A key object is four times faster here than its bytes. */
export function encrypt(key: KeyObject, plain: Uint8Array, additional: Uint8Array): Buffer {
  const nonce = randomBytes(NONCE);
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(additional);
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** Throws `IDENTITY_CIPHERTEXT_REFUSED` when key, bytes or additional data are not those it was made with. */
export function decrypt(key: KeyObject, sealed: Uint8Array, additional: Uint8Array): Buffer {
  if (sealed.length < NONCE + TAG) throw refused();
  const decipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(0, NONCE), { authTagLength: TAG })
    .setAAD(additional)
    .setAuthTag(sealed.subarray(-TAG));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(NONCE, -TAG)), decipher.final()]);
  } catch {
    throw refused();
  }
}

/** Additional data that no two different lists of parts share. */
export const additionalData = (...parts: readonly unknown[]): Buffer => Buffer.from(JSON.stringify(parts));

function wrapDataKey({ current, keys }: KeyRing, dataKey: Uint8Array, additional: Uint8Array): Buffer {
  const key = keys.get(current);
  if (key === undefined) throw refused();
  const id = Buffer.from(current, "latin1");
  return Buffer.concat([Buffer.from([FORMAT, id.length]), id, encrypt(key, dataKey, additional)]);
}

function unwrapDataKey(
  { keys }: KeyRing,
  sealed: Uint8Array,
  additional: Uint8Array,
): { dataKey: Buffer; payload: Uint8Array } {
  const id = envelopeKeyId(sealed);
  const key = keys.get(id);
  if (key === undefined) throw refused();
  const start = headLength(sealed);
  const dataKey = decrypt(key, sealed.subarray(start - WRAPPED, start), additional);
  return { dataKey, payload: sealed.subarray(start) };
}

const refused = (): IdentityError =>
  new IdentityError(
    "IDENTITY_CIPHERTEXT_REFUSED",
    "A sealed record does not open: it was changed, moved from another row, or sealed under a key that is gone.",
  );
