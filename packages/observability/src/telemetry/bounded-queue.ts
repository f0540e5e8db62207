import type { ReadableSpan } from "@opentelemetry/sdk-trace";
import { OpenSpans } from "./open-spans.ts";
import type { SinkStatus, SpanSink } from "./span-sink.ts";

export interface BoundedQueueOptions {
  /** Spans held while the sink is slow or down; newer ones are dropped and counted. 32,768 when absent. */
  readonly maxQueue?: number;
  /** Spans in one call of the sink. 256 when absent. */
  readonly maxBatch?: number;
  /** Milliseconds that a span waits for others. 500 when absent. */
  readonly delayMs?: number;
}

const LONGEST_BACKOFF_MS = 30_000;

/** Hands spans to a sink in batches, one at a time, with bounded memory and nothing dropped uncounted. */
export class BoundedQueue {
  readonly #sink: SpanSink;
  readonly #maxQueue: number;
  readonly #maxBatch: number;
  readonly #delayMs: number;
  readonly #open: OpenSpans | undefined;
  #queue: ReadableSpan[] = [];
  #timer: NodeJS.Timeout | undefined;
  #draining: Promise<void> | undefined;
  #failures = 0;
  #closed = false;
  #exported = 0;
  #dropped = 0;
  #refused = 0;
  #lastError: string | undefined;

  constructor(sink: SpanSink, { maxQueue = 32_768, maxBatch = 256, delayMs = 500 }: BoundedQueueOptions = {}) {
    this.#sink = sink;
    this.#maxQueue = maxQueue;
    this.#maxBatch = Math.min(maxBatch, maxQueue);
    this.#delayMs = delayMs;
    this.#open = sink.takesOpen === true ? new OpenSpans() : undefined;
  }

  get takesOpen(): boolean {
    return this.#open !== undefined;
  }

  /** A span began; `record` gives it as it may be seen, when the sink takes spans that are still open. */
  began(span: ReadableSpan, record: (span: ReadableSpan) => ReadableSpan): void {
    if (this.#open === undefined || this.#closed || this.#open.size >= this.#maxQueue) return;
    this.#open.began(span, record);
    if (this.#timer === undefined && this.#draining === undefined && this.#failures === 0) this.#wake(this.#delayMs);
  }

  add(span: ReadableSpan): void {
    if (this.#closed || this.#queue.length >= this.#maxQueue) {
      this.#dropped += 1;
      this.#open?.gone(span);
      return;
    }
    this.#queue.push(span);
    if (this.#draining !== undefined || this.#failures > 0) return;
    if (this.#queue.length >= this.#maxBatch) this.#wake(0);
    else if (this.#timer === undefined) this.#wake(this.#delayMs);
  }

  status(): SinkStatus {
    return {
      name: this.#sink.name,
      queued: this.#queue.length,
      exported: this.#exported,
      dropped: this.#dropped,
      refused: this.#refused,
      ...(this.#lastError === undefined ? {} : { lastError: this.#lastError }),
    };
  }

  /** Offers everything that is queued; ends early when the sink fails, which `status()` then shows. */
  async flush(): Promise<void> {
    await this.#draining;
    await this.#drain();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    await this.flush();
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#dropped += this.#queue.length;
    this.#queue = [];
    await this.#sink.close();
  }

  #wake(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#drain(), ms);
    this.#timer.unref();
  }

  #drain(): Promise<void> {
    this.#draining ??= this.#run().finally(() => {
      this.#draining = undefined;
      if (this.#closed || (this.#queue.length === 0 && !this.#open?.size)) return;
      this.#wake(
        this.#failures === 0 ? this.#delayMs : Math.min(this.#delayMs * 2 ** this.#failures, LONGEST_BACKOFF_MS),
      );
    });
    return this.#draining;
  }

  async #run(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (let running = this.#open?.running() ?? []; this.#queue.length + running.length > 0; running = []) {
      const batch = this.#queue.slice(0, this.#maxBatch);
      const open = [...running, ...(this.#open?.above(batch) ?? [])];
      try {
        await this.#sink.export(open.length === 0 ? batch : [...open, ...batch]);
        this.#exported += batch.length;
        this.#failures = 0;
      } catch (error) {
        this.#lastError = error instanceof Error ? error.message : String(error);
        if ((error as { retryable?: unknown } | null)?.retryable !== false) {
          this.#failures += 1;
          return;
        }
        this.#refused += batch.length;
      }
      this.#queue.splice(0, batch.length);
      this.#open?.gone(...open, ...batch);
      // Lets requests be answered between two batches.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}
