/** A place where a secret was found, and the encoding it was in. */
export interface SecretHit {
  readonly encoding: string;
  /** Index of the byte at which it starts. */
  readonly at: number;
}

/**
 * Every encoding of a secret that a leak may be in, by name. Written apart from the leak guard on purpose: the one is
 * the control of the other.
 */
export function secretEncodings(secret: string): ReadonlyMap<string, string> {
  const raw = Buffer.from(secret, "utf8");
  const json = JSON.stringify(secret).slice(1, -1);
  const encodings = new Map<string, string>([
    ["raw", secret],
    ["url", encodeURIComponent(secret)],
    ["url, lower case", encodeURIComponent(secret).replace(/%../g, (byte) => byte.toLowerCase())],
    ["url, every byte", raw.toString("hex").replace(/../g, "%$&")],
    ["url twice", encodeURIComponent(encodeURIComponent(secret))],
    ["form", new URLSearchParams({ s: secret }).toString().slice(2)],
    ["json", json],
    ["json twice", JSON.stringify(json).slice(1, -1)],
    ["json, slashes escaped", json.replaceAll("/", "\\/")],
    [
      "json, unicode escapes",
      secret
        .split("")
        .map((unit) => `\\u${hex4(unit)}`)
        .join(""),
    ],
    ["html", secret.replace(/[&<>"]/g, (each) => `&#${each.charCodeAt(0)};`)],
    ["hex", raw.toString("hex")],
    ["hex, upper case", raw.toString("hex").toUpperCase()],
    ["utf-16", Buffer.from(secret, "utf16le").toString("latin1")],
  ]);
  for (const offset of [0, 1, 2]) {
    const shifted = Buffer.concat([Buffer.alloc(offset), raw]);
    const first = Math.ceil((offset * 8) / 6);
    const last = Math.floor((shifted.length * 8) / 6);
    encodings.set(`base64, offset ${offset}`, shifted.toString("base64").slice(first, last));
    encodings.set(`base64url, offset ${offset}`, shifted.toString("base64url").slice(first, last));
  }
  return encodings;
}

/** All places where the secret stands in the bytes, in any encoding. Empty means clean. */
export function findSecret(haystack: Uint8Array | string, secret: string): readonly SecretHit[] {
  if (secret.length < 8) throw new TypeError("A canary of fewer than 8 characters is found by chance.");
  const bytes = typeof haystack === "string" ? Buffer.from(haystack, "utf8") : Buffer.from(haystack);
  const hits: SecretHit[] = [];
  for (const [encoding, text] of secretEncodings(secret)) {
    const needle = Buffer.from(text, encoding === "utf-16" ? "latin1" : "utf8");
    for (let at = bytes.indexOf(needle); at >= 0; at = bytes.indexOf(needle, at + 1)) hits.push({ encoding, at });
  }
  return hits;
}

const hex4 = (unit: string): string => unit.charCodeAt(0).toString(16).padStart(4, "0");
