import { once } from "node:events";
import { Readable } from "node:stream";
import {
  brotliDecompress,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  gunzip,
  inflate,
  type ZlibOptions,
} from "node:zlib";
import type { Dispatcher } from "undici";
import type { OutboundResponse } from "../transport.ts";
import { explain, tooLarge, unreadable } from "./outbound-errors.ts";

type Headers = Parameters<NonNullable<Dispatcher.DispatchHandler["onResponseStart"]>>[2];

const MAX_AHEAD = 256 * 1024;

const decoders = {
  gzip: { whole: gunzip, piecewise: createGunzip },
  "x-gzip": { whole: gunzip, piecewise: createGunzip },
  deflate: { whole: inflate, piecewise: createInflate },
  br: { whole: brotliDecompress, piecewise: createBrotliDecompress },
} as const;

/**
 * One request that undici sends and the answer to it. It takes undici's own events, because a `Readable` for each
 * answer costs as much as sending the request.
 */
export class OutboundExchange implements Dispatcher.DispatchHandler, OutboundResponse {
  status = 0;
  headers: Readonly<Record<string, string>> = {};
  /** When the answer's headers are there. */
  readonly begun: Promise<OutboundResponse>;
  readonly #origin: string;
  readonly #signal: AbortSignal | undefined;
  #maxBytes: number;
  #begin: (response: OutboundResponse) => void = () => {};
  #fail: (error: unknown) => void = () => {};
  #controller: Dispatcher.DispatchController | undefined;
  readonly #chunks: Buffer[] = [];
  #waiting = 0;
  #received = 0;
  #whole = false;
  #ended = false;
  #error: unknown;
  #wake = () => {};

  constructor(origin: string, maxBytes: number, signal: AbortSignal | undefined) {
    this.#origin = origin;
    this.#maxBytes = maxBytes;
    this.#signal = signal;
    this.begun = new Promise((resolve, reject) => {
      this.#begin = resolve;
      this.#fail = reject;
    });
    signal?.addEventListener("abort", this.#abort, { once: true });
  }

  readonly #abort = (): void => {
    const error = explain(undefined, this.#origin, this.#signal);
    if (this.#controller === undefined) this.#finish(error);
    else this.#controller.abort(error as Error);
  };

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#error !== undefined) controller.abort(this.#error as Error);
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: Headers): void {
    if (status < 200) return;
    this.status = status;
    this.headers = flat(headers);
    if (this.headers["content-type"]?.startsWith("text/event-stream")) this.#maxBytes = Number.POSITIVE_INFINITY;
    if (this.#decoder === "unknown") controller.abort(unreadable());
    else this.#begin(this);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#received += chunk.length;
    if (this.#received > this.#maxBytes) {
      controller.abort(tooLarge(this.#origin, this.#maxBytes));
      return;
    }
    this.#chunks.push(chunk);
    this.#waiting += chunk.length;
    if (this.#whole) return;
    if (this.#waiting > MAX_AHEAD) controller.pause();
    this.#wake();
  }

  onResponseEnd(): void {
    this.#finish(undefined);
  }

  onResponseError(_: Dispatcher.DispatchController | undefined, error: Error): void {
    this.#finish(explain(error, this.#origin, this.#signal));
  }

  #finish(error: unknown): void {
    this.#ended = true;
    this.#error ??= error;
    this.#signal?.removeEventListener("abort", this.#abort);
    if (error !== undefined) this.#fail(error);
    this.#wake();
  }

  async bytes(): Promise<Uint8Array> {
    this.#whole = true;
    if (!this.#ended) {
      if (this.#controller?.paused) this.#controller.resume();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#error !== undefined) throw this.#error;
    const body = this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks);
    const decoder = this.#decoder;
    return decoder === undefined || decoder === "unknown" ? body : this.#inflated(decoder.whole, body);
  }

  stream(): ReadableStream<Uint8Array> {
    const decoder = this.#decoder;
    if (decoder === undefined || decoder === "unknown") return this.#pulled();
    const plain = decoder.piecewise();
    const source = Readable.from(this.#arriving());
    source.on("error", (error) => plain.destroy(error));
    plain.on("close", () => source.destroy());
    return this.#counted(source.pipe(plain));
  }

  #pulled(): ReadableStream<Uint8Array> {
    const arriving = this.#arriving();
    return new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          const { done, value } = await arriving.next();
          if (done) controller.close();
          else controller.enqueue(value);
        },
        async cancel() {
          await arriving.return(undefined);
        },
      },
      { highWaterMark: 0 },
    );
  }

  async *#arriving(): AsyncGenerator<Buffer, undefined> {
    try {
      for (;;) {
        const chunk = this.#chunks.shift();
        if (chunk !== undefined) {
          this.#waiting -= chunk.length;
          if (this.#waiting === 0 && this.#controller?.paused) this.#controller.resume();
          yield chunk;
        } else if (this.#error !== undefined) throw this.#error;
        else if (this.#ended) return undefined;
        else {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        }
      }
    } finally {
      if (!this.#ended) this.#controller?.abort(explain(undefined, this.#origin, AbortSignal.abort()) as Error);
    }
  }

  /** What a decoder makes of a small body can be large: it counts too. */
  #counted(plain: Readable): ReadableStream<Uint8Array> {
    const origin = this.#origin;
    const maxBytes = this.#maxBytes;
    let made = 0;
    const chunks = plain[Symbol.asyncIterator]();
    return new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          try {
            const { done, value } = await chunks.next();
            if (done) return controller.close();
            made += (value as Buffer).length;
            if (made > maxBytes) throw tooLarge(origin, maxBytes);
            controller.enqueue(value as Buffer);
          } catch (error) {
            plain.destroy();
            controller.error(explain(error, origin));
          }
        },
        async cancel() {
          plain.destroy();
          if (!plain.closed) await once(plain, "close").catch(() => {});
        },
      },
      { highWaterMark: 0 },
    );
  }

  get #decoder(): (typeof decoders)[keyof typeof decoders] | "unknown" | undefined {
    const encoding = this.headers["content-encoding"]?.trim().toLowerCase();
    if (encoding === undefined || encoding === "identity") return undefined;
    return Object.hasOwn(decoders, encoding) ? decoders[encoding as keyof typeof decoders] : "unknown";
  }

  #inflated(
    whole: (body: Buffer, options: ZlibOptions, done: (error: Error | null, plain: Buffer) => void) => void,
    body: Buffer,
  ): Promise<Uint8Array> {
    const options = Number.isFinite(this.#maxBytes) ? { maxOutputLength: this.#maxBytes } : {};
    return new Promise((resolve, reject) => {
      whole(body, options, (error, plain) => {
        if (error === null) return resolve(plain);
        const { code } = error as { readonly code?: string };
        reject(code === "ERR_BUFFER_TOO_LARGE" ? tooLarge(this.#origin, this.#maxBytes) : explain(error, this.#origin));
      });
    });
  }
}

function flat(headers: Headers): Readonly<Record<string, string>> {
  if (Object.values(headers).every((value) => typeof value === "string")) return headers as Record<string, string>;
  const result: Record<string, string> = {};
  for (const name in headers) {
    const value = headers[name];
    if (value !== undefined) result[name] = typeof value === "string" ? value : value.join(", ");
  }
  return result;
}
