import type { Clock } from "../dialect.ts";
import { ToolsError } from "../errors.ts";

/** Who has the mouse and the keyboard; nobody: the agent may act. */
export interface ControlHolder {
  /** As the person is shown to others. */
  readonly by: string;
  readonly since: number;
  readonly expiresAt: number;
}

const DEFAULT_LEASE_MS = 60_000;

/**
 * A person's hold on a session. It ends by itself when it is not renewed, so that a closed tab gives the session back;
 * while it lasts, whatever the agent does waits.
 */
export class ControlLease {
  readonly #clock: Clock;
  readonly #listeners = new Set<(holder: ControlHolder | undefined) => void>();
  #holder: ControlHolder | undefined;
  #free = Promise.withResolvers<void>();
  #timer: AbortController | undefined;

  constructor({ clock }: { readonly clock: Clock }) {
    this.#clock = clock;
    this.#free.resolve();
  }

  get holder(): ControlHolder | undefined {
    return this.#holder;
  }

  /** Takes it, or renews what the same person has. `TOOLS_CONTROL_HELD` when somebody else does. */
  take({ by, leaseMs = DEFAULT_LEASE_MS }: { readonly by: string; readonly leaseMs?: number }): ControlHolder {
    if (this.#holder !== undefined && this.#holder.by !== by) {
      throw new ToolsError("TOOLS_CONTROL_HELD", `${this.#holder.by} is in control: wait, or ask for it.`);
    }
    const now = this.#clock.now();
    const before = this.#holder;
    if (before === undefined) this.#free = Promise.withResolvers();
    this.#holder = { by, since: before?.since ?? now, expiresAt: now + leaseMs };
    this.#timer?.abort();
    const timer = new AbortController();
    this.#timer = timer;
    this.#clock.sleep(leaseMs, { signal: timer.signal }).then(
      () => this.#end(),
      () => {},
    );
    if (before === undefined) this.#tell();
    return this.#holder;
  }

  /** Does nothing when `by` is not the one who holds it. */
  release({ by }: { readonly by: string }): void {
    if (this.#holder?.by === by) this.#end();
  }

  /** Resolves when no person is in control; rejects with the signal's reason, or when the session ends. */
  async free(signal?: AbortSignal): Promise<void> {
    while (this.#holder !== undefined) {
      signal?.throwIfAborted();
      const gone = Promise.withResolvers<never>();
      const aborted = (): void => gone.reject(signal?.reason);
      signal?.addEventListener("abort", aborted, { once: true });
      try {
        await Promise.race([this.#free.promise, gone.promise]);
      } finally {
        signal?.removeEventListener("abort", aborted);
      }
    }
  }

  /** Called when somebody takes it and when it is free again, not when it is renewed. */
  onChange(listener: (holder: ControlHolder | undefined) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Lets everyone go on, to hear that the session is over. */
  close(): void {
    this.#end();
    this.#listeners.clear();
  }

  #end(): void {
    this.#timer?.abort();
    this.#timer = undefined;
    if (this.#holder === undefined) return;
    this.#holder = undefined;
    this.#free.resolve();
    this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener(this.#holder);
  }
}
