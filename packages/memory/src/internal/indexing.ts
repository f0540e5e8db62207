import type { Batch, Posting } from "../memory-store.ts";
import { numberOf } from "./document-number.ts";
import { keys } from "./keys.ts";
import { passagesOf } from "./passages.ts";
import { termsOf, wordsOf } from "./tokens.ts";

/** Which index: turns of conversations, or long-term records. Each has its own statistics. */
export type Source = "events" | "records";

const prefixes: Readonly<Record<Source, string>> = { events: "e:", records: "r:" };

export const termKey = (source: Source, term: string): string => `${prefixes[source]}${term}`;
export const speakerKey = (word: string): string => `s:${word}`;

export const statisticsOf = (source: Source): readonly [passages: string, length: string, sessions: string] => [
  `${source}.passages`,
  `${source}.length`,
  `${source}.sessions`,
];
export const groupLength = (group: number): string => `group.${group}`;

/** How often vectors of a source changed: what was read of them holds for as long as this stands still. */
export const vectorChanges = (source: Source): string => `${source}.vectors`;

/** Takes a text's vector away, and says so. */
export const withoutVector = (source: Source, text: number): Required<Pick<Batch, "delete" | "add">> => ({
  delete: [keys.vector(source, text)],
  add: [{ counter: vectorChanges(source), by: 1 }],
});

export interface Indexed {
  readonly source: Source;
  readonly group: number;
  readonly position: number;
  readonly text: string;
  /** Words that belong to the text without being in it: who said it, what day it was. They go with every passage. */
  readonly context: string;
  readonly speaker?: string;
}

const dayName = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });

const DAY = 86_400_000;
let last = { day: Number.NaN, name: "" };

/** `8 May 2023`, in UTC: questions about time are asked in such words. What is told is mostly of one day. */
export function dayOf(at: number): string {
  const day = Math.floor(at / DAY);
  if (day !== last.day) last = { day, name: dayName.format(at) };
  return last.name;
}

/** What enters the index with a text. */
export function indexing(indexed: Indexed): Required<Pick<Batch, "post" | "add">> {
  const { source, group, position, text, context, speaker } = indexed;
  const question = text.trimEnd().endsWith("?");
  const post: Posting[] = [];
  let total = 0;
  const passages = text === "" ? [] : passagesOf(text);
  const around = termsOf(context);
  passages.forEach((passage, index) => {
    const terms = [...termsOf(passage), ...around];
    const document = numberOf({ group, position, passage: index, question });
    const length = terms.length;
    total += length;
    const frequencies = new Map<string, number>();
    for (const term of terms) frequencies.set(term, (frequencies.get(term) ?? 0) + 1);
    for (const [term, frequency] of frequencies) {
      post.push({ term: termKey(source, term), document, frequency, length });
    }
    if (index === 0 && speaker !== undefined) {
      for (const word of new Set(wordsOf(speaker))) {
        post.push({ term: speakerKey(word), document, frequency: 1, length });
      }
    }
  });
  const [passageCount, length] = statisticsOf(source);
  const add = [
    { counter: passageCount, by: passages.length },
    { counter: length, by: total },
  ];
  if (source === "events") add.push({ counter: groupLength(group), by: total });
  return { post, add };
}

/** Takes out of the index what `indexing` put in. */
export function unindexing(indexed: Indexed): Required<Pick<Batch, "unpost" | "add">> {
  const { post, add } = indexing(indexed);
  return {
    unpost: post.map(({ term, document }) => ({ term, document })),
    add: add.map(({ counter, by }) => ({ counter, by: -by })),
  };
}
