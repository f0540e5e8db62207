import type { PostgresClient, PostgresPool } from "./postgres-client.ts";

type Listener = (payload: string) => void;

/** Notices that wait for the server; older ones are dropped, since nothing may depend on them. */
const MOST_WAITING = 1_000;
const RECONNECT_MS = 500;

/** The one connection that listens; `end` gives it up, once. */
interface Line {
  readonly client: PostgresClient;
  end(): void;
}

const perPool = new WeakMap<PostgresPool, Notices>();

/** All stores of a pool share one listening connection. */
export function noticesOf(pool: PostgresPool): Notices {
  const notices = perPool.get(pool) ?? new Notices(pool);
  perPool.set(pool, notices);
  return notices;
}

/** `LISTEN` and `NOTIFY`, best effort: sends without making anyone wait, listens again after a broken connection. */
export class Notices {
  readonly #pool: PostgresPool;
  readonly #listeners = new Map<string, Set<Listener>>();
  #line: Promise<Line> | undefined;
  /** One statement at a time on the line. */
  #last: Promise<unknown> = Promise.resolve();
  #waiting: [channel: string, payload: string][] = [];
  #sending = false;

  constructor(pool: PostgresPool) {
    this.#pool = pool;
  }

  /** Equal notices that wait together arrive as one, as PostgreSQL has it. */
  send(channel: string, payload: string): void {
    if (this.#waiting.length >= MOST_WAITING) this.#waiting.shift();
    this.#waiting.push([channel, payload]);
    if (!this.#sending) void this.#flush();
  }

  /** Resolves once what is sent from now on is heard, or when the server is away: it is listened to when it is back. */
  async listen(channel: string, listener: Listener): Promise<AsyncDisposable> {
    const own: Listener = (payload) => listener(payload);
    const listeners = this.#listeners.get(channel) ?? new Set();
    this.#listeners.set(channel, listeners.add(own));
    await this.#statement(`LISTEN "${channel}"`);
    return {
      [Symbol.asyncDispose]: async () => {
        listeners.delete(own);
        if (listeners.size > 0 || this.#listeners.get(channel) !== listeners) return;
        this.#listeners.delete(channel);
        if (this.#listeners.size === 0) await this.#leave();
        else await this.#statement(`UNLISTEN "${channel}"`);
      },
    };
  }

  async #flush(): Promise<void> {
    this.#sending = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      const values = [batch.map(([channel]) => channel), batch.map(([, payload]) => payload)];
      const text = "SELECT pg_notify(channel, payload) FROM unnest($1::text[], $2::text[]) AS notice(channel, payload)";
      await this.#pool.query({ name: "ashlar_notify", text, values }).catch(() => {});
    }
    this.#sending = false;
  }

  async #statement(text: string): Promise<void> {
    try {
      this.#line ??= this.#connect();
      const { client } = await this.#line;
      this.#last = this.#last.catch(() => {}).then(() => client.query({ text }));
      await this.#last;
    } catch {
      this.#again();
    }
  }

  async #connect(): Promise<Line> {
    const client = await this.#pool.connect();
    client.on("notification", ({ channel, payload = "" }) => {
      for (const listener of this.#listeners.get(channel) ?? []) listener(payload);
    });
    let ended = false;
    const end = () => {
      if (ended) return;
      ended = true;
      client.release(true);
      this.#again();
    };
    client.on("error", end);
    client.on("end", end);
    return { client, end };
  }

  /** Whoever listens hears once more than was said, since something may have been missed. */
  #again(): void {
    this.#line = undefined;
    if (this.#listeners.size === 0) return;
    setTimeout(async () => {
      if (this.#line !== undefined || this.#listeners.size === 0) return;
      for (const channel of this.#listeners.keys()) await this.#statement(`LISTEN "${channel}"`);
    }, RECONNECT_MS).unref();
  }

  async #leave(): Promise<void> {
    (await this.#line?.catch(() => undefined))?.end();
  }
}
