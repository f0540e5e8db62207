import { RuntimeError } from "../errors.ts";
import { encodeFrame, FrameDecoder, FrameError } from "../internal/frames.ts";
import type { HostedProcess } from "../session-host.ts";
import type { FromChild, ToChild } from "./protocol.ts";

/** Of the child's error stream, this many characters are kept to explain its end. */
const LAST_WORDS = 2_000;

/** Frames to and from one child, over as many turns as it lives for. */
export class HostedChannel {
  readonly child: HostedProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #decoder = new FrameDecoder();
  readonly #frames: FromChild[] = [];
  #lastWords = "";
  ended = false;

  constructor(child: HostedProcess) {
    this.child = child;
    this.#writer = child.stdin.getWriter();
    this.#reader = child.stdout.getReader();
    const end = () => {
      this.ended = true;
    };
    child.exit.then(end, end);
    void this.#listen();
  }

  async send(frame: ToChild): Promise<void> {
    await this.#writer.write(encodeFrame(frame));
  }

  /** `undefined` when the child's output has ended. */
  async next(): Promise<FromChild | undefined> {
    while (this.#frames.length === 0) {
      const { value } = await this.#reader.read().catch(() => ({ value: undefined }));
      if (value === undefined) return undefined;
      try {
        this.#frames.push(...(this.#decoder.push(value) as Iterable<FromChild>));
      } catch (error) {
        if (!(error instanceof FrameError)) throw error;
        throw this.failed(`wrote something that is no frame to its output (${error.message})`);
      }
    }
    return this.#frames.shift();
  }

  failed(what: string): RuntimeError {
    const said = this.#lastWords.trim();
    const words = said === "" ? "" : ` Its last words: ${said}`;
    return new RuntimeError("RUNTIME_HOST_FAILED", `The program ${what}.${words}`);
  }

  async #listen(): Promise<void> {
    const reader = this.child.stderr.getReader();
    const decoder = new TextDecoder();
    for (;;) {
      const { value } = await reader.read().catch(() => ({ value: undefined }));
      if (value === undefined) return;
      this.#lastWords = (this.#lastWords + decoder.decode(value, { stream: true })).slice(-LAST_WORDS);
    }
  }
}
