import { ToolsError } from "../../errors.ts";

export type CdpParams = Readonly<Record<string, unknown>>;

/** A message from the browser: a reply has `id`, an event has `method`. */
export interface CdpMessage {
  readonly id?: number;
  readonly method?: string;
  readonly params?: CdpParams;
  readonly sessionId?: string;
  readonly result?: unknown;
  readonly error?: { readonly code?: number; readonly message?: string };
}

export interface CdpCommand {
  readonly method: string;
  readonly params?: CdpParams;
  readonly sessionId?: string;
}

/** A screenshot of a large page is the largest thing that is ever asked for. */
const MAX_MESSAGE_BYTES = 128 * 1024 * 1024;

/**
 * The DevTools protocol over a pipe: messages end with a zero byte. Many clients share it; each has sessions of its
 * own, and its replies find their way by number.
 */
export class CdpPipe {
  readonly closed: Promise<void>;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #pending = new Map<number, (message: CdpMessage) => void>();
  readonly #listeners = new Map<string | undefined, (event: CdpMessage) => void>();
  readonly #encoder = new TextEncoder();
  #ended = false;
  #lastId = 0;

  constructor(streams: { readonly stdin: WritableStream<Uint8Array>; readonly stdout: ReadableStream<Uint8Array> }) {
    this.#writer = streams.stdin.getWriter();
    this.#writer.closed.catch(() => {});
    this.closed = this.#read(streams.stdout)
      .catch(() => {})
      .then(() => this.#end());
  }

  /** Rejects with `TOOLS_PAGE_FAILED` when the browser refuses, with `TOOLS_SANDBOX_DIED` when it ends before. */
  send<Result = unknown>(method: string, params: CdpParams = {}, sessionId?: string): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.post({ method, params, ...(sessionId === undefined ? {} : { sessionId }) }, ({ result, error }) => {
        if (error === undefined) resolve(result as Result);
        else if (error.code === ENDED) reject(new ToolsError("TOOLS_SANDBOX_DIED", String(error.message)));
        else reject(new ToolsError("TOOLS_PAGE_FAILED", `The browser refused ${method}: ${error.message ?? ""}`));
      });
    });
  }

  /** The reply comes as the browser gave it, under our number; when the browser ends, as an error. */
  post(command: CdpCommand, reply: (message: CdpMessage) => void): void {
    const id = ++this.#lastId;
    if (this.#ended) {
      reply({ id, error: GONE });
      return;
    }
    this.#pending.set(id, reply);
    this.#writer.write(this.#encoder.encode(`${JSON.stringify({ id, ...command })}\0`)).catch(() => {});
  }

  /** Events of one session (`undefined`: of the browser itself); the last listener counts. */
  listen(sessionId: string | undefined, listener: (event: CdpMessage) => void): void {
    this.#listeners.set(sessionId, listener);
  }

  forget(sessionId: string): void {
    this.#listeners.delete(sessionId);
  }

  async #read(stdout: ReadableStream<Uint8Array>): Promise<void> {
    let parts: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of stdout) {
      let start = 0;
      for (let end = chunk.indexOf(0); end >= 0; end = chunk.indexOf(0, start)) {
        parts.push(chunk.subarray(start, end));
        this.#take(Buffer.concat(parts).toString("utf8"));
        parts = [];
        length = 0;
        start = end + 1;
      }
      if (start === chunk.length) continue;
      parts.push(chunk.subarray(start));
      length += chunk.length - start;
      if (length > MAX_MESSAGE_BYTES) throw new ToolsError("TOOLS_PROTOCOL", "A message of the browser has no end.");
    }
  }

  /** What comes from a browser that may be in hostile hands must not end this process. */
  #take(text: string): void {
    try {
      const message = JSON.parse(text) as CdpMessage;
      if (typeof message.id === "number") {
        const reply = this.#pending.get(message.id);
        this.#pending.delete(message.id);
        reply?.(message);
      } else {
        this.#listeners.get(message.sessionId)?.(message);
      }
    } catch {}
  }

  #end(): void {
    this.#ended = true;
    for (const [id, reply] of this.#pending) reply({ id, error: GONE });
    this.#pending.clear();
    this.#listeners.clear();
  }
}

const ENDED = -32_900;
const GONE = { code: ENDED, message: "The browser has ended: open another session." } as const;
