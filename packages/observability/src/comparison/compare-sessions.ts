import { diffArrays } from "diff";
import type { Json } from "../dialect.ts";
import type { SessionEvent } from "../session-event.ts";
import { sideFigures } from "./side-figures.ts";

/** `same` and `changed` have both sides; `changed` is the same step or type with another body. */
export interface ComparedRow {
  readonly kind: "same" | "changed" | "left" | "right";
  readonly left?: SessionEvent;
  readonly right?: SessionEvent;
}

/** What one side did after the past that both share. */
export interface SideFigures {
  readonly session: string;
  readonly events: number;
  /** Tries of steps that ran in this session, by step name. */
  readonly executed: Readonly<Record<string, number>>;
  /** Steps whose results were taken from another session's record: nothing happened outside. */
  readonly recorded: Readonly<Record<string, number>>;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly costMicros: number;
  /** Milliseconds from the first event after the shared past to the last. */
  readonly tookMs: number;
}

export interface SessionComparison {
  /** Events at the beginning that both sessions have: the past before a fork. */
  readonly shared: number;
  /** What follows, aligned by type and step; both sides in their order. */
  readonly rows: readonly ComparedRow[];
  readonly left: SideFigures;
  readonly right: SideFigures;
}

const FURTHEST = 1500;

/** Two sessions, of which one is often a fork of the other, beside each other. */
export function compareSessions(left: readonly SessionEvent[], right: readonly SessionEvent[]): SessionComparison {
  let shared = 0;
  while (shared < left.length && shared < right.length && left[shared]?.id === right[shared]?.id) shared++;
  const [ours, theirs] = [left.slice(shared), right.slice(shared)];
  return {
    shared,
    rows: aligned(ours, theirs),
    left: sideFigures(left[0]?.session ?? "", ours),
    right: sideFigures(right[0]?.session ?? "", theirs),
  };
}

function aligned(left: readonly SessionEvent[], right: readonly SessionEvent[]): readonly ComparedRow[] {
  const changes = diffArrays([...left], [...right], {
    comparator: (a, b) => a.type === b.type && a.step === b.step,
    maxEditLength: FURTHEST,
  });
  // Too different to align: one after the other says more than nothing.
  if (changes === undefined) return [...left.map(onlyLeft), ...right.map(onlyRight)];
  const rows: ComparedRow[] = [];
  let [l, r] = [0, 0];
  for (const { added, removed, count = 0 } of changes) {
    if (added) rows.push(...right.slice(r, r + count).map(onlyRight));
    else if (removed) rows.push(...left.slice(l, l + count).map(onlyLeft));
    else for (let index = 0; index < count; index++) rows.push(...both(left[l + index], right[r + index]));
    if (!added) l += count;
    if (!removed) r += count;
  }
  return rows;
}

const onlyLeft = (left: SessionEvent): ComparedRow => ({ kind: "left", left });
const onlyRight = (right: SessionEvent): ComparedRow => ({ kind: "right", right });

function both(left: SessionEvent | undefined, right: SessionEvent | undefined): readonly ComparedRow[] {
  if (left === undefined || right === undefined) return [];
  const kind = said(left) === said(right) ? "same" : "changed";
  return [{ kind, left, right }];
}

/** A body without what differs between any two runs: the session's own name in keys, and where a result came from. */
function said({ body, session, blob }: SessionEvent): string {
  if (blob !== undefined) return blob.sha256;
  const fields: Fields =
    typeof body === "object" && body !== null && !Array.isArray(body) ? (body as Fields) : { value: body ?? null };
  const { recorded: _, ...rest } = fields;
  return JSON.stringify(rest).replaceAll(session, "");
}

type Fields = { readonly [key: string]: Json };
