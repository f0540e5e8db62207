import type { CallContext } from "../dialect.ts";
import type { LiveBus, LiveMessage } from "../live-bus.ts";

type Listener = (message: LiveMessage) => void;

export class InMemoryLiveBus implements LiveBus {
  readonly supports = { acrossProcesses: false } as const;
  readonly #listeners = new Map<string, Set<Listener>>();

  async publish({ principal }: CallContext, session: string, message: LiveMessage): Promise<void> {
    for (const listener of this.#listeners.get(topic(principal.tenant, session)) ?? []) listener(message);
  }

  async subscribe({ principal }: CallContext, session: string, listener: Listener): Promise<AsyncDisposable> {
    const key = topic(principal.tenant, session);
    const listeners = this.#listeners.get(key) ?? new Set();
    this.#listeners.set(key, listeners);
    const own: Listener = (message) => listener(message);
    listeners.add(own);
    return {
      [Symbol.asyncDispose]: async () => {
        listeners.delete(own);
        if (listeners.size === 0) this.#listeners.delete(key);
      },
    };
  }

  async close(): Promise<void> {
    this.#listeners.clear();
  }
}

const topic = (tenant: string, session: string): string => JSON.stringify([tenant, session]);
