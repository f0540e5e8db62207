import type { ToolDescription } from "./tool-source.ts";

interface Posting {
  readonly tool: number;
  readonly weight: number;
}

const K1 = 1.2;
const B = 0.75;
const NAME_WEIGHT = 3;

/** Finds tools by what is written about them: BM25 over names (weighing more), descriptions and argument names. */
export class ToolSearch {
  readonly #tools: readonly ToolDescription[];
  readonly #postings = new Map<string, Posting[]>();

  constructor(tools: readonly ToolDescription[]) {
    this.#tools = tools;
    const counts = tools.map(termCounts);
    const lengths = counts.map((terms) => [...terms.values()].reduce((sum, count) => sum + count, 0));
    const average = lengths.reduce((sum, length) => sum + length, 0) / Math.max(1, lengths.length);
    for (const [tool, terms] of counts.entries()) {
      const norm = K1 * (1 - B + (B * (lengths[tool] ?? 0)) / Math.max(1, average));
      for (const [term, count] of terms) {
        const posting = { tool, weight: (count * (K1 + 1)) / (count + norm) };
        const list = this.#postings.get(term);
        if (list === undefined) this.#postings.set(term, [posting]);
        else list.push(posting);
      }
    }
  }

  search(query: string, limit = 10): readonly ToolDescription[] {
    const scores = new Map<number, number>();
    for (const term of new Set(termsOf(query))) {
      const list = this.#postings.get(term);
      if (list === undefined) continue;
      const rarity = Math.log(1 + (this.#tools.length - list.length + 0.5) / (list.length + 0.5));
      for (const { tool, weight } of list) scores.set(tool, (scores.get(tool) ?? 0) + rarity * weight);
    }
    return [...scores]
      .sort(([a, left], [b, right]) => right - left || a - b)
      .slice(0, limit)
      .flatMap(([index]) => this.#tools[index] ?? []);
  }
}

function termCounts({ name, description = "", inputSchema }: ToolDescription): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  const add = (text: string, weight: number) => {
    for (const term of termsOf(text)) counts.set(term, (counts.get(term) ?? 0) + weight);
  };
  add(name, NAME_WEIGHT);
  add(description, 1);
  const { properties } = Object(inputSchema) as { readonly properties?: object };
  for (const property of Object.keys(properties ?? {})) add(property, 1);
  return counts;
}

/** Words in lower case, camelCase and snake_case taken apart, a plural's s taken off. */
const termsOf = (text: string): readonly string[] =>
  text
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word.length > 1)
    .map((word) => (word.length > 3 && word.endsWith("s") && !word.endsWith("ss") ? word.slice(0, -1) : word));
