import { type Attributes, type Context, TraceFlags, trace } from "@opentelemetry/api";
import type { ReadableSpan, Span, SpanProcessor } from "@opentelemetry/sdk-trace";
import type { Redactor } from "../dialect.ts";
import type { BoundedQueue } from "./bounded-queue.ts";
import { isContent } from "./content.ts";
import { RecordedSpan } from "./recorded-span.ts";

export interface RecordingProcessorDeps {
  readonly queues: readonly BoundedQueue[];
  readonly redactor: Redactor | undefined;
  /** Whether prompts, answers, arguments and results may be recorded. */
  readonly content: boolean;
  /** Whether attributes are repeated under the names they had before. */
  readonly olderNames: boolean;
  /** Sees every span, sampled or not, after redaction. */
  onSpan?(span: ReadableSpan): void;
}

/** Handed down from a span to its children in the same process, so that each can be counted where it belongs. */
const inherited = ["ashlar.tenant", "gen_ai.conversation.id", "gen_ai.agent.name"] as const;

/** Redacts at the end of each span, once, before anything else sees it. */
export class RecordingProcessor implements SpanProcessor {
  readonly #queues: readonly BoundedQueue[];
  /** Those of them that want to know of spans that have not ended. */
  readonly #early: readonly BoundedQueue[];
  readonly #redactor: Redactor | undefined;
  readonly #content: boolean;
  readonly #olderNames: boolean;
  readonly #onSpan: ((span: ReadableSpan) => void) | undefined;

  constructor({ queues, redactor, content, olderNames, onSpan }: RecordingProcessorDeps) {
    this.#queues = queues;
    this.#early = queues.filter(({ takesOpen }) => takesOpen);
    this.#redactor = redactor;
    this.#content = content;
    this.#olderNames = olderNames;
    this.#onSpan = onSpan;
  }

  onStart(span: Span, parentContext: Context): void {
    const parent = (trace.getSpan(parentContext) as Partial<ReadableSpan> | undefined)?.attributes;
    if (parent !== undefined) {
      for (const name of inherited) {
        const value = parent[name];
        if (value !== undefined && span.attributes[name] === undefined) span.setAttribute(name, value);
      }
    }
    if (this.#early.length === 0 || (span.spanContext().traceFlags & TraceFlags.SAMPLED) === 0) return;
    for (const queue of this.#early) queue.began(span, this.#record);
  }

  onEnd(span: ReadableSpan): void {
    const recorded = this.#recorded(span);
    this.#onSpan?.(recorded);
    if ((span.spanContext().traceFlags & TraceFlags.SAMPLED) === 0) return;
    for (const queue of this.#queues) queue.add(recorded);
  }

  async forceFlush(): Promise<void> {
    await Promise.all(this.#queues.map((queue) => queue.flush()));
  }

  async shutdown(): Promise<void> {
    await Promise.all(this.#queues.map((queue) => queue.close()));
  }

  readonly #record = (span: ReadableSpan): ReadableSpan => this.#recorded(span);

  #recorded(span: ReadableSpan): ReadableSpan {
    const redactor = this.#redactor;
    const attributes = this.#attributes(span.attributes);
    if (redactor === undefined && attributes === span.attributes && span.events.length === 0) return span;
    const redact = <T>(value: T): T => (redactor === undefined ? value : redactor.redact(value));
    const name = redact(span.name);
    const message = span.status.message === undefined ? undefined : redact(span.status.message);
    const events =
      span.events.length === 0
        ? span.events
        : span.events.map((event) => {
            return {
              ...event,
              name: redact(event.name),
              ...(event.attributes === undefined ? {} : { attributes: this.#attributes(event.attributes) }),
            };
          });
    const links = span.links.some((link) => link.attributes !== undefined)
      ? span.links.map((link) =>
          link.attributes === undefined ? link : { ...link, attributes: this.#attributes(link.attributes) },
        )
      : span.links;
    if (
      name === span.name &&
      message === span.status.message &&
      attributes === span.attributes &&
      events === span.events &&
      links === span.links
    )
      return span;
    return new RecordedSpan(span, { name, attributes, events, links, ...(message === undefined ? {} : { message }) });
  }

  #attributes(attributes: Attributes): Attributes {
    let kept = attributes;
    if (!this.#content) {
      for (const name in attributes) {
        if (!isContent(name)) continue;
        if (kept === attributes) kept = { ...attributes };
        delete kept[name];
      }
    }
    for (const name in kept) {
      const value = kept[name];
      if (typeof value !== "string" || value.length < LONGEST_VALUE) continue;
      if (kept === attributes) kept = { ...attributes };
      kept[name] = value.slice(0, LONGEST_VALUE).replace(/\S{0,1024}$/, "[cut]");
    }
    const redacted = this.#redactor === undefined ? kept : this.#redactor.redact(kept);
    return this.#olderNames ? withOlderNames(redacted) : redacted;
  }
}

const olderNames = {
  "gen_ai.system": "gen_ai.provider.name",
  "gen_ai.usage.prompt_tokens": "gen_ai.usage.input_tokens",
  "gen_ai.usage.completion_tokens": "gen_ai.usage.output_tokens",
  "gen_ai.usage.cache_creation.input_tokens": "gen_ai.usage.cache_write.input_tokens",
  "gen_ai.prompt": "gen_ai.input.messages",
  "gen_ai.completion": "gen_ai.output.messages",
} as const;

function withOlderNames(attributes: Attributes): Attributes {
  const copies = Object.entries(olderNames).filter(([, now]) => attributes[now] !== undefined);
  return copies.length === 0
    ? attributes
    : { ...attributes, ...Object.fromEntries(copies.map(([then, now]) => [then, attributes[now]])) };
}

/** Longer texts belong into the log or a blob; the last word goes too, for it may be half a secret. */
const LONGEST_VALUE = 16_384;
