import fc from "fast-check";
import { expect, test } from "vitest";
import { GatewayError } from "../errors.ts";
import { readSse, sseEvent } from "../http/sse.ts";
import { inspectJson } from "./inspect-json.ts";

const hasProto = (text: string): boolean => text.includes("__proto__");

test("what JSON.stringify writes passes, also with other white space", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 20 }), fc.constantFrom(undefined, 2, "\t"), (value, space) => {
      const text = JSON.stringify(value, null, space);
      fc.pre(!hasProto(text));
      expect(inspectJson(text)).toBe(text);
    }),
  );
});

test("any key given twice in one object is refused, however it is escaped", () => {
  fc.assert(
    fc.property(fc.string(), fc.jsonValue(), (key, value) => {
      const escaped = [...key].map((each) => escapeOf(each)).join("");
      const text = `[{"other":{${JSON.stringify(key)}:1}},{${JSON.stringify(key)}:${JSON.stringify(value)},"${escaped}":2}]`;
      fc.pre(!hasProto(JSON.stringify(value)));
      expect(() => inspectJson(text)).toThrow(GatewayError);
    }),
  );
});

const escapeOf = (character: string): string =>
  Array.from(
    { length: character.length },
    (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`,
  ).join("");

test("events are read back as they were written, however the bytes are cut", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.string({ unit: "grapheme" })), fc.integer({ min: 1, max: 7 }), async (data, size) => {
      const bytes = new TextEncoder().encode(data.map((each, id) => sseEvent({ id: String(id), data: each })).join(""));
      let at = 0;
      const stream = new ReadableStream<Uint8Array>({
        pull(controller) {
          if (at >= bytes.length) return controller.close();
          controller.enqueue(bytes.slice(at, at + size));
          at += size;
        },
      });
      const found: string[] = [];
      for await (const event of readSse(stream)) found.push(event.data);
      expect(found).toEqual(data.map((each) => each.replaceAll(/\r\n|\r/g, "\n")));
    }),
  );
});
