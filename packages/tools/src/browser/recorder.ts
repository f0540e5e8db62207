import type { CallContext, Clock } from "../dialect.ts";
import type { BrowserEvent } from "./browser-event.ts";
import type { ScreencastFrame } from "./browser-page.ts";
import type { BrowserSession } from "./browser-session.ts";
import type { RecordingEntry, Recordings } from "./recordings.ts";

export interface RecorderDeps {
  readonly recordings: Recordings;
  readonly clock: Clock;
  /** No more than one picture in so long; what changed last is always kept. Default 200. */
  readonly frameMs?: number;
  /** Runs over texts of the log: consoles say what pages want. */
  readonly redact?: (event: BrowserEvent) => BrowserEvent;
}

const MAX_PENDING_BYTES = 32 * 1024 * 1024;

/** Writes what one session shows and does, until it ends; writing slowly costs pictures, never the session. */
export class Recorder {
  /** Resolves when the last entry is written; never rejects. */
  readonly done: Promise<void>;
  readonly #deps: RecorderDeps;
  readonly #context: CallContext;
  readonly #recording: string;
  readonly #startedAt: number;
  #offset = 0;
  #pendingBytes = 0;
  #lastFrameAt = Number.NEGATIVE_INFINITY;
  #held: ScreencastFrame | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(session: BrowserSession, deps: RecorderDeps) {
    this.#deps = deps;
    this.#context = { principal: session.principal };
    this.#recording = session.id;
    this.#startedAt = deps.clock.now();
    const { redact = (event) => event } = deps;
    const ends = [
      session.events.listen((event) => this.#log({ event: redact(event) })),
      session.screencast.watch((frame) => this.#frame(frame)),
    ];
    this.done = session.closed.then(async () => {
      for (const end of ends) end();
      if (this.#held !== undefined) this.#keep(this.#held);
      await this.#writing;
    });
  }

  #frame(frame: ScreencastFrame): void {
    const { frameMs = 200, clock } = this.#deps;
    const waitMs = this.#lastFrameAt + frameMs - clock.now();
    if (waitMs <= 0) {
      this.#keep(frame);
      return;
    }
    const waits = this.#held !== undefined;
    this.#held = frame;
    if (waits) return;
    void clock.sleep(waitMs).then(() => {
      if (this.#held !== undefined) this.#keep(this.#held);
    });
  }

  #keep({ jpeg }: ScreencastFrame): void {
    this.#held = undefined;
    this.#lastFrameAt = this.#deps.clock.now();
    if (this.#pendingBytes > MAX_PENDING_BYTES) return;
    const frame = { offset: this.#offset, length: jpeg.length };
    this.#offset += jpeg.length;
    this.#write("frames", jpeg);
    this.#log({ frame });
  }

  #log(entry: Omit<RecordingEntry, "atMs">): void {
    const whole: RecordingEntry = { atMs: this.#deps.clock.now() - this.#startedAt, ...entry };
    this.#write("log", Buffer.from(`${JSON.stringify(whole)}\n`));
  }

  #write(part: "log" | "frames", data: Uint8Array): void {
    this.#pendingBytes += data.length;
    this.#writing = this.#writing.then(async () => {
      try {
        await this.#deps.recordings.append(this.#context, this.#recording, part, data);
      } catch (error) {
        warn(this.#recording, error);
      } finally {
        this.#pendingBytes -= data.length;
      }
    });
  }
}

function warn(recording: string, error: unknown): void {
  const why = error instanceof Error ? error.message : String(error);
  process.emitWarning(`A part of recording ${recording} could not be kept: ${why}`, {
    code: "ASHLAR_TOOLS_RECORDING_LOST",
  });
}
