import type { CallContext } from "../dialect.ts";
import type { LiveBus, LiveMessage } from "../live-bus.ts";
import { type Channels, channelsOf } from "./channels.ts";
import { Connection } from "./connection.ts";
import type { RedisClient, RedisSubscriber } from "./redis-client.ts";
import { script } from "./script.ts";

export interface RedisLiveBusDeps {
  /** An ioredis `Redis` or `Cluster`, which may be the session log's. */
  readonly client: RedisClient;
  /** `client.duplicate()` in ioredis, which may be the work queue's. */
  readonly subscriber: RedisSubscriber;
  /** Default `ashlar:runtime:`. */
  readonly prefix?: string;
}

/** KEYS: channel. For a Cluster, which by the key sends all of a session through one node: that keeps their order. */
const publish = script("return redis.call('PUBLISH', KEYS[1], ARGV[1])");

/** Redis's own publish and subscribe, one channel per session. */
export class RedisLiveBus implements LiveBus {
  readonly supports = { acrossProcesses: true } as const;
  readonly #client: RedisClient;
  readonly #connection: Connection;
  readonly #channels: Channels;
  readonly #prefix: string;
  readonly #subscriptions = new Set<AsyncDisposable>();

  constructor({ client, subscriber, prefix = "ashlar:runtime:" }: RedisLiveBusDeps) {
    this.#client = client;
    this.#connection = new Connection("live bus", client);
    this.#channels = channelsOf(subscriber);
    this.#prefix = prefix;
  }

  /** Sent and not waited for; while the server is away, dropped. */
  async publish({ principal }: CallContext, session: string, message: LiveMessage): Promise<void> {
    if (this.#client.status !== "ready") return;
    const channel = this.#channel(principal.tenant, session);
    const text = JSON.stringify(message);
    const sent = this.#client.isCluster
      ? this.#connection.run(publish, [channel], [text])
      : this.#connection.read((client) => client.publish(channel, text));
    void sent.catch(() => {});
  }

  async subscribe(
    { principal }: CallContext,
    session: string,
    listener: (message: LiveMessage) => void,
  ): Promise<AsyncDisposable> {
    const listening = await this.#channels.listen(this.#channel(principal.tenant, session), (text) =>
      listener(JSON.parse(text) as LiveMessage),
    );
    const subscription: AsyncDisposable = {
      [Symbol.asyncDispose]: async () => {
        if (this.#subscriptions.delete(subscription)) await listening[Symbol.asyncDispose]();
      },
    };
    this.#subscriptions.add(subscription);
    return subscription;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#subscriptions].map((each) => each[Symbol.asyncDispose]()));
  }

  #channel(tenant: string, session: string): string {
    return `${this.#prefix}live:${JSON.stringify([tenant, session])}`;
  }
}
