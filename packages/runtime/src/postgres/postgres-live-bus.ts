import { createHash } from "node:crypto";
import type { CallContext } from "../dialect.ts";
import type { LiveBus, LiveMessage } from "../live-bus.ts";
import { type Notices, noticesOf } from "./notices.ts";
import type { PostgresPool } from "./postgres-client.ts";

export interface PostgresLiveBusDeps {
  /** A `Pool` of pg, which may be the session log's; one connection of it listens while anyone does. */
  readonly pool: PostgresPool;
}

/** PostgreSQL takes 7,999 bytes at once; base64 and the frame around it make four of three. */
const PIECE_BYTES = 5_400;

/** `LISTEN`/`NOTIFY`, one channel per session. A message over the server's limit goes in pieces. */
export class PostgresLiveBus implements LiveBus {
  readonly supports = { acrossProcesses: true } as const;
  readonly #notices: Notices;
  readonly #subscriptions = new Set<AsyncDisposable>();
  #sent = 0;

  constructor({ pool }: PostgresLiveBusDeps) {
    this.#notices = noticesOf(pool);
  }

  async publish({ principal }: CallContext, session: string, message: LiveMessage): Promise<void> {
    const channel = channelOf(principal.tenant, session);
    const bytes = Buffer.from(JSON.stringify(message));
    // The number keeps two equal messages apart, which PostgreSQL would deliver as one.
    const number = `${process.pid}.${++this.#sent}`;
    const pieces = Math.ceil(bytes.length / PIECE_BYTES);
    for (let piece = 0; piece < pieces; piece++) {
      const part = bytes.subarray(piece * PIECE_BYTES, (piece + 1) * PIECE_BYTES);
      this.#notices.send(channel, [number, piece + 1, pieces, part.toString("base64")].join(" "));
    }
  }

  async subscribe(
    { principal }: CallContext,
    session: string,
    listener: (message: LiveMessage) => void,
  ): Promise<AsyncDisposable> {
    const joined = joining(listener);
    const listening = await this.#notices.listen(channelOf(principal.tenant, session), joined);
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
}

/** A channel's name has 63 bytes at most. */
const channelOf = (tenant: string, session: string): string =>
  `ashlar_${createHash("sha256")
    .update(JSON.stringify([tenant, session]))
    .digest("hex")
    .slice(0, 40)}`;

/** Pieces of one sender arrive in order; a message with a piece missing is dropped. */
function joining(listener: (message: LiveMessage) => void): (payload: string) => void {
  const unfinished = new Map<string, string[]>();
  return (payload) => {
    const [number = "", piece, pieces, part = ""] = payload.split(" ");
    const [sender = ""] = number.split(".");
    const parts = piece === "1" ? [] : (unfinished.get(sender) ?? []);
    parts.push(part);
    unfinished.set(sender, parts);
    if (piece !== pieces) return;
    unfinished.delete(sender);
    if (parts.length !== Number(pieces)) return;
    const bytes = Buffer.concat(parts.map((each) => Buffer.from(each, "base64")));
    listener(JSON.parse(bytes.toString()) as LiveMessage);
  };
}
