import type { Redactor } from "../dialect.ts";

export type AnswerHeaders = Readonly<Record<string, string | readonly string[]>>;

/** A redactor that may stand in another process. */
export interface AnswerCleaner {
  /** Without the headers whose names would have to be changed. */
  headers(headers: AnswerHeaders): Promise<AnswerHeaders>;
  stream(): { readonly readable: ReadableStream<Uint8Array>; readonly writable: WritableStream<Uint8Array> };
  /** Called once, when the answer is over. */
  close(): void;
}

export const cleanerOf = (redactor: Redactor): AnswerCleaner => ({
  async headers(headers) {
    const kept = Object.entries(headers).filter(([name]) => redactor.redact(name) === name);
    return Object.fromEntries(kept.map(([name, value]) => [name, redactor.redact(value)]));
  },
  stream: () => redactor.stream(),
  close() {},
});
