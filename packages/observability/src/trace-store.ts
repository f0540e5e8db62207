import type { CallContext, Page } from "./dialect.ts";
import type { SpanRecord } from "./span-record.ts";

export interface TraceSummary {
  readonly traceId: string;
  /** Name of the span without a parent, or of the earliest one while that has not arrived. */
  readonly name: string;
  readonly service?: string;
  readonly startAt: number;
  readonly endAt: number;
  readonly spans: number;
  readonly errors: number;
}

export interface TraceQuery {
  /** Only traces with a span of this session (`gen_ai.conversation.id`). */
  readonly session?: string;
  readonly errorsOnly?: boolean;
  /** Traces that started at or after this instant. */
  readonly from?: number;
  /** Traces that started before this instant. */
  readonly until?: number;
  readonly cursor?: string;
  /** At most 1000; 50 when absent. */
  readonly limit?: number;
}

export type UsageKey = "session" | "agent" | "model" | "tool";

export interface UsageQuery {
  readonly by: UsageKey;
  readonly session?: string;
  readonly from?: number;
  readonly until?: number;
}

/** What was used under one key with one model. A tool's rows have no model and no tokens. */
export interface UsageRow {
  readonly key: string;
  readonly model?: string;
  readonly calls: number;
  readonly errors: number;
  /** Tokens in, those read from a cache included (as `gen_ai.usage.input_tokens` counts them). */
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cachedTokens: number;
  readonly durationMs: number;
}

/**
 * Keeps spans, apart by `context.principal.tenant`: no call shows, counts or changes another tenant's.
 * Several processes may write into one store.
 *
 * Errors: `OBSERVABILITY_STORE_CLOSED` after `close`, `OBSERVABILITY_INVALID` for a cursor or limit that is not one,
 * `OBSERVABILITY_BACKEND_FAILED` with the driver's error as `cause`.
 */
export interface TraceStore {
  /**
   * All spans or none. A span that is there already (same trace and span id) is left as it is, so that a repeated
   * delivery changes nothing; only a finished span takes the place of an open one.
   */
  append(context: CallContext, spans: readonly SpanRecord[]): Promise<void>;
  /** The spans of one trace by start, then span id; empty when it is unknown. At most `limit` (10,000 when absent). */
  trace(context: CallContext, traceId: string, options?: { readonly limit?: number }): Promise<readonly SpanRecord[]>;
  /** Newest start first. */
  list(context: CallContext, query?: TraceQuery): Promise<Page<TraceSummary>>;
  /**
   * Sums over inference spans (`chat`, `generate_content`, `text_completion`, `embeddings`), or over `execute_tool`
   * spans for `by: "tool"`, that have ended. Spans of agents and turns, which repeat their children's tokens, are not counted.
   */
  usage(context: CallContext, query: UsageQuery): Promise<readonly UsageRow[]>;
  /**
   * Retention: removes whole traces that ended before an instant, oldest first, at most about `limit` spans in one call
   * (1000 when absent), so that no call holds the event loop long. Of every tenant, or of one.
   */
  sweep(options: {
    readonly endedBefore: number;
    readonly tenant?: string;
    readonly limit?: number;
  }): Promise<{ readonly removed: number; readonly more: boolean }>;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
