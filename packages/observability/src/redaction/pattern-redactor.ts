import { RE2JS } from "re2js";
import type { Redactor } from "../dialect.ts";
import { ObservabilityError } from "../errors.ts";
import { redactingStream } from "./redacting-stream.ts";
import { type BuiltInRule, builtInRules } from "./rules.ts";

export interface RedactionRule {
  /** Stands in the text instead of the match: `[redacted:name]`. */
  readonly name: string;
  /** RE2 syntax (no look-around, no back-references): matching takes time linear in the text. */
  readonly pattern: string;
}

export interface PatternRedactorOptions {
  /** Keys, tokens, passwords. On when absent. */
  readonly secrets?: boolean;
  /** Addresses, cards, bank accounts, telephone and social security numbers. On when absent. */
  readonly personalData?: boolean;
  readonly rules?: readonly RedactionRule[];
  /** Names, besides the built-in ones, whose text values are replaced whole wherever they are a property's or attribute's name. */
  readonly keys?: readonly string[];
}

type Replace = (text: string) => string;

/** Where one of these is the last part of a property's name (`db.password`, `X-Api-Key`), its text value is replaced whole. */
const sensitiveKey =
  /(?:^|[._\- ])(?:authorization|proxy-authorization|cookie|set-cookie|pass(?:word|wd|phrase)|secret|api[_-]?key|private[_-]?key|secret[_-]?key|access[_-]?key|(?:client|shared)[_-]?secret|(?:access|refresh|auth|id|session|bearer|api)[_-]?token|token|credentials?)$/i;
const camelParts = /([a-z0-9])([A-Z])/g;

const DEEPEST = 64;
/** Short texts found clean are remembered: span attributes repeat. */
const REMEMBERED = 4096;

/** Replaces secrets and personal data that it knows by their form. It cannot know a secret that looks like ordinary text. */
export class PatternRedactor implements Redactor {
  readonly #replacements: readonly Replace[];
  readonly #keys: ReadonlySet<string>;
  readonly #sensitive = new Map<string, boolean>();
  readonly #clean = new Set<string>();

  constructor({ secrets = true, personalData = true, rules = [], keys = [] }: PatternRedactorOptions = {}) {
    this.#keys = new Set(keys.map((key) => key.toLowerCase()));
    this.#replacements = [
      ...rules.map(custom),
      ...builtInRules.filter(({ group }) => (group === "secret" ? secrets : personalData)).map(builtIn),
    ];
  }

  /** Texts, and texts inside arrays and plain objects, their names too. What has nothing to hide comes back as the same object. */
  redact<T>(value: T): T {
    return this.#value(value, 0) as T;
  }

  stream(): TransformStream<Uint8Array, Uint8Array> {
    return redactingStream((text) => this.#scan(text));
  }

  #text(text: string): string {
    if (text.length < 6) return text;
    if (text.length > 96) return this.#scan(text);
    if (this.#clean.has(text)) return text;
    const redacted = this.#scan(text);
    if (redacted === text) {
      if (this.#clean.size >= REMEMBERED) this.#clean.clear();
      this.#clean.add(text);
    }
    return redacted;
  }

  #scan(text: string): string {
    let result = text;
    for (const replace of this.#replacements) result = replace(result);
    return result;
  }

  #value(value: unknown, depth: number): unknown {
    if (typeof value === "string") return this.#text(value);
    if (typeof value !== "object" || value === null) return value;
    if (depth > DEEPEST) return "[redacted:too-deep]";
    if (Array.isArray(value)) {
      let copy: unknown[] | undefined;
      for (let index = 0; index < value.length; index++) {
        const redacted = this.#value(value[index], depth + 1);
        if (redacted === value[index]) continue;
        copy ??= [...value];
        copy[index] = redacted;
      }
      return copy ?? value;
    }
    const prototype: unknown = Object.getPrototypeOf(value);
    return prototype === Object.prototype || prototype === null ? this.#record(value, depth) : value;
  }

  #record(record: object, depth: number): object {
    let changed = false;
    const entries = Object.entries(record).map(([name, value]) => {
      const cleanName = this.#text(name);
      const cleanValue = this.#hides(name) ? hidden(value) : this.#value(value, depth + 1);
      if (cleanName !== name || cleanValue !== value) changed = true;
      return [cleanName, cleanValue] as const;
    });
    return changed ? Object.fromEntries(entries) : record;
  }

  #hides(name: string): boolean {
    let sensitive = this.#sensitive.get(name);
    if (sensitive === undefined) {
      const spaced = name.replace(camelParts, "$1_$2");
      sensitive = sensitiveKey.test(spaced) || this.#keys.has(name.toLowerCase());
      if (this.#sensitive.size >= REMEMBERED) this.#sensitive.clear();
      this.#sensitive.set(name, sensitive);
    }
    return sensitive;
  }
}

/** Several redactors as one; each sees what the one before it left. */
export function combineRedactors(...redactors: readonly Redactor[]): Redactor {
  return {
    redact: (value) => redactors.reduce((left, redactor) => redactor.redact(left), value),
    stream() {
      const [first, ...rest] = redactors.map((redactor) => redactor.stream());
      if (first === undefined) return new TransformStream();
      return {
        writable: first.writable,
        readable: rest.reduce((left, next) => left.pipeThrough(next), first.readable),
      };
    },
  };
}

const hidden = (value: unknown): unknown => {
  if (typeof value === "string") return value === "" ? value : "[redacted:key]";
  if (Array.isArray(value)) return value.map(hidden);
  if (typeof value === "object" && value !== null) return "[redacted:key]";
  return value;
};

function builtIn({ name, hints, pattern, keepsPrefix, check }: BuiltInRule): Replace {
  const mark = `[redacted:${name}]`;
  const replacer = (match: string, ...rest: unknown[]): string => {
    if (check !== undefined && !check(match)) return match;
    return keepsPrefix === true ? `${String(rest[0])}${mark}` : mark;
  };
  const possible = (text: string): boolean => {
    if (hints === undefined) return true;
    return hints instanceof RegExp ? hints.test(text) : hints.some((hint) => text.includes(hint));
  };
  return (text) => (possible(text) ? text.replace(pattern, replacer) : text);
}

function custom({ name, pattern }: RedactionRule): Replace {
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(pattern);
  } catch (cause) {
    throw new ObservabilityError(
      "OBSERVABILITY_INVALID",
      `The redaction rule ${name} is not a pattern in RE2's syntax.`,
      { cause },
    );
  }
  const mark = RE2JS.quoteReplacement(`[redacted:${name}]`);
  return (text) => compiled.matcher(text).replaceAll(mark);
}
