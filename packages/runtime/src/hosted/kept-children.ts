import type { Clock } from "../dialect.ts";
import type { HostedChannel } from "./channel.ts";

export interface Kept {
  readonly channel: HostedChannel;
  readonly startedAt: number;
  /** What it was started as: another place or program needs another child. */
  readonly kind: string;
}

/** Children that wait for the next turn of their session, each until its idle time is over. */
export class KeptChildren {
  readonly #clock: Clock;
  readonly #most: number;
  readonly #waiting = new Map<string, Kept & { readonly over: AbortController }>();

  constructor({ clock, most }: { readonly clock: Clock; readonly most: number }) {
    this.#clock = clock;
    this.#most = most;
  }

  /** The session's child, if it lives, is of this kind and younger than `maxLifeMs`; it is then out of here. */
  async take(session: string, kind: string, maxLifeMs: number): Promise<Kept | undefined> {
    const kept = this.#waiting.get(session);
    if (kept === undefined) return undefined;
    this.#waiting.delete(session);
    kept.over.abort();
    const old = this.#clock.now() - kept.startedAt >= maxLifeMs;
    if (!kept.channel.ended && !old && kept.kind === kind) return kept;
    await kept.channel.child.kill();
    return undefined;
  }

  keep(session: string, kept: Kept, idleTimeoutMs: number): void {
    const over = new AbortController();
    this.#waiting.set(session, { ...kept, over });
    this.#clock.sleep(idleTimeoutMs, { signal: over.signal }).then(
      () => void this.#end(session),
      () => {},
    );
    const [longest] = this.#waiting.keys();
    if (this.#waiting.size > this.#most && longest !== undefined) void this.#end(longest);
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#waiting.keys()].map((session) => this.#end(session)));
  }

  async #end(session: string): Promise<void> {
    const kept = this.#waiting.get(session);
    this.#waiting.delete(session);
    kept?.over.abort();
    await kept?.channel.child.kill().catch(() => {});
  }
}
