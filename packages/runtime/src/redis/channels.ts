import type { RedisSubscriber } from "./redis-client.ts";

type Listener = (message: string) => void;

const perSubscriber = new WeakMap<RedisSubscriber, Channels>();

/** All stores of a subscriber share its subscriptions. */
export function channelsOf(subscriber: RedisSubscriber): Channels {
  const channels = perSubscriber.get(subscriber) ?? new Channels(subscriber);
  perSubscriber.set(subscriber, channels);
  return channels;
}

/** Who listens to which channel of one subscribing connection. */
export class Channels {
  readonly #subscriber: RedisSubscriber;
  readonly #listeners = new Map<string, Set<Listener>>();

  constructor(subscriber: RedisSubscriber) {
    this.#subscriber = subscriber;
    subscriber.on("message", (channel, message) => {
      for (const listener of this.#listeners.get(channel) ?? []) listener(message);
    });
  }

  /** Resolves once what is published from now on is heard, or when the server is away: the client subscribes again. */
  async listen(channel: string, listener: Listener): Promise<AsyncDisposable> {
    const own: Listener = (message) => listener(message);
    const listeners = this.#listeners.get(channel) ?? new Set();
    this.#listeners.set(channel, listeners.add(own));
    await this.#subscriber.subscribe(channel).catch(() => {});
    return {
      [Symbol.asyncDispose]: async () => {
        listeners.delete(own);
        if (listeners.size > 0 || this.#listeners.get(channel) !== listeners) return;
        this.#listeners.delete(channel);
        await this.#subscriber.unsubscribe(channel).catch(() => {});
      },
    };
  }
}
