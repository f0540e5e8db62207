import type { Extraction, ExtractionOptions, ExtractionWindow, Extractor } from "./extractor.ts";

/**
 * Hands each window to a function of one's own. What it returns is consolidated as usual; one that keeps its records
 * itself returns nothing. It is called at least once a window: after a failure, with the same again.
 */
export class CallbackExtractor implements Extractor {
  readonly #callback: (
    window: ExtractionWindow,
    options: ExtractionOptions,
  ) => Promise<readonly Extraction[] | undefined>;

  constructor(
    callback: (window: ExtractionWindow, options: ExtractionOptions) => Promise<readonly Extraction[] | undefined>,
  ) {
    this.#callback = callback;
  }

  async extract(window: ExtractionWindow, options: ExtractionOptions = {}): Promise<readonly Extraction[]> {
    return (await this.#callback(window, options)) ?? [];
  }
}
