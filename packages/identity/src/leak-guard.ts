import type { Redactor } from "./dialect.ts";
import { redactValue } from "./internal/redact-value.ts";
import { Spellings } from "./internal/spellings.ts";

/** Stands where a secret was. */
export const REDACTED: string = "[redacted]";

const SHORTEST = 4;
/** Short-lived tokens come and go: beyond this many the oldest are forgotten. */
const MOST = 2000;

/**
 * Removes secrets that it was told, in every form they may come back in: raw, percent-, JSON-, HTML- and
 * `\x`-escaped (mixed and doubled too), hexadecimal, base64 and base64url at each of the three alignments and wrapped
 * over lines, UTF-16. It does not decompress or decrypt: put it after decoding. A text that shrinks or grows keeps
 * no `content-length`.
 */
export class LeakGuard implements Redactor {
  readonly #secrets = new Set<string>();
  #compiled: Spellings | undefined;

  constructor(secrets: Iterable<string> = []) {
    for (const secret of secrets) this.add(secret);
  }

  /** Texts shorter than four characters are ignored: they would redact half of everything. */
  add(secret: string): void {
    if (secret.length < SHORTEST || this.#secrets.has(secret)) return;
    this.#secrets.add(secret);
    this.#compiled?.add(secret);
    if (this.#secrets.size <= MOST) return;
    for (const oldest of [...this.#secrets].slice(0, MOST / 10)) this.#secrets.delete(oldest);
    this.#compiled = undefined;
  }

  redact<T>(value: T): T {
    const spellings = this.#spellings();
    return spellings.empty ? value : redactValue(value, (bytes) => replace(spellings, bytes, true)?.bytes);
  }

  stream(): TransformStream<Uint8Array, Uint8Array> {
    let held: Uint8Array = new Uint8Array(0);
    return new TransformStream({
      transform: (chunk, controller) => {
        const data = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
        const replaced = replace(this.#spellings(), data, false);
        const bytes = replaced?.bytes ?? data;
        held = data.slice(replaced?.undecided ?? data.length);
        if (bytes.length > 0) controller.enqueue(bytes);
      },
      flush: (controller) => {
        const bytes = replace(this.#spellings(), held, true)?.bytes ?? held;
        if (bytes.length > 0) controller.enqueue(bytes);
      },
    });
  }

  #spellings(): Spellings {
    if (this.#compiled === undefined) {
      this.#compiled = new Spellings();
      for (const secret of this.#secrets) this.#compiled.add(secret);
    }
    return this.#compiled;
  }
}

/** `undefined` when nothing has to change; `undecided` is where the bytes end in what may be half a secret. */
function replace(
  spellings: Spellings,
  data: Uint8Array,
  final: boolean,
): { readonly bytes: Uint8Array; readonly undecided: number } | undefined {
  const marker = Buffer.from(REDACTED);
  const kept: Uint8Array[] = [];
  let from = 0;
  let at = 0;
  while (at < data.length) {
    const match = spellings.at(data, at, final);
    if (match === "partial") break;
    if (match === undefined) {
      at += 1;
      continue;
    }
    kept.push(data.subarray(from, at), marker);
    from = match;
    at = match;
  }
  if (kept.length === 0 && at >= data.length) return undefined;
  kept.push(data.subarray(from, at));
  return { bytes: Buffer.concat(kept), undecided: at };
}
