import { inspect } from "node:util";
import fc from "fast-check";
import { expect, test } from "vitest";
import { LeakGuard } from "./leak-guard.ts";
import { findSecret, secretEncodings } from "./testing/canary.ts";

const CANARY = 's3cr3t/+&"<caf\u00e9> \\ 9f';
const secrets = fc.string({ minLength: 8, maxLength: 40, unit: "grapheme" }).filter((text) => text.trim().length >= 8);

async function through(guard: LeakGuard, chunks: readonly Uint8Array[]): Promise<Buffer> {
  const stream = ReadableStream.from(chunks) as ReadableStream<Uint8Array>;
  const out: Uint8Array[] = [];
  for await (const chunk of stream.pipeThrough(guard.stream())) out.push(chunk);
  return Buffer.concat(out);
}

test("every encoding that the canary search knows is removed, for any secret", () => {
  fc.assert(
    fc.property(secrets, (secret) => {
      const guard = new LeakGuard([secret]);
      for (const [name, text] of secretEncodings(secret)) {
        const bytes = Buffer.from(text, name === "utf-16" ? "latin1" : "utf8");
        const clean = guard.redact(Buffer.concat([Buffer.from("~ "), bytes, Buffer.from(" ~")]));
        expect(Buffer.from(clean).indexOf(bytes), `${name}: ${text}`).toBe(-1);
      }
    }),
    { numRuns: 60 },
  );
});

test("a stream is cleaned wherever it is cut, and passes all else through unchanged", async () => {
  const cuts = fc.array(fc.nat(200), { maxLength: 12 });
  const property = fc.asyncProperty(cuts, fc.constantFrom(...secretEncodings(CANARY)), async (at, [name, text]) => {
    const needle = Buffer.from(text, name === "utf-16" ? "latin1" : "utf8");
    const whole = Buffer.concat([
      Buffer.from("before "),
      needle,
      Buffer.from(" between s3cr "),
      needle,
      Buffer.from("%"),
    ]);
    const points = [0, ...at.map((point) => point % whole.length).sort((a, b) => a - b), whole.length];
    const chunks = points.slice(1).map((end, index) => whole.subarray(points[index], end));
    const clean = await through(new LeakGuard([CANARY]), chunks);
    expect(clean.toString("latin1")).toMatch(/^before .*\[redacted\].* between s3cr .*\[redacted\].*%$/s);
    expect(findSecret(clean, CANARY)).toEqual([]);
  });
  await fc.assert(property, { numRuns: 200 });
});

test("text that cannot become a secret is not held back", async () => {
  const guard = new LeakGuard([CANARY]);
  const { readable, writable } = guard.stream();
  const [writer, reader] = [writable.getWriter(), readable.getReader()];
  void writer.write(Buffer.from("data: hello\n\n"));
  expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe("data: hello\n\n");
  void writer.close();
});

test("nested values, errors, maps and headers are cleaned, and what is clean keeps its identity", () => {
  const guard = new LeakGuard(["the-token-1"]);
  const cause = new TypeError("inner the-token-1");
  const error = Object.assign(new Error("the-token-1", { cause }), { detail: ["the-token-1"] });
  const dirty = { error, map: new Map([["the-token-1", 1]]), headers: new Headers({ a: "the-token-1" }), n: 1 };
  const clean = guard.redact(dirty);
  expect(inspect([clean, [...clean.headers]], { depth: 9, showHidden: true })).not.toContain("the-token-1");
  expect(clean.error).toBeInstanceOf(Error);
  expect(inspect(dirty, { depth: 9 })).toContain("the-token-1");
  const fine = { a: [1, { b: "fine" }] };
  expect(guard.redact(fine)).toBe(fine);
});
