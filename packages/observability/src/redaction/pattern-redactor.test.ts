import fc from "fast-check";
import { expect, test } from "vitest";
import { hostile } from "../../../../test/support/hostile.ts";
import { combineRedactors, PatternRedactor } from "./pattern-redactor.ts";
import { redactingStream } from "./redacting-stream.ts";

const redactor = new PatternRedactor();
const jwt = `eyJhbGciOiJIUzI1NiJ9.${"eyJzdWIiOiIxMjM0NTY3ODkwIn0"}.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U`;
const key = `-----BEGIN RSA PRIVATE KEY-----\n${"MIIEowIBAAKCAQEA\n".repeat(40)}-----END RSA PRIVATE KEY-----`;

const planted = {
  "api-key": "sk-ant-REDACTME0123456789abcdef",
  "aws-key": "AKIAREDACTME01234567",
  "github-token": "ghp_REDACTME0123456789abcdefghij",
  jwt,
  "private-key": key,
  card: "4111 1111 1111 1111",
  iban: "DE89 3704 0044 0532 0130 00",
  email: "redact.me@example.com",
  "us-ssn": "078-05-1120",
  phone: "+49 30 1234 5678",
} as const;

test.each(Object.entries(planted))("finds %s inside a sentence and in JSON", (name, secret) => {
  expect(redactor.redact(`before ${secret} after`)).toBe(`before [redacted:${name}] after`);
  expect(JSON.stringify(redactor.redact({ a: [{ b: `x ${secret}` }] }))).toContain(`[redacted:${name}]`);
});

test("keeps what says where a secret stood", () => {
  expect(redactor.redact("Authorization: Bearer abcdefgh12345678")).toBe(
    "Authorization: Bearer [redacted:authorization]",
  );
  expect(redactor.redact("postgres://app:hunter2@db/main")).toBe("postgres://[redacted:url-password]@db/main");
  expect(redactor.redact('{"password": "hunter22"}')).toBe('{"password": "[redacted:assigned-secret]"}');
  expect(redactor.redact({ apiKey: "plain", "db.password": "plain", "gen_ai.usage.input_tokens": 5 })).toEqual({
    apiKey: "[redacted:key]",
    "db.password": "[redacted:key]",
    "gen_ai.usage.input_tokens": 5,
  });
});

test("leaves alone what only looks like one, and gives the same object back", () => {
  const value = {
    id: "ses_0197f3aa0000700080000000000000aa",
    at: "1700000000000000000",
    card: "4111 1111 1111 1112",
    tokens: "the token count",
  };
  expect(redactor.redact(value)).toBe(value);
});

test("groups can be switched off and rules added", () => {
  const own = new PatternRedactor({
    personalData: false,
    rules: [{ name: "ticket", pattern: "T-\\d+" }],
    keys: ["Nickname"],
  });
  expect(own.redact({ a: "T-9421 a@example.com", nickname: "bo" })).toEqual({
    a: "[redacted:ticket] a@example.com",
    nickname: "[redacted:key]",
  });
  expect(() => new PatternRedactor({ rules: [{ name: "bad", pattern: "(?=x)" }] })).toThrow(/RE2/);
});

async function through(chunks: readonly Uint8Array[], by = redactor): Promise<Buffer> {
  const stream = ReadableStream.from(chunks);
  return Buffer.from(await new Response(stream.pipeThrough(by.stream())).arrayBuffer());
}

const cutAt = (text: string, cuts: readonly number[]): Uint8Array[] => {
  const bytes = Buffer.from(text);
  const edges = [0, ...[...cuts].map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return edges.slice(1).map((edge, index) => bytes.subarray(edges[index], edge));
};

test("a stream gives what the whole text gives, wherever it is cut", async () => {
  const word = fc.oneof(
    fc.constantFrom(...Object.values(planted)),
    fc.string({ maxLength: 40 }),
    fc.constant("filler ".repeat(30)),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(word, { maxLength: 8 }), fc.array(fc.nat(), { maxLength: 12 }), async (words, cuts) => {
      const text = words.join(" ");
      const secrets = Object.values(planted).filter(
        (secret) => redactor.redact(text).includes(secret) === false && text.includes(secret),
      );
      const out = (await through(cutAt(text, cuts))).toString("latin1");
      for (const secret of secrets) expect(out).not.toContain(secret);
    }),
    { numRuns: 200 },
  );
});

test("bytes that are no text pass a stream unchanged", async () => {
  const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, index) => (index * 131) % 256));
  expect(await through([bytes.subarray(0, 33_333), bytes.subarray(33_333)])).toEqual(bytes);
});

hostile("a secret split over stream chunks", {
  control: "redacting each chunk alone lets both halves through",
  unguarded() {
    const halves = cutAt(`x ${planted["api-key"]} y`, [12]).map((each) =>
      redactor.redact(Buffer.from(each).toString()),
    );
    expect(halves.join("")).toContain("REDACTME");
  },
  async guarded() {
    for (let cut = 1; cut < 30; cut++) {
      expect(String(await through(cutAt(`x ${planted["api-key"]} y`, [cut])))).toBe("x [redacted:api-key] y");
    }
  },
});

hostile("a private key that never ends, in a stream", {
  control: "a buffer of 32 KiB is exceeded, and what follows it passes",
  unguarded() {
    expect(redactor.redact("MIIEowIBAAKCAQEA\n".repeat(10))).toContain("MIIE");
  },
  async guarded() {
    const endless = `-----BEGIN PRIVATE KEY-----\n${"MIIEowIBAAKCAQEA\n".repeat(20_000)}`;
    expect(
      String(
        await through(
          cutAt(
            endless,
            Array.from({ length: 40 }, (_, n) => n * 8000),
          ),
        ),
      ),
    ).toBe("[redacted:private-key]");
  },
});

hostile("a stream that never lets go, in many small chunks", {
  control: "one try at each of its lines would be a hundred thousand scans",
  unguarded: () => expect(("x\n".repeat(10_000).match(/\n/g)?.length ?? 0) * 20).toBeGreaterThan(100_000),
  async guarded() {
    let scanned = 0;
    const counting = redactingStream((text) => {
      scanned += 1;
      return text.startsWith("-----BEGIN") ? "[redacted]" : text;
    });
    const writer = counting.writable.getWriter();
    const out = new Response(counting.readable).text();
    for (let chunk = 0; chunk < 2000; chunk++)
      await writer.write(Buffer.from(chunk === 0 ? "-----BEGIN\n" : "x\nx\nx\nx\nx\n"));
    await writer.close();
    expect(await out).toBe("[redacted]");
    expect(scanned).toBeLessThan(20_000);
  },
});

hostile("secrets in attribute names", {
  control: "redacting values alone keeps the name",
  unguarded: () => expect(Object.keys({ [`x ${planted["api-key"]}`]: 1 })[0]).toContain("REDACTME"),
  guarded: () => expect(JSON.stringify(redactor.redact({ [`x ${planted["api-key"]}`]: 1 }))).not.toContain("REDACTME"),
});

hostile("text made to stall the patterns", {
  control: "a pattern with nested repetition needs more than 2^20 steps for 26 characters",
  unguarded() {
    const steps = (text: string, at = 0): number =>
      at >= text.length ? 1 : 1 + steps(text, at + 1) + (at + 2 <= text.length ? steps(text, at + 2) : 0);
    expect(steps("a".repeat(26))).toBeGreaterThan(2 ** 18);
  },
  guarded() {
    const traps = [
      "eyJ-",
      "a@",
      "-----BEGIN PRIVATE KEY-----",
      "bearer ",
      "://a:",
      "password=",
      "4111 ",
      "DE89 ",
      "+1 ",
      "a.",
      "password: ",
      "ghp_",
      "gh",
      "0-",
    ];
    for (const trap of traps) expect(typeof redactor.redact(trap.repeat(100_000 / trap.length))).toBe("string");
  },
});

test("several redactors run in turn, as values and as streams", async () => {
  const both = combineRedactors(
    new PatternRedactor({ rules: [{ name: "one", pattern: "alpha" }] }),
    new PatternRedactor({ rules: [{ name: "two", pattern: "beta" }] }),
  );
  expect(both.redact("alpha beta")).toBe("[redacted:one] [redacted:two]");
  expect(String(await through([Buffer.from("alpha beta")], both as PatternRedactor))).toBe(
    "[redacted:one] [redacted:two]",
  );
});
