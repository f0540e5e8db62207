import { MOST_PASSAGES } from "./document-number.ts";

const PASSAGE_CHARACTERS = 300;

/** Cuts a text into passages of about 300 characters, at spaces where there are any. */
export function passagesOf(text: string): string[] {
  if (text.length <= PASSAGE_CHARACTERS) return [text];
  const passages: string[] = [];
  let start = 0;
  while (start < text.length && passages.length < MOST_PASSAGES) {
    const limit = start + PASSAGE_CHARACTERS;
    const space = limit < text.length ? text.lastIndexOf(" ", limit) : limit;
    const end = space > start ? space : limit;
    passages.push(text.slice(start, end));
    start = end;
  }
  return passages;
}
