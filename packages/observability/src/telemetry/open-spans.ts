import type { ReadableSpan } from "@opentelemetry/sdk-trace";

interface Begun {
  readonly span: ReadableSpan;
  readonly record: (span: ReadableSpan) => ReadableSpan;
}

/** Spans that have begun and of which the sink knows nothing yet. */
export class OpenSpans {
  readonly #spans = new Map<string, Begun>();

  get size(): number {
    return this.#spans.size;
  }

  began(span: ReadableSpan, record: Begun["record"]): void {
    this.#spans.set(idOf(span), { span, record });
  }

  /** The sink knows them, or never will. */
  gone(...spans: readonly ReadableSpan[]): void {
    for (const span of spans) this.#spans.delete(idOf(span));
  }

  /** Those that have not ended. */
  running(): readonly ReadableSpan[] {
    return [...this.#spans.values()].filter(({ span }) => !span.ended).map(({ span, record }) => record(span));
  }

  /** Those that a span of the batch descends from: with them no span is ever kept without its parent. */
  above(batch: readonly ReadableSpan[]): readonly ReadableSpan[] {
    if (this.#spans.size === 0) return [];
    const ids = new Set(batch.map(idOf));
    const found: ReadableSpan[] = [];
    for (const span of batch) {
      for (let parent = this.#parentOf(span); parent !== undefined; parent = this.#parentOf(parent.span)) {
        const id = idOf(parent.span);
        if (ids.has(id)) break;
        ids.add(id);
        found.push(parent.record(parent.span));
      }
    }
    return found;
  }

  #parentOf({ parentSpanContext }: ReadableSpan): Begun | undefined {
    return parentSpanContext === undefined ? undefined : this.#spans.get(parentSpanContext.spanId);
  }
}

const idOf = (span: ReadableSpan): string => span.spanContext().spanId;
