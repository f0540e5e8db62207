import type { Readable, Writable } from "node:stream";
import { ToolsError, type ToolsErrorCode } from "../errors.ts";

export const FRAME = { call: 0, result: 1, error: 2, event: 3, data: 4, end: 5, credit: 6, cancel: 7 } as const;
/** Bytes a side may send on a channel before the other has granted more. */
export const WINDOW: number = 1024 * 1024;
const MAX_FRAME = 32 * 1024 * 1024;
const CHUNK = 256 * 1024;
/** What a guest may claim: anything else it says becomes `TOOLS_BACKEND_FAILED`. */
const CLAIMED: ReadonlySet<string> = new Set<ToolsErrorCode>([
  "TOOLS_INVALID",
  "TOOLS_UNSUPPORTED",
  "TOOLS_LANGUAGE_MISSING",
  "TOOLS_PROGRAM_MISSING",
  "TOOLS_FILE_NOT_FOUND",
  "TOOLS_FILE_REFUSED",
  "TOOLS_PATH_OUTSIDE",
  "TOOLS_TOO_LARGE",
  "TOOLS_LIMIT_EXCEEDED",
  "TOOLS_ARCHIVE_REFUSED",
  "TOOLS_CANCELLED",
]);

export interface CallHandlers {
  onData?(channel: number, data: Buffer): void;
  onEnd?(channel: number): void;
  onEvent?(event: Record<string, unknown>): void;
}

/** One operation of the guest under way. */
export interface GuestCall {
  readonly id: number;
  readonly result: Promise<Record<string, unknown>>;
  /** Resolves when the guest has room for it. */
  send(data: Uint8Array): Promise<void>;
  end(): void;
  grant(channel: number, bytes: number): void;
  cancel(): void;
}
const DEFAULT_CHANNEL = Buffer.of(0);

interface Open extends CallHandlers {
  resolve(value: Record<string, unknown>): void;
  reject(error: Error): void;
  room: number;
  wake?: (() => void) | undefined;
}

/** The host's end of the guest's frames. Nothing that the guest says is trusted: nonsense ends the sandbox. */
export class GuestChannel {
  readonly #input: Writable;
  readonly #open = new Map<number, Open>();
  readonly #onBroken: (error: ToolsError) => void;
  #buffered: Buffer = Buffer.alloc(0);
  #next = 1;
  #closed: ToolsError | undefined;

  constructor(input: Writable, output: Readable, onBroken: (error: ToolsError) => void) {
    this.#input = input;
    this.#onBroken = onBroken;
    input.on("error", () => {});
    output.on("error", () => {});
    output.on("data", (chunk: Buffer) => this.#take(chunk));
  }

  call(operation: string, args: Record<string, unknown> = {}, handlers: CallHandlers = {}): GuestCall {
    const id = this.#next++;
    const result = new Promise<Record<string, unknown>>((resolve, reject) => {
      if (this.#closed !== undefined) reject(this.#closed);
      else this.#open.set(id, { ...handlers, resolve, reject, room: WINDOW });
    });
    result.catch(() => {});
    this.#send(FRAME.call, id, Buffer.from(JSON.stringify({ op: operation, ...args })));
    return {
      id,
      result,
      send: async (data) => {
        for (let at = 0; at < data.length; ) {
          const open = this.#open.get(id);
          if (open === undefined) return;
          if (open.room <= 0) {
            await new Promise<void>((resolve) => {
              open.wake = resolve;
            });
            continue;
          }
          const piece = data.subarray(at, at + Math.min(open.room, CHUNK));
          open.room -= piece.length;
          at += piece.length;
          this.#send(FRAME.data, id, DEFAULT_CHANNEL, piece);
        }
      },
      end: () => this.#send(FRAME.end, id, DEFAULT_CHANNEL),
      grant: (channel, bytes) => {
        const payload = Buffer.alloc(5);
        payload[0] = channel;
        payload.writeUInt32BE(bytes, 1);
        this.#send(FRAME.credit, id, payload);
      },
      cancel: () => this.#send(FRAME.cancel, id, Buffer.alloc(0)),
    };
  }

  /** Every call under way is rejected with this, and every later one. */
  close(error: ToolsError): void {
    if (this.#closed !== undefined) return;
    this.#closed = error;
    for (const open of this.#open.values()) {
      open.reject(error);
      open.wake?.();
    }
    this.#open.clear();
  }

  #send(kind: number, id: number, ...payload: readonly Uint8Array[]): void {
    if (this.#closed !== undefined || this.#input.destroyed) return;
    const head = Buffer.alloc(9);
    head.writeUInt32BE(payload.reduce((sum, { length }) => sum + length, 5));
    head[4] = kind;
    head.writeUInt32BE(id, 5);
    this.#input.write(Buffer.concat([head, ...payload]));
  }

  #take(chunk: Buffer): void {
    if (this.#closed !== undefined) return;
    this.#buffered = this.#buffered.length === 0 ? chunk : Buffer.concat([this.#buffered, chunk]);
    try {
      while (this.#buffered.length >= 9) {
        const length = this.#buffered.readUInt32BE();
        if (length > MAX_FRAME || length < 5) throw new Error("length");
        if (this.#buffered.length < 4 + length) return;
        const frame = this.#buffered.subarray(4, 4 + length);
        this.#buffered = this.#buffered.subarray(4 + length);
        this.#deliver(frame[0] ?? 255, frame.readUInt32BE(1), frame.subarray(5));
      }
    } catch (cause) {
      this.#onBroken(new ToolsError("TOOLS_PROTOCOL", "The sandbox sent what is no frame and was ended.", { cause }));
    }
  }

  #deliver(kind: number, id: number, payload: Buffer): void {
    const open = this.#open.get(id);
    if (open === undefined) return;
    if (kind === FRAME.data) open.onData?.(payload[0] ?? 0, payload.subarray(1));
    else if (kind === FRAME.end) open.onEnd?.(payload[0] ?? 0);
    else if (kind === FRAME.event) open.onEvent?.(object(payload));
    else if (kind === FRAME.credit) {
      open.room += payload.readUInt32BE(1);
      open.wake?.();
    } else if (kind === FRAME.result || kind === FRAME.error) {
      this.#open.delete(id);
      open.wake?.();
      const value = object(payload);
      if (kind === FRAME.result) open.resolve(value);
      else open.reject(failure(value));
    } else throw new Error("kind");
  }
}

function object(payload: Buffer): Record<string, unknown> {
  const value: unknown = JSON.parse(payload.toString("utf8"));
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("body");
  return value as Record<string, unknown>;
}

function failure({ code, message }: Record<string, unknown>): ToolsError {
  const known = typeof code === "string" && CLAIMED.has(code) ? (code as ToolsErrorCode) : "TOOLS_BACKEND_FAILED";
  return new ToolsError(known, String(message).slice(0, 1000));
}
