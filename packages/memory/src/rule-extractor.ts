import type { MemoryEvent } from "./event.ts";
import type { Extraction, ExtractionWindow, Extractor } from "./extractor.ts";
import { sentencesOf } from "./internal/sentences.ts";
import type { RecordKind } from "./record.ts";

export interface ExtractionRule {
  /** Matched against each sentence of a user's turn; its first group is the value. */
  readonly pattern: RegExp;
  /** `{who}` is the speaker, `{value}` the first group. */
  readonly text: string;
  readonly subject?: string;
  readonly kind?: RecordKind;
}

const value = "([^.,;!?]{1,80})";

/** What people say of themselves outright, in English. */
export const defaultRules: readonly ExtractionRule[] = [
  { pattern: new RegExp(`\\bmy name is ${value}`, "iu"), text: "{who} is called {value}.", subject: "name" },
  {
    pattern: new RegExp(`\\bI (?:now )?(?:live in|moved to|have moved to|'ve moved to) ${value}`, "iu"),
    text: "{who} lives in {value}.",
    subject: "home",
  },
  {
    pattern: new RegExp(`\\bI (?:now )?work (?:at|for) ${value}`, "iu"),
    text: "{who} works at {value}.",
    subject: "employer",
  },
  { pattern: new RegExp(`\\bI(?:'m| am) allergic to ${value}`, "iu"), text: "{who} is allergic to {value}." },
  {
    pattern: new RegExp(`\\bI (?:prefer|would rather have) ${value}`, "iu"),
    text: "{who} prefers {value}.",
    kind: "preference",
  },
  {
    pattern: new RegExp(`\\bI (?:really )?(?:like|love) ${value}`, "iu"),
    text: "{who} likes {value}.",
    kind: "preference",
  },
];

/** Needs no model and misses whatever is not said outright: a floor, and a way to test what stands above it. */
export class RuleExtractor implements Extractor {
  readonly #rules: readonly ExtractionRule[];

  constructor({ rules = defaultRules }: { readonly rules?: readonly ExtractionRule[] } = {}) {
    this.#rules = rules;
  }

  async extract({ events }: Pick<ExtractionWindow, "events">): Promise<readonly Extraction[]> {
    return events.flatMap((event) =>
      event.items.flatMap((item) => {
        if (item.type !== "conversational" || item.role !== "user") return [];
        const who = item.speaker ?? event.actor;
        return sentencesOf(item.text).flatMap((sentence) => this.#match(sentence, who, event));
      }),
    );
  }

  #match(sentence: string, who: string, { id, at }: MemoryEvent): Extraction[] {
    return this.#rules.flatMap(({ pattern, text, subject, kind = "fact" }) => {
      const found = pattern.exec(sentence)?.[1]?.trim();
      if (found === undefined || found === "") return [];
      const statement = text.replaceAll("{who}", () => who).replaceAll("{value}", () => found);
      return [{ text: statement, kind, evidence: [id], validFrom: at, ...(subject === undefined ? {} : { subject }) }];
    });
  }
}
