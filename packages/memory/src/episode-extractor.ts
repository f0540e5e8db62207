import type { MemoryEvent, Role } from "./event.ts";
import type { Extraction, ExtractionWindow, Extractor } from "./extractor.ts";

const broke =
  /\b(?:errors?|failed|failure|exception|wrong|(?:does|did)(?:n't| not) (?:work|help)|still broken|not what i)\b/iu;
const solved = /\b(?:thanks|thank you|works now|that (?:works|worked|helped)|perfect|solved|fixed it)\b/iu;

interface Said {
  readonly role: Role;
  readonly text: string;
  readonly event: MemoryEvent;
}

/**
 * Cuts a session into episodes by rules, in English: what was asked, what was done, how it ended. The ending is what the
 * asker says next, else what a tool reported; `metadata.outcome` is `succeeded`, `failed` or `unclear`.
 */
export class EpisodeExtractor implements Extractor {
  async extract({ events }: Pick<ExtractionWindow, "events">): Promise<readonly Extraction[]> {
    const said = events.flatMap((event): Said[] =>
      event.items.flatMap((item) =>
        item.type === "conversational" ? [{ role: item.role, text: item.text.trim(), event }] : [],
      ),
    );
    const starts = said.flatMap(({ role }, index) => (role === "user" ? [index] : []));
    return starts.flatMap((start, index) => {
      const [asked, ...done] = said.slice(start, starts[index + 1]);
      const next = said[starts[index + 1] ?? -1];
      return asked === undefined || done.length === 0 ? [] : [episode(asked, done, next)];
    });
  }
}

function episode(asked: Said, done: readonly Said[], next: Said | undefined): Extraction {
  const outcome = verdict(next?.text) ?? verdict(done.findLast(({ role }) => role === "tool")?.text) ?? "unclear";
  const steps = done.map(({ role, text }) => `${role}: ${short(text)}`).slice(-6);
  return {
    text: `Asked: ${short(asked.text)}\nDone: ${steps.join("; ")}\nOutcome: ${outcome}.`,
    kind: "episode",
    metadata: { outcome, asked: short(asked.text), did: short(steps.join("; ")) },
    evidence: [...new Set([asked, ...done].map(({ event }) => event.id))],
    validFrom: asked.event.at,
  };
}

function verdict(text: string | undefined): "succeeded" | "failed" | undefined {
  if (text === undefined) return undefined;
  if (broke.test(text)) return "failed";
  return solved.test(text) ? "succeeded" : undefined;
}

const short = (text: string): string => {
  const line = text.replace(/\s+/g, " ").replace(/\p{Surrogate}/gu, "");
  return line.length <= 200 ? line : `${line.slice(0, 199).replace(/\p{Surrogate}$/u, "")}…`;
};
