import fc from "fast-check";
import { expect, test } from "vitest";
import { termsOf, wordsOf } from "./tokens.ts";

test("accents, case and compatibility forms do not tell words apart", () => {
  expect(wordsOf("Café CAFE cafe\u0301 ｃａｆé")).toEqual(["cafe", "cafe", "cafe", "cafe"]);
});

test("direction marks neither join nor hide words", () => {
  expect(wordsOf("\u202eheron\u202c \u200fblue")).toEqual(["heron", "blue"]);
});

test("scripts without spaces are read in pairs, single letters and other scripts whole", () => {
  expect(wordsOf("東京都 я 나무")).toEqual(["東京", "京都", "я", "나무"]);
});

test("stop words are left out and forms of a word share a term", () => {
  expect(termsOf("What are the herons doing with paintings they painted?")).toEqual(["heron", "paint", "paint"]);
});

test("any text gives terms without NUL, and a second reading gives the same", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const terms = termsOf(text);
      expect(terms).toEqual(termsOf(text));
      for (const term of terms) expect(term).not.toContain("\0");
    }),
  );
});
