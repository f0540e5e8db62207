import type { BlobRef, BlobStore } from "../blob-store.ts";
import { type CallContext, type Clock, systemClock } from "../dialect.ts";
import { RuntimeError } from "../errors.ts";
import { checkBlobKey, hashing } from "../internal/hashed.ts";
import { Connection } from "./connection.ts";
import type { PostgresPool } from "./postgres-client.ts";
import { BLOB_SCHEMA } from "./schema.ts";

export interface PostgresBlobStoreDeps {
  /** A `Pool` of pg, which may be the session log's; whoever opened it closes it. A `put` keeps a connection of it. */
  readonly pool: PostgresPool;
  readonly clock?: Clock;
}

const PIECE_BYTES = 256 * 1024;
/** Who still reads a body that was replaced or deleted has this long. */
const KEPT_MS = 60 * 60 * 1000;

const sources = {
  number: "SELECT nextval('runtime_blob_number') AS number",
  piece: "INSERT INTO runtime_blob_piece VALUES ($1, $2, $3)",
  replaced: `
    INSERT INTO runtime_blob_replaced SELECT number, $3 FROM runtime_blob WHERE tenant = $1 AND key = $2 FOR UPDATE`,
  name: `
    INSERT INTO runtime_blob VALUES ($1, $2, $3, $4)
    ON CONFLICT (tenant, key) DO UPDATE SET number = excluded.number, pieces = excluded.pieces`,
  remove: "DELETE FROM runtime_blob WHERE tenant = $1 AND key = $2",
  old: `
    WITH old AS (
      DELETE FROM runtime_blob_replaced WHERE number IN
        (SELECT number FROM runtime_blob_replaced WHERE at < $1 LIMIT 10 FOR UPDATE SKIP LOCKED) RETURNING number)
    DELETE FROM runtime_blob_piece USING old WHERE runtime_blob_piece.number = old.number`,
  get: "SELECT number, pieces FROM runtime_blob WHERE tenant = $1 AND key = $2",
  read: "SELECT bytes FROM runtime_blob_piece WHERE number = $1 AND piece = $2",
};

/** For bodies up to some hundred megabytes, where files should lie with the sessions; a disk or object store is faster. */
export class PostgresBlobStore implements BlobStore {
  readonly #connection: Connection;
  readonly #clock: Clock;

  constructor({ pool, clock = systemClock }: PostgresBlobStoreDeps) {
    this.#connection = new Connection("blob store", pool, BLOB_SCHEMA);
    this.#clock = clock;
  }

  async put(context: CallContext, key: string, body: ReadableStream<Uint8Array>, mediaType: string): Promise<BlobRef> {
    checkBlobKey(key);
    const { tenant } = context.principal;
    const { stream, ref } = hashing(key, mediaType);
    const source = new Pieces(body.pipeThrough(stream), context.signal);
    try {
      await this.#connection.transaction(async (query) => {
        const { number } = (await query(sources.number)).rows[0] as { number: string };
        let count = 0;
        for await (const bytes of source) await query(sources.piece, number, ++count, bytes);
        const now = this.#clock.now();
        await query(sources.replaced, tenant, key, now);
        await query(sources.name, tenant, key, number, count);
        await query(sources.old, now - KEPT_MS);
      });
    } catch (error) {
      throw source.broken === undefined ? error : source.broken.error;
    }
    return ref();
  }

  async get({ principal: { tenant } }: CallContext, key: string): Promise<ReadableStream<Uint8Array> | undefined> {
    checkBlobKey(key);
    const found = await this.#connection.row<{ number: string; pieces: number }>(sources.get, tenant, key);
    if (found === undefined) return undefined;
    let piece = 0;
    return new ReadableStream({
      pull: async (controller) => {
        if (++piece > found.pieces) return controller.close();
        const row = await this.#connection.row<{ bytes: Uint8Array<ArrayBuffer> }>(sources.read, found.number, piece);
        if (row === undefined) throw overtaken(key);
        controller.enqueue(new Uint8Array(row.bytes));
      },
    });
  }

  async delete({ principal: { tenant } }: CallContext, key: string): Promise<void> {
    checkBlobKey(key);
    await this.#connection.transaction(async (query) => {
      await query(sources.replaced, tenant, key, this.#clock.now());
      await query(sources.remove, tenant, key);
    });
  }
}

const overtaken = (key: string): RuntimeError =>
  new RuntimeError("RUNTIME_CONFLICT", `The blob ${key} was replaced or deleted long ago: read it again.`);

/** A body in pieces of one size; says whether it was the body that broke. */
class Pieces {
  readonly #body: ReadableStream<Uint8Array>;
  readonly #signal: AbortSignal | undefined;
  broken: { readonly error: unknown } | undefined;

  constructor(body: ReadableStream<Uint8Array>, signal: AbortSignal | undefined) {
    this.#body = body;
    this.#signal = signal;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    let chunks: Uint8Array[] = [];
    let size = 0;
    try {
      for await (const chunk of this.#body) {
        this.#signal?.throwIfAborted();
        for (let at = 0; at < chunk.length; ) {
          const part = chunk.subarray(at, at + PIECE_BYTES - size);
          at += part.length;
          size += part.length;
          chunks.push(part);
          if (size < PIECE_BYTES) continue;
          yield Buffer.concat(chunks);
          chunks = [];
          size = 0;
        }
      }
    } catch (error) {
      this.broken = { error };
      throw error;
    }
    if (size > 0) yield Buffer.concat(chunks);
  }
}
