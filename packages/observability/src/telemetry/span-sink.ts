import type { ReadableSpan } from "@opentelemetry/sdk-trace";

/** Where finished, redacted spans go. */
export interface SpanSink {
  /** Names it in `status()` and in metrics, `otlp` for example. */
  readonly name: string;
  /**
   * Rejects when nothing was taken: the batch is then offered again, unless the error says `retryable: false`.
   * One call at a time.
   */
  export(spans: readonly ReadableSpan[]): Promise<void>;
  /**
   * Whether it also takes spans that have not ended (`ended` is false) and replaces each when it comes again. Then a
   * span is never taken without those around it, and what a process was doing when it died stays visible.
   */
  readonly takesOpen?: boolean;
  close(): Promise<void>;
}

export interface SinkStatus {
  readonly name: string;
  readonly queued: number;
  readonly exported: number;
  /** Because the queue was full, or the sink was closed before it took them. */
  readonly dropped: number;
  /** Refused for good by the sink. */
  readonly refused: number;
  readonly lastError?: string;
}
