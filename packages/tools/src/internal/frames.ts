/**
 * Length-prefixed frames on a byte stream: four bytes of big-endian length, then that many bytes of UTF-8 JSON.
 * A length over the cap is an error before a byte of the body is kept.
 */
export const MAX_FRAME_BYTES: number = 16 * 1024 * 1024;

export class FrameError extends Error {
  override readonly name = "FrameError";
}

export function encodeFrame(value: unknown, maxBytes: number = MAX_FRAME_BYTES): Uint8Array {
  const body = Buffer.from(JSON.stringify(value), "utf8");
  if (body.length > maxBytes) throw new FrameError(`A frame of ${body.length} bytes is over the cap of ${maxBytes}.`);
  const frame = Buffer.allocUnsafe(4 + body.length);
  frame.writeUInt32BE(body.length);
  body.copy(frame, 4);
  return frame;
}

/** Takes chunks as they come, gives the frames that are complete. Throws `FrameError` on a bad length or body. */
export class FrameDecoder {
  readonly #maxBytes: number;
  #chunks: Buffer[] = [];
  #buffered = 0;

  constructor(maxBytes: number = MAX_FRAME_BYTES) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes that wait for the rest of their frame: more than 0 at the end of a stream means it was cut. */
  get pending(): number {
    return this.#buffered;
  }

  *push(chunk: Uint8Array): Generator<unknown> {
    this.#chunks.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    this.#buffered += chunk.byteLength;
    while (this.#buffered >= 4) {
      const length = this.#peek(4).readUInt32BE();
      if (length > this.#maxBytes) {
        throw new FrameError(`A frame announces ${length} bytes, over the cap of ${this.#maxBytes}.`);
      }
      if (this.#buffered < 4 + length) return;
      this.#take(4);
      yield parse(this.#take(length));
    }
  }

  #peek(bytes: number): Buffer {
    const first = this.#chunks[0];
    if (first !== undefined && first.length >= bytes) return first;
    const joined = Buffer.concat(this.#chunks);
    this.#chunks = [joined];
    return joined;
  }

  #take(bytes: number): Buffer {
    const from = this.#peek(bytes);
    const rest = from.subarray(bytes);
    if (rest.length > 0) this.#chunks[0] = rest;
    else this.#chunks.shift();
    this.#buffered -= bytes;
    return from.subarray(0, bytes);
  }
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    throw new FrameError("A frame's body is not JSON.");
  }
}
