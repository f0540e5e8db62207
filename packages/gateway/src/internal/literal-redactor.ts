import type { Redactor } from "../dialect.ts";

const REDACTED = "[redacted]";

/** Takes one string out of values and of streams, wherever the chunks part it. */
export function literalRedactor(secret: string): Redactor {
  return {
    redact: <T>(value: T): T => cleaned(value, secret) as T,
    stream() {
      const decoder = new TextDecoder("latin1");
      const needle = Buffer.from(secret, "utf8").toString("latin1");
      let held = "";
      return new TransformStream<Uint8Array, Uint8Array>({
        transform(chunk, controller) {
          const text = (held + decoder.decode(chunk, { stream: true })).replaceAll(needle, REDACTED);
          const keep = overlap(text, needle);
          held = text.slice(text.length - keep);
          if (text.length > keep) controller.enqueue(Buffer.from(text.slice(0, text.length - keep), "latin1"));
        },
        flush(controller) {
          if (held !== "") controller.enqueue(Buffer.from(held, "latin1"));
        },
      });
    },
  };
}

function cleaned(value: unknown, secret: string): unknown {
  if (typeof value === "string") return value.replaceAll(secret, REDACTED);
  if (Array.isArray(value)) return value.map((each) => cleaned(each, secret));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [key.replaceAll(secret, REDACTED), cleaned(each, secret)]),
  );
}

/** How much of the text's end could be the secret's beginning. */
function overlap(text: string, needle: string): number {
  for (let length = Math.min(needle.length - 1, text.length); length > 0; length--) {
    if (text.endsWith(needle.slice(0, length))) return length;
  }
  return 0;
}
