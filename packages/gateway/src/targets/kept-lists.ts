import type { CallContext, Clock, Json } from "../dialect.ts";
import type { ToolDescription } from "../tool-source.ts";

interface Kept {
  readonly tools: readonly ToolDescription[];
  readonly until: number;
}

/** A server may say that its list holds for long; a description that changed should not be missed for so long. */
const MAX_KEPT_MS = 300_000;
const MAX_LISTS = 1000;
const PUBLIC = "public";

/** Lists of a server for as long as its answers say: `ttlMs`, and `cacheScope` for whom. */
export class KeptLists {
  readonly #clock: Clock;
  readonly #lists = new Map<string, Kept>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  of(context: CallContext): readonly ToolDescription[] | undefined {
    const now = this.#clock.now();
    for (const key of [PUBLIC, privately(context)]) {
      const kept = this.#lists.get(key);
      if (kept !== undefined && kept.until > now) return kept.tools;
    }
    return undefined;
  }

  /** `pages` are the results that the tools came in; the one that holds for the shortest time counts. */
  keep(
    context: CallContext,
    tools: readonly ToolDescription[],
    pages: readonly { readonly [key: string]: Json }[],
  ): void {
    const ttlMs = Math.min(MAX_KEPT_MS, ...pages.map(({ ttlMs: each }) => (typeof each === "number" ? each : 0)));
    if (!(ttlMs > 0)) return;
    const key = pages.every(({ cacheScope }) => cacheScope === PUBLIC) ? PUBLIC : privately(context);
    if (this.#lists.size >= MAX_LISTS) this.#lists.clear();
    this.#lists.set(key, { tools, until: this.#clock.now() + ttlMs });
  }
}

const privately = ({ principal: { tenant, user, agent, session } }: CallContext): string =>
  JSON.stringify([tenant, user, agent, session]);
