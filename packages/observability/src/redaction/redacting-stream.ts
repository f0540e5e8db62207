const LONGEST_WORD = 16_384;
const BEFORE_WORD = 64;
const KEPT_OF_LONG = 1024;
/** Where much is held, this must come before it is tried again to let go: many small chunks must not cost many scans. */
const WORTH_A_TRY = 1024;
const MUCH = 4096;

/**
 * Redacts a stream of bytes whose texts may be cut anywhere. What could still grow into a match is held back: the last
 * word, the 64 bytes before it, and whatever a rule has matched up to the end. Bytes that are no text pass unchanged.
 */
export function redactingStream(redact: (text: string) => string): TransformStream<Uint8Array, Uint8Array> {
  let held = "";
  let stuckAt = -WORTH_A_TRY;
  const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");
  return new TransformStream({
    transform(chunk, controller) {
      held += Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString("latin1");
      if (held.length < stuckAt + WORTH_A_TRY) return;
      const cut = safeCut(held, redact);
      if (cut > 0) {
        controller.enqueue(bytes(redact(held.slice(0, cut))));
        held = held.slice(cut);
      }
      if (held.length > 2 * LONGEST_WORD) held = shorten(held);
      stuckAt = cut === 0 && held.length > MUCH ? held.length : -WORTH_A_TRY;
    },
    flush(controller) {
      if (held !== "") controller.enqueue(bytes(redact(held)));
    },
  });
}

/**
 * A position at which redacting both sides alone gives what redacting the whole gives; 0 when none was found. The steps
 * back double, so that a match that goes on and on costs a few scans and not one for each of its lines.
 */
function safeCut(text: string, redact: (text: string) => string): number {
  const word = /\S*$/.exec(text.slice(-LONGEST_WORD))?.[0].length ?? 0;
  const latest = text.length - word - BEFORE_WORD;
  if (latest <= 0) return 0;
  const whole = redact(text);
  for (let cut = latest, back = BEFORE_WORD; cut > 0; cut = text.lastIndexOf("\n", cut - back), back *= 2) {
    if (redact(text.slice(0, cut)) + redact(text.slice(cut)) === whole) return cut;
    if (cut - back <= 0) return 0;
  }
  return 0;
}

/** Held so long because one match goes on and on: its middle can be forgotten, since it will not be shown. */
const shorten = (text: string): string => text.slice(0, KEPT_OF_LONG) + text.slice(-KEPT_OF_LONG);
