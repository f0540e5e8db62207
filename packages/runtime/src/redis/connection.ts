import { RuntimeError } from "../errors.ts";
import type { RedisClient } from "./redis-client.ts";
import type { Script } from "./script.ts";
import { checkRedis } from "./server-check.ts";

/**
 * What a resolved write has reached. `primary`: the server that took it. `replicated`: also so many replicas, which is
 * asked with `WAIT` after each write: a failover that promotes one of those forgets nothing. Redis does not promise
 * which one it promotes: this narrows the window and does not close it.
 */
export type RedisDurability = "primary" | { readonly replicas: number; readonly timeoutMs: number };

/** One store's use of a client: its scripts, its errors, and how far a write must have come. */
export class Connection {
  readonly #client: RedisClient;
  readonly #what: string;
  readonly #durability: RedisDurability;
  #ready: Promise<void> | undefined;
  #closed = false;

  constructor(what: string, client: RedisClient, durability: RedisDurability = "primary") {
    this.#client = client;
    this.#what = what;
    this.#durability = durability;
  }

  /** All keys of one call share a hash tag: also those that a script makes up from its first. */
  run(script: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    return this.read(async (client) => {
      const all = [...keys, ...args.map(String)];
      try {
        return await client.evalsha(script.sha1, keys.length, all);
      } catch (error) {
        if (!unknownScript(error)) throw error;
        return await client.eval(script.source, keys.length, all);
      }
    });
  }

  /** Resolves when the write has come as far as the durability says. */
  write(script: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    const durability = this.#durability;
    if (durability === "primary") return this.run(script, keys, args);
    return this.read(async (client) => {
      const all = [keys.length, ...keys, ...args];
      const wait = ["wait", durability.replicas, durability.timeoutMs];
      const [first, confirmed] = (await client.pipeline([["evalsha", script.sha1, ...all], wait]).exec()) ?? [];
      if (unknownScript(first?.[0])) {
        return confirmedBy(await client.pipeline([["eval", script.source, ...all], wait]).exec(), durability.replicas);
      }
      return confirmedBy(first && confirmed && [first, confirmed], durability.replicas);
    });
  }

  async read<T>(body: (client: RedisClient) => Promise<T>): Promise<T> {
    if (this.#closed) throw new RuntimeError("RUNTIME_CLOSED", `The ${this.#what} is closed: make another one.`);
    try {
      this.#ready ??= checkRedis(this.#client);
      await this.#ready.catch((error) => {
        this.#ready = undefined;
        throw error;
      });
      return await body(this.#client);
    } catch (error) {
      if (RuntimeError.is(error)) throw error;
      throw failed(this.#what, error);
    }
  }

  close(): void {
    this.#closed = true;
  }
}

const unknownScript = (error: unknown): boolean => error instanceof Error && error.message.startsWith("NOSCRIPT");

function confirmedBy(results: readonly [Error | null, unknown][] | null | undefined, replicas: number): unknown {
  const [written, confirmed] = results ?? [];
  const error = written?.[0] ?? confirmed?.[0];
  if (error) throw error;
  const reached = Number(confirmed?.[1] ?? 0);
  if (reached < replicas) {
    throw new RuntimeError(
      "RUNTIME_BACKEND_FAILED",
      `Redis has it, but ${reached} of ${replicas} replicas confirmed in time: a failover may forget it. Repeat the call; one that carries an idempotency key is not applied twice.`,
    );
  }
  return written?.[1];
}

function failed(what: string, error: unknown): RuntimeError {
  const full =
    error instanceof Error && error.message.startsWith("OOM")
      ? " Its memory is full: raise maxmemory or archive sessions, and it goes on by itself."
      : "";
  return new RuntimeError(
    "RUNTIME_BACKEND_FAILED",
    `Redis did not confirm to the ${what}.${full} Repeat the call; one that carries an idempotency key is not applied twice.`,
    { cause: withoutCommand(error) },
  );
}

/** ioredis hangs the command with its arguments on the error: those hold what users said. */
const withoutCommand = (error: unknown): unknown =>
  error instanceof Error ? new Error(error.message.split("\n")[0]) : undefined;
